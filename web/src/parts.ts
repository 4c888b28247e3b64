import { readHalf, readVectors } from "./blocks";
import type { Half, ReadBlock, Single, StoredLayer, StoredParts } from "./document";
import { KNOWN, normalize, type Numbers } from "./normalizers";

/** What may be changed about how weights come from scores, for the question "what if". */
export interface Change {
  normalizer: string | null;
  temperature: number;
  alpha: number;
  mask: "own" | "none" | "causal" | "window";
  window: number;
}

export const AS_IT_RAN: Change = { normalizer: null, temperature: 1, alpha: 1.5, mask: "own", window: 4 };

export function isChanged(change: Change): boolean {
  return change.normalizer !== null || change.temperature !== 1 || change.mask !== "own";
}

const DOTTED = new Set(["dot", "scaled_dot"]);
const TANH = new Set(["additive", "luong_concat", "concat_tanh_sum"]);
const SCORES = new Set([
  ...DOTTED, ...TANH, "general", "cosine", "location", "squared_distance", "inverse_distance",
  "concat_relu", "concat_linear", "feature_map_dot", "gatv2",
]);

interface Loaded {
  query: Float32Array;
  key: Float32Array;
  value: Float32Array | null;
  norms: Float32Array | null;
  parameters: Record<string, Float32Array>;
  bias: Float32Array | null;
  spans: Int32Array | null;
  bits: Uint8Array | null;
}

/** One summand of a score, by which it is explained. */
export interface Terms {
  query: Float32Array;
  key: Float32Array;
  each: Float32Array;
  sum: number;
  bias: number;
  score: number;
  open: boolean;
}

/** The parts of one layer: scores and weights computed here, as the network computed them. */
export class Parts {
  readonly rows: number;
  readonly keys: number;
  readonly width: number;
  readonly groups: number;
  private loaded: Loaded | null = null;
  private loading: Promise<void> | null = null;

  constructor(
    readonly stored: StoredParts,
    readonly heads: number,
    private readonly read: ReadBlock,
  ) {
    [, this.rows, this.width] = stored.query.shape;
    [this.groups, this.keys] = stored.key.shape;
  }

  static of(layer: StoredLayer, read: ReadBlock): Parts | null {
    const stored = layer.parts;
    if (!stored || !SCORES.has(stored.score)) return null;
    return new Parts(stored, layer.heads, read);
  }

  /** Whether weights can be computed, too, and not scores alone. */
  get weighs(): boolean {
    return KNOWN.has(this.stored.normalizer) || this.stored.normalizer === "local_gaussian";
  }

  get isLoaded(): boolean {
    return this.loaded !== null;
  }

  get hasValues(): boolean {
    return this.stored.value !== undefined;
  }

  get hasNorms(): boolean {
    return this.stored.value_norms !== undefined;
  }

  load(): Promise<void> {
    return (this.loading ??= this.loadAll());
  }

  private async loadAll(): Promise<void> {
    const { stored, read } = this;
    const half = (each: Half | Single | undefined) => (each ? readHalf(read, each) : Promise.resolve(null));
    const names = Object.keys(stored.parameters);
    const [query, key, value, norms, bias, mask, ...parameters] = await Promise.all([
      readVectors(read, stored.query),
      readVectors(read, stored.key),
      half(stored.value),
      half(stored.value_norms),
      stored.bias.kind === "none" ? null : readHalf(read, stored.bias),
      stored.mask.kind === "all" ? null : read(stored.mask.block),
      ...names.map((name) => readHalf(read, stored.parameters[name])),
    ]);
    this.loaded = {
      query, key, value, norms, bias,
      parameters: Object.fromEntries(names.map((name, i) => [name, parameters[i]])),
      spans: mask && stored.mask.kind === "spans" ? new Int32Array(mask.buffer, mask.byteOffset, mask.byteLength >> 2) : null,
      bits: mask && stored.mask.kind === "bits" ? mask : null,
    };
  }

  private get have(): Loaded {
    if (!this.loaded) throw new Error("the parts of this layer are not loaded yet");
    return this.loaded;
  }

  private group(head: number): number {
    return Math.floor((head * this.groups) / this.heads);
  }

  query(head: number, i: number): Float32Array {
    const at = (head * this.rows + i) * this.width;
    return this.have.query.subarray(at, at + this.width);
  }

  key(head: number, j: number): Float32Array {
    const width = this.stored.key.shape[2];
    const at = (this.group(head) * this.keys + j) * width;
    return this.have.key.subarray(at, at + width);
  }

