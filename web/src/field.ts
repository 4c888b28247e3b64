import type { Running } from "./document";
import type { Layer, Pooled } from "./layer";
import { isChanged, type Change } from "./parts";
import { isSpecial, plainText } from "./tokens";

/** Tokens along one side of a matrix. */
export interface Axis {
  name: string;
  tokens: string[];
  /** The number of the word of each token. */
  words: number[] | null;
  /** The text that the tokens are of, where it is known. */
  running: Running | null;
}

/** Any matrix of weights that can be looked at: of one head, of several, of all layers. */
export interface Field {
  readonly q: Axis;
  readonly k: Axis;
  /** Whether there are weights below zero. */
  readonly signed: boolean;
  load(): Promise<void>;
  row(i: number): Float32Array;
  /** What a row has beyond what `row` gives. */
  rest(i: number): number;
  pooled(how: "most" | "mean"): Pooled | null;
}

export class HeadField implements Field {
  constructor(
    readonly layer: Layer,
    readonly head: number,
    readonly q: Axis,
    readonly k: Axis,
    readonly change: Change,
    readonly byNorm: boolean,
  ) {}

  get signed(): boolean {
    const { weights } = this.layer.stored;
    const signed = weights.kind === "full" ? weights.signed : weights.kind === "part" && (weights.top?.signed ?? false);
    return signed && !isChanged(this.change);
  }

  async load(): Promise<void> {
    const parts = isChanged(this.change) || this.byNorm ? this.layer.parts?.load() : null;
    await Promise.all([this.layer.load(), parts]);
  }

  row(i: number): Float32Array {
    const { parts } = this.layer;
    const changed = isChanged(this.change) && parts?.isLoaded;
    const row = changed ? parts.weights(this.head, i, this.change) : this.layer.row(this.head, i);
    return this.byNorm && parts?.isLoaded && parts.hasNorms ? weighed(row, (j) => parts.norm(this.head, j)) : row;
  }

  rest(i: number): number {
    return isChanged(this.change) ? 0 : this.layer.rest(this.head, i);
  }

  pooled(how: "most" | "mean"): Pooled | null {
    return isChanged(this.change) || this.byNorm ? null : this.layer.pooled(this.head, how);
  }
}

/** Weights times the lengths of the values that they weigh, as shares of the row. */
function weighed(row: Float32Array, norm: (j: number) => number): Float32Array {
  const times = row.map((w, j) => w * norm(j));
  let sum = 0;
  for (const x of times) sum += Math.abs(x);
  return sum ? times.map((x) => x / sum) : times;
}

/** Mean or largest weight of several matrices of one shape. */
export class Combined implements Field {
  readonly q: Axis;
  readonly k: Axis;
  private readonly known = new Map<number, Float32Array>();

  constructor(
    readonly fields: readonly Field[],
    readonly how: "mean" | "max",
  ) {
    this.q = fields[0].q;
    this.k = fields[0].k;
  }

  get signed(): boolean {
    return this.fields.some((field) => field.signed);
  }

  async load(): Promise<void> {
    await Promise.all(this.fields.map((field) => field.load()));
  }

  row(i: number): Float32Array {
    let row = this.known.get(i);
    if (!row) {
      row = this.computed(i);
      if (this.known.size > 2000) this.known.clear();
      this.known.set(i, row);
    }
    return row;
  }

  private computed(i: number): Float32Array {
    const row = new Float32Array(this.k.tokens.length);
    if (this.how === "max") row.fill(-Infinity);
    for (const field of this.fields) {
      const one = field.row(i);
      if (this.how === "max") for (let j = 0; j < row.length; j++) row[j] = Math.max(row[j], one[j]);
      else for (let j = 0; j < row.length; j++) row[j] += one[j];
    }
    if (this.how === "mean") for (let j = 0; j < row.length; j++) row[j] /= this.fields.length;
    return row;
  }

  rest(i: number): number {
    if (this.how === "max") return 0;
    return this.fields.reduce((sum, field) => sum + field.rest(i), 0) / this.fields.length;
  }

  pooled(how: "most" | "mean"): Pooled | null {
    const all = this.fields.map((field) => field.pooled(how));
    if (all.some((each) => each === null)) return null;
    const values = new Float32Array(all[0]!.values.length);
    for (const each of all) {
      each!.values.forEach((x, n) => (values[n] = how === "most" ? Math.max(values[n], x) : values[n] + x / all.length));
    }
    return { ...all[0]!, values };
  }
}

/**
 * Rollout: each layer's mean over heads, half of it the residual stream, multiplied from the last
 * layer down. A row of it is a vector times one matrix after the other.
 */
export class Rollout implements Field {
  readonly q: Axis;
  readonly k: Axis;
  readonly signed = false;
  private readonly known = new Map<number, Float32Array>();

  constructor(readonly layers: readonly Field[]) {
    this.q = layers[layers.length - 1].q;
    this.k = layers[0].k;
  }

  async load(): Promise<void> {
    await Promise.all(this.layers.map((layer) => layer.load()));
  }

  row(i: number): Float32Array {
    const found = this.known.get(i);
    if (found) return found;
    let row = new Float32Array(this.q.tokens.length);
    row[i] = 1;
    for (let n = this.layers.length - 1; n >= 0; n--) row = this.through(this.layers[n], row);
    this.known.set(i, row);
    return row;
  }

