import { readHalf } from "./blocks";
import { tableOf } from "./codes";
import type { Coded, PartWeights, ReadBlock, StoredLayer } from "./document";
import { Parts } from "./parts";

/** A picture of a matrix, pooled to few rows and columns. */
export interface Pooled {
  rows: number;
  columns: number;
  values: Float32Array;
}

const MOST_ROWS_KEPT = 3000;

/** The weights of one captured map, read when they are first asked for. */
export class Layer {
  readonly parts: Parts | null;
  private codes: Uint8Array | null = null;
  private tables: Float32Array[] = [];
  private overview: { most: Uint8Array; mean: Uint8Array } | null = null;
  private top: { keys: Uint16Array | Uint32Array; codes: Uint8Array } | null = null;
  private sums: Float32Array | null = null;
  private loading: Promise<void> | null = null;
  private computed = new Map<number, Float32Array>();

  constructor(
    readonly stored: StoredLayer,
    readonly rows: number,
    readonly keys: number,
    private readonly read: ReadBlock,
  ) {
    this.parts = Parts.of(stored, read);
  }

  get heads(): number {
    return this.stored.heads;
  }

  get isWhole(): boolean {
    return this.stored.weights.kind === "full";
  }

  get isLoaded(): boolean {
    return this.codes !== null || this.overview !== null || (this.isComputed && this.parts!.isLoaded);
  }

  get isComputed(): boolean {
    return this.stored.weights.kind === "computed";
  }

  /** Whether a row has all its weights, and not the largest alone. */
  get hasRows(): boolean {
    return this.isWhole || (this.parts !== null && this.parts.weighs);
  }

  load(): Promise<void> {
    const { weights } = this.stored;
    return (this.loading ??= weights.kind === "full" ? this.loadWhole()
      : weights.kind === "part" ? this.loadPart(weights)
      : this.parts!.load());
  }

  private async loadWhole(): Promise<void> {
    const { weights } = this.stored;
    if (weights.kind !== "full") return;
    this.tables = Array.from({ length: this.heads }, (_, head) => tableOf(weights, head));
    this.codes = await this.read(weights.block);
  }

  private async loadPart(weights: PartWeights): Promise<void> {
    const { top } = weights;
    const [most, mean, sums, keys, codes] = await Promise.all([
      this.read(weights.overview.most.block),
      this.read(weights.overview.mean.block),
      readHalf(this.read, weights.sums),
      top ? this.read(top.keys) : null,
      top ? this.read(top.block) : null,
      this.parts?.load(),
    ]);
    this.sums = sums;
    if (top && keys && codes) {
      const buffer = keys.buffer as ArrayBuffer;
      this.top = { keys: top.wide ? new Uint32Array(buffer) : new Uint16Array(buffer), codes };
      this.tables = Array.from({ length: this.heads }, (_, head) => tableOf(top, head));
    }
    this.overview = { most, mean };
  }

  /** The codes of a head, and the weight of each code, where the whole matrix is there. */
  coded(head: number): { codes: Uint8Array; table: Float32Array } | null {
    if (!this.codes) return null;
    const size = this.rows * this.keys;
    return { codes: this.codes.subarray(head * size, (head + 1) * size), table: this.tables[head] };
  }

  /** The weights of a query. Of a layer that is there in part, what is not kept is 0. */
  row(head: number, i: number): Float32Array {
    if (this.codes) {
      const table = this.tables[head];
      const at = (head * this.rows + i) * this.keys;
      const row = new Float32Array(this.keys);
      for (let j = 0; j < row.length; j++) row[j] = table[this.codes[at + j]];
      return row;
    }
    const place = head * this.rows + i;
    let row = this.computed.get(place);
    if (!row) {
      row = this.parts?.weighs && this.parts.isLoaded ? this.parts.weights(head, i) : this.kept(head, i);
      if (this.computed.size > MOST_ROWS_KEPT) this.computed.clear();
      this.computed.set(place, row);
    }
    return row;
  }

  private kept(head: number, i: number): Float32Array {
    const row = new Float32Array(this.keys);
    const weights = this.stored.weights;
    if (weights.kind !== "part" || !weights.top || !this.top) return row;
    const { count } = weights.top;
    const seen = Math.ceil(this.rows / weights.step);
    const at = (head * seen + Math.min(seen - 1, Math.round(i / weights.step))) * count;
    for (let n = 0; n < count; n++) row[this.top.keys[at + n]] = this.tables[head][this.top.codes[at + n]];
    return row;
  }

  /** What a row has beyond the weights that are kept of it. */
  rest(head: number, i: number): number {
    const weights = this.stored.weights;
    if (weights.kind !== "part" || this.hasRows || !this.sums) return 0;
    const seen = Math.ceil(this.rows / weights.step);
    let rest = this.sums[head * seen + Math.min(seen - 1, Math.round(i / weights.step))];
    for (const weight of this.kept(head, i)) rest -= weight;
    return Math.max(0, rest);
  }

  pooled(head: number, how: "most" | "mean"): Pooled | null {
    const weights = this.stored.weights;
    if (weights.kind !== "part" || !this.overview) return null;
    return decoded(weights.overview[how], this.overview[how], head);
  }

  /** The small picture of a head; of what is small it is all there is. */
  async thumb(): Promise<(head: number) => Pooled> {
    const weights = this.stored.weights;
    if (weights.kind !== "part" && weights.thumb) {
      const { thumb } = weights;
      const bytes = await this.read(thumb.block);
      return (head) => decoded(thumb, bytes, head);
    }
    await this.load();
    if (weights.kind === "part") return (head) => this.pooled(head, "most")!;
    return (head) => {
      const values = new Float32Array(this.rows * this.keys);
      for (let i = 0; i < this.rows; i++) values.set(this.row(head, i), i * this.keys);
      return { rows: this.rows, columns: this.keys, values };
    };
  }
}

export function decoded(coded: Coded & { shape: number[] }, bytes: Uint8Array, head: number): Pooled {
  const [, rows, columns] = coded.shape;
  const table = tableOf(coded, head);
  const values = new Float32Array(rows * columns);
  const at = head * rows * columns;
  for (let i = 0; i < values.length; i++) values[i] = table[bytes[at + i]];
  return { rows, columns, values };
}
