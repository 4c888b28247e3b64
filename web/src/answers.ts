// What a page may be asked: a network that it carries, or a server.

import type { ReadBlock, StoredDocument } from "./document";

/** One token of an answer, as it is shown to be chosen. */
export interface Letter {
  text: string;
  probability: number | null;
}

/** What came back: a document for the views, and the answer to be read. */
export interface Answered {
  document: StoredDocument;
  read: ReadBlock;
  letters: Letter[];
  /** What should be known of the answer: characters that were never learned, a head that is gone. */
  note: string;
}

/** A head by the module that attends, as the network names it. */
export interface Head {
  layer: string;
  head: number;
  of: number;
}

export interface Question {
  text: string;
  picture: File | null;
  /** Which layers, as they were typed; empty for all. */
  layers: string;
  without: Head | null;
  /** Whether the effect of every head is asked for. */
  effects: boolean;
}

/** Told how much of how much is done; of nothing, where that is not known. */
export type Progress = (done: number, total: number) => void;

/** Whoever answers what is typed; an `Error` says what is wrong with the question. */
export interface Answers {
  /** Tags to choose a language by; empty where texts bear none. */
  readonly languages: readonly string[];
  readonly examples: readonly string[];
  /** Whether an answer takes so little that it may be given while one types. */
  readonly atOnce: boolean;
  /** Whether pictures are asked, and not texts. */
  readonly ofPictures: boolean;
  /** Whether layers can be chosen and heads be taken out. */
  readonly changes: boolean;
  ask(question: Question, progress: Progress): Promise<Answered>;
}
