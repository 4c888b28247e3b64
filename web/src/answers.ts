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
  /** What should be known of the answer: characters that were never learned. */
  note: string;
}

/** Whoever answers what is typed; an `Error` says what is wrong with the question. */
export interface Answers {
  /** Tags to choose a language by; empty where texts bear none. */
  readonly languages: readonly string[];
  readonly examples: readonly string[];
  /** Whether an answer takes so little that it may be given while one types. */
  readonly atOnce: boolean;
  ask(text: string): Promise<Answered>;
}