  private through(layer: Field, row: Float32Array): Float32Array<ArrayBuffer> {
    const next = new Float32Array(row.length);
    for (let i = 0; i < row.length; i++) {
      const share = row[i];
      if (share < 1e-7) continue;
      const weights = layer.row(i);
      let sum = 0;
      for (const w of weights) sum += w;
      // A row that sees nothing passes on what it had.
      const scale = sum > 0 ? (0.5 * share) / sum : 0;
      next[i] += sum > 0 ? 0.5 * share : share;
      for (let j = 0; j < weights.length; j++) next[j] += scale * weights[j];
    }
    return next;
  }

  rest(): number {
    return 0;
  }

  pooled(): null {
    return null;
  }
}

/** A matrix that is there as numbers. */
export class Plain implements Field {
  constructor(
    readonly q: Axis,
    readonly k: Axis,
    readonly signed: boolean,
    private readonly read: () => Promise<Float32Array>,
    private values: Float32Array | null = null,
  ) {}

  async load(): Promise<void> {
    this.values ??= await this.read();
  }

  row(i: number): Float32Array {
    const width = this.k.tokens.length;
    return this.values!.subarray(i * width, (i + 1) * width);
  }

  rest(): number {
    return 0;
  }

  pooled(): null {
    return null;
  }
}

export type Level = "tokens" | "words" | "sentences";

/** Tokens taken together: the sum over the keys of a group, the mean over its queries. */
export class Merged implements Field {
  readonly q: Axis;
  readonly k: Axis;
  private readonly groups: number[][];
  private readonly of: number[];

  constructor(
    readonly field: Field,
    level: Level,
  ) {
    this.q = mergedAxis(field.q, level);
    this.k = mergedAxis(field.k, level);
    this.groups = grouped(field.q, level);
    this.of = groupOfEach(field.k, level) ?? field.k.tokens.map((_, j) => j);
  }

  get signed(): boolean {
    return this.field.signed;
  }

  load(): Promise<void> {
    return this.field.load();
  }

  row(i: number): Float32Array {
    const row = new Float32Array(this.k.tokens.length);
    const members = this.groups[i];
    for (const member of members) {
      const one = this.field.row(member);
      for (let j = 0; j < one.length; j++) row[this.of[j]] += one[j];
    }
    if (members.length > 1) for (let j = 0; j < row.length; j++) row[j] /= members.length;
    return row;
  }

  rest(i: number): number {
    const members = this.groups[i];
    return members.reduce((sum, member) => sum + this.field.rest(member), 0) / Math.max(1, members.length);
  }

  pooled(): null {
    return null;
  }
}

/** One matrix minus another. */
export class Difference implements Field {
  readonly q: Axis;
  readonly k: Axis;
  readonly signed = true;

  constructor(
    readonly one: Field,
    readonly other: Field,
  ) {
    this.q = one.q;
    this.k = one.k;
  }

  static fits(one: Field, other: Field): boolean {
    return one.q.tokens.length === other.q.tokens.length && one.k.tokens.length === other.k.tokens.length;
  }

  async load(): Promise<void> {
    await Promise.all([this.one.load(), this.other.load()]);
  }

  row(i: number): Float32Array {
    const other = this.other.row(i);
    return this.one.row(i).map((w, j) => w - other[j]);
  }

  rest(): number {
    return 0;
  }

  pooled(): null {
    return null;
  }
}

const ENDS = /[.!?\u2026\u3002\uff01\uff1f\u061f\u0964]["'\u201d\u2019)\]]*$/u;

/** The number of the group of each token; null where every token is its own. */
export function groupOfEach(axis: Axis, level: Level): number[] | null {
  if (level === "tokens") return null;
  return level === "words" ? axis.words : sentencesOf(axis);
}

/** The number of the sentence of each token; null where there are not two of them. */
function sentencesOf(axis: Axis): number[] | null {
  const numbers: number[] = [];
  let sentence = 0;
  let begun = false;
  for (const token of axis.tokens) {
    if (isSpecial(token) && begun) {
      sentence++;
      begun = false;
    }
    numbers.push(sentence);
    begun = true;
    if (isSpecial(token) || ENDS.test(token)) {
      sentence++;
      begun = false;
    }
  }
  const real = new Set(numbers.filter((_, n) => !isSpecial(axis.tokens[n])));
  return real.size > 1 && numbers[numbers.length - 1] + 1 < axis.tokens.length ? numbers : null;
}

/** Whether anything is taken together at a level. */
export function merges(q: Axis, k: Axis, level: Level): boolean {
  return groupOfEach(q, level) !== null || groupOfEach(k, level) !== null;
}

export function grouped(axis: Axis, level: Level): number[][] {
  const of = groupOfEach(axis, level);
  if (!of) return axis.tokens.map((_, i) => [i]);
  const groups: number[][] = [];
  of.forEach((group, i) => (groups[group] ??= []).push(i));
  return groups;
}

function mergedAxis(axis: Axis, level: Level): Axis {
  if (!groupOfEach(axis, level)) return axis;
  const tokens = grouped(axis, level).map((members) => {
    const own = members.map((i) => axis.tokens[i]);
    if (level === "sentences") return own.length === 1 ? own[0] : plainText(own);
    return own.map((token) => token.replace(/^##|<\/w>$/g, "")).join("");
  });
  return { name: axis.name, tokens, words: null, running: null };
}
