// What a page is given: documents as Python wrote them (regard/view/document.py).

import type { StoredNetwork } from "./network/stored";

export interface Coded {
  block: number;
  shape?: number[];
  peaks: number[];
  levels: number;
  signed: boolean;
  error?: number;
}

export interface Half {
  kind?: undefined;
  block: number;
  shape: number[];
  factor: number;
}

/** Numbers in single precision, as they were. */
export interface Single {
  kind: "single";
  block: number;
  shape: number[];
  factor: number;
}

/** Vectors in eight bits, a step for each row, a factor for each channel. */
export interface Bytes {
  kind: "bytes";
  block: number;
  shape: number[];
  steps: Half;
  factors: Half;
}

export interface ComputedWeights {
  kind: "computed";
  thumb: Coded & { shape: number[] };
}

export interface WholeWeights extends Coded {
  kind: "full";
  error: number;
  thumb: (Coded & { shape: number[] }) | null;
}

export interface PartWeights {
  kind: "part";
  step: number;
  overview: { most: Coded & { shape: number[] }; mean: Coded & { shape: number[] } };
  sums: Half;
  top?: Coded & { count: number; keys: number; wide: boolean; covered: number; error: number };
}

export type StoredMask =
  | { kind: "all" }
  | { kind: "spans"; block: number; heads: number; rows: number }
  | { kind: "bits"; block: number; heads: number; rows: number };

export type StoredBias = { kind: "none" } | { kind: "distance" | "dense"; block: number; shape: number[]; factor: number };

export interface StoredParts {
  score: string;
  scale: number;
  normalizer: string;
  numbers: Record<string, number>;
  mask: StoredMask;
  bias: StoredBias;
  bits: number;
  query: Half | Single | Bytes;
  key: Half | Single | Bytes;
  value?: Half | Single;
  value_norms?: Half | Single;
  parameters: Record<string, Half | Single>;
  error: number | null;
}

export interface StoredLayer {
  name: string;
  call: number;
  kind: string;
  heads: number;
  q: string;
  k: string;
  mechanism: Record<string, string>;
  provenance: string;
  dtype?: string;
  /** The step of the arithmetic that could not be followed, where there are no parts for that. */
  unknown?: string;
  weights: WholeWeights | ComputedWeights | PartWeights;
  parts: StoredParts | null;
}

/** A text as it was written: what stands before each token, the token, and what was not read. */
export interface Running {
  before: string[];
  written: string[];
  rest: string;
}

export interface StoredAxis {
  tokens: string[];
  words: number[] | null;
  running?: Running;
}

export interface StoredImage {
  axis: string;
  source: string;
  rows: number;
  columns: number;
  first: number;
}

export interface StoredDocument {
  about: { title?: string; model?: string; checkpoint?: string; answer?: string; wanted?: string; epoch?: number; step?: number };
  axes: Record<string, StoredAxis>;
  layers: StoredLayer[];
  image: StoredImage | null;
  tags: [number, number, string[]][];
  effects: { name: string; values: (number | null)[][] } | null;
  matrices: (Coded & { name: string; q: string; k: string; error: number })[];
  first_block: number;
  /** A network that answers what is typed. */
  network?: StoredNetwork;
}

export interface Page {
  format: number;
  kind: "one" | "compare" | "film";
  lang: string;
  /** Of several films, the first document of each. */
  films?: number[];
  /** Whether the page is a part of another one. */
  inset?: boolean;
  documents: StoredDocument[];
}

/** Where blocks come from: elements of a file, or a server. */
export type ReadBlock = (number: number) => Promise<Uint8Array>;