  value(head: number, j: number): Float32Array | null {
    const { value } = this.have;
    if (!value || !this.stored.value) return null;
    const [groups, length, width] = this.stored.value.shape;
    const at = (Math.floor((head * groups) / this.heads) * length + j) * width;
    return value.subarray(at, at + width);
  }

  norm(head: number, j: number): number {
    const { norms } = this.have;
    if (!norms || !this.stored.value_norms) return 1;
    const [groups, length] = this.stored.value_norms.shape;
    return norms[Math.floor((head * groups) / this.heads) * length + j];
  }

  /** A tensor of the score, such as the vector v of the additive one. */
  parameter(name: string): Float32Array | null {
    return this.have.parameters[name] ?? null;
  }

  isOpen(head: number, i: number, j: number): boolean {
    const { mask } = this.stored;
    const { spans, bits } = this.have;
    if (mask.kind === "all") return true;
    const row = Math.min(head, mask.heads - 1) * mask.rows + Math.min(i, mask.rows - 1);
    if (spans) return j >= spans[2 * row] && j < spans[2 * row + 1];
    const bytes = (this.keys + 7) >> 3;
    return ((bits![row * bytes + (j >> 3)] >> (j & 7)) & 1) === 1;
  }

  bias(head: number, i: number, j: number): number {
    const stored = this.stored.bias;
    const { bias } = this.have;
    if (stored.kind === "none" || !bias) return 0;
    if (stored.kind === "distance") {
      const [heads, length] = stored.shape;
      return bias[Math.min(head, heads - 1) * length + (this.rows - 1) + (j - i)];
    }
    const [heads, rows, keys] = stored.shape;
    return bias[(Math.min(head, heads - 1) * rows + Math.min(i, rows - 1)) * keys + j];
  }

  /** The scores of a query before the mask: what its weights are made of. */
  scores(head: number, i: number): Float32Array {
    const { stored, keys } = this;
    const row = new Float32Array(keys);
    if (DOTTED.has(stored.score)) this.dots(head, i, row);
    else for (let j = 0; j < keys; j++) row[j] = this.raw(head, i, j);
    const cap = stored.numbers["soft_cap"];
    if (cap) for (let j = 0; j < keys; j++) row[j] = cap * Math.tanh(row[j] / cap);
    if (stored.bias.kind !== "none") for (let j = 0; j < keys; j++) row[j] += this.bias(head, i, j);
    return row;
  }

  private dots(head: number, i: number, row: Float32Array): void {
    const { key } = this.have;
    const { width, keys } = this;
    const scale = this.stored.scale;
    const query = this.query(head, i);
    let at = this.group(head) * keys * width;
    for (let j = 0; j < keys; j++) {
      let a = 0;
      let b = 0;
      let d = 0;
      for (; d + 1 < width; d += 2) {
        a += query[d] * key[at + d];
        b += query[d + 1] * key[at + d + 1];
      }
      if (d < width) a += query[d] * key[at + d];
      row[j] = (a + b) * scale;
      at += width;
    }
  }

  private raw(head: number, i: number, j: number): number {
    return this.summed(this.elements(head, i, j), j);
  }

  /** What is summed to a score, element by element. */
  private elements(head: number, i: number, j: number): Float32Array {
    const { score } = this.stored;
    const query = this.query(head, i);
    const key = this.key(head, j);
    if (score === "general") return this.bilinear(query).map((x, d) => x * key[d]);
    if (score === "location") return this.rowOf("weight", j, query.length).map((x, d) => x * query[d]);
    if (TANH.has(score)) {
      const v = this.parameter("v");
      return query.map((x, d) => Math.tanh(x + key[d]) * (v ? v[d] : 1));
    }
    if (score === "gatv2") {
      const v = this.parameter("v");
      const slope = this.stored.numbers["negative_slope"] ?? 0.2;
      return query.map((x, d) => Math.max(x + key[d], slope * (x + key[d])) * (v ? v[d] : 1));
    }
    if (score === "concat_relu" || score === "concat_linear") {
      const weight = this.rowOf("weight", score === "concat_linear" ? j : 0, query.length + key.length);
      const both = new Float32Array(query.length + key.length);
      query.forEach((x, d) => (both[d] = x * weight[d]));
      key.forEach((x, d) => (both[query.length + d] = x * weight[query.length + d]));
      return both;
    }
    if (score === "squared_distance" || score === "inverse_distance") {
      return query.map((x, d) => (x - key[d]) ** 2);
    }
    if (score === "cosine") {
      const length = norm(query) * norm(key) || 1;
      return query.map((x, d) => (x * key[d]) / length);
    }
    return query.map((x, d) => x * key[d]);
  }

  private summed(elements: Float32Array, j: number): number {
    let sum = 0;
    for (const x of elements) sum += x;
    switch (this.stored.score) {
      case "squared_distance":
        return -sum;
      case "inverse_distance":
        return 1 / (1 + Math.sqrt(sum + (this.stored.numbers["eps"] ?? 0)));
      case "concat_relu":
        return Math.max(0, sum);
      case "cosine":
        return sum * this.stored.scale;
      case "concat_linear":
        return sum + (this.parameter("bias")?.[j] ?? 0);
      default:
        return DOTTED.has(this.stored.score) ? sum * this.stored.scale : sum;
    }
  }

  private rowOf(name: string, row: number, width: number): Float32Array {
    const parameter = this.parameter(name);
    return parameter ? parameter.subarray(row * width, (row + 1) * width) : new Float32Array(width);
  }

  /** The query seen from the key's space, `Wᵀ q`. */
  bilinear(query: Float32Array): Float32Array {
    const weight = this.parameter("weight");
    if (!weight) return query;
    const width = this.stored.key.shape[2];
    const seen = new Float32Array(width);
    for (let a = 0; a < query.length; a++) for (let b = 0; b < width; b++) seen[b] += query[a] * weight[a * width + b];
    return seen;
  }

  /** A score taken apart. */
  terms(head: number, i: number, j: number): Terms {
    const each = this.elements(head, i, j);
    let sum = 0;
    for (const x of each) sum += x;
    return {
      query: this.query(head, i), key: this.key(head, j), each, sum,
      bias: this.bias(head, i, j), score: this.scores(head, i)[j], open: this.isOpen(head, i, j),
    };
  }

  /** Close what the mask closes, the run's own or another. */
  masked(head: number, i: number, scores: Float32Array, change: Change = AS_IT_RAN): Float32Array {
    const offset = this.keys - this.rows;
    const own = change.mask === "own";
    if (own && this.stored.mask.kind === "all") return scores;
    for (let j = 0; j < scores.length; j++) {
      const open = own ? this.isOpen(head, i, j)
        : change.mask === "causal" ? j <= i + offset
        : change.mask === "window" ? Math.abs(i + offset - j) <= change.window
        : true;
      if (!open) scores[j] = -Infinity;
    }
    return scores;
  }

  weights(head: number, i: number, change: Change = AS_IT_RAN): Float32Array {
    return this.normalized(head, i, this.masked(head, i, this.scores(head, i), change), change);
  }

  /** Weights of masked scores. */
  normalized(head: number, i: number, scores: Float32Array, change: Change = AS_IT_RAN): Float32Array {
    const name = change.normalizer ?? this.stored.normalizer;
    const numbers = this.numbers(head, change);
    return name === "local_gaussian" ? this.gaussian(head, i, scores, numbers) : normalize(name, scores, numbers);
  }

  /** Where a query of a predictive local attention looks, as a number of keys. */
  center(head: number, i: number): number {
    const center = this.parameter("center");
    if (!center) return 0;
    const rows = center.length >= this.heads * this.rows ? head * this.rows : 0;
    return center[Math.min(center.length - 1, rows + i)];
  }

  private gaussian(head: number, i: number, scores: Float32Array, numbers: Numbers): Float32Array {
    const center = this.center(head, i);
    const { sigma = 1, window } = numbers;
    if (window !== undefined) scores.forEach((_, j) => Math.abs(j - center) > window && (scores[j] = -Infinity));
    const weights = normalize("softmax", scores, { temperature: numbers["temperature"] ?? 1 });
    return weights.map((w, j) => w * Math.exp(-((j - center) ** 2) / (2 * sigma * sigma)));
  }

  numbers(head: number, change: Change = AS_IT_RAN): Numbers {
    const { numbers } = this.stored;
    const sink = numbers[`sink_${head}`] ?? numbers["sink"];
    const known: Numbers = { ...numbers, temperature: (numbers["temperature"] ?? 1) * change.temperature };
    if (sink !== undefined) known["sink"] = sink;
    const alpha = numbers[`alpha_${head}`];
    if (alpha !== undefined) known["alpha"] = alpha;
    if (change.normalizer === "entmax") known["alpha"] = change.alpha;
    return known;
  }
}

export function norm(vector: Float32Array): number {
  let sum = 0;
  for (const x of vector) sum += x * x;
  return Math.sqrt(sum);
}
