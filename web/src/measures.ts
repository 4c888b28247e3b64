import type { Layer } from "./layer";
import type { Axis } from "./field";
import { isSpecial } from "./tokens";

/** What a head does, in a few numbers, and the tags that they amount to, the surest first. */
export interface Measures {
  entropy: number;
  distance: number;
  first: number;
  tags: string[];
}

/** From which mean on a head has a tag, as in regard/explain/tags.py. */
const THRESHOLDS: Record<string, number> = {
  previous: 0.4, next: 0.4, self: 0.4, sink: 0.5, separator: 0.5, broad: 0.8, block: 0.6, induction: 0.4, duplicate: 0.4,
};

/** What is known of the tokens of an axis: where each stood before, and in which segment it is. */
interface Known {
  earlier: number[][];
  segment: number[];
  separators: number[];
}

const MOST_EARLIER = 64;
const known = new WeakMap<Axis, Known>();

function knownOf(axis: Axis): Known {
  let found = known.get(axis);
  if (found) return found;
  const places = new Map<string, number[]>();
  found = { earlier: [], segment: [], separators: [] };
  let segment = 0;
  axis.tokens.forEach((token, j) => {
    const before = places.get(token) ?? [];
    found!.earlier.push(before.slice(-MOST_EARLIER));
    before.push(j);
    places.set(token, before);
    found!.segment.push(segment);
    if (j > 0 && isSpecial(token)) {
      found!.separators.push(j);
      segment++;
    }
  });
  known.set(axis, found);
  return found;
}

class Mean {
  private sum = 0;
  private count = 0;

  add(value: number): void {
    this.sum += value;
    this.count++;
  }

  get value(): number {
    return this.count ? this.sum / this.count : 0;
  }
}

/** Measure a head, by some of its rows, evenly spread. */
export function measured(layer: Layer, head: number, k: Axis): Measures {
  const same = layer.stored.kind === "self" && layer.rows === layer.keys;
  const { earlier, segment, separators } = knownOf(k);
  const looked = layer.isWhole ? 128 : layer.rows > 2048 ? 16 : 48;
  const step = Math.max(1, Math.floor(layer.rows / looked));
  const entropies = new Mean();
  const distances = new Mean();
  const first = new Mean();
  const scores: Record<string, Mean> = Object.fromEntries(Object.keys(THRESHOLDS).map((name) => [name, new Mean()]));
  for (let i = 0; i < layer.rows; i += step) {
    const row = shares(layer.row(head, i));
    if (!row) continue;
    const whole = entropy(row, () => true);
    entropies.add(whole.bits);
    distances.add(row.reduce((sum, w, j) => sum + w * Math.abs(i - j), 0));
    first.add(row[0]);
    if (whole.open > 1) scores["broad"].add(whole.bits / Math.log2(whole.open));
    if (!same || i > 0) scores["sink"].add(row[0]);
    if (separators.length && !(same && separators.includes(i))) scores["separator"].add(separators.reduce((sum, j) => sum + row[j], 0));
    if (!same) continue;
    if (i > 0) scores["previous"].add(row[i - 1]);
    if (i > 0) scores["self"].add(row[i]);
    if (i + 1 < row.length) scores["next"].add(row[i + 1]);
    if (earlier[i].length) {
      scores["duplicate"].add(earlier[i].reduce((sum, j) => sum + row[j], 0));
      const after = earlier[i].filter((j) => j + 1 < i);
      if (after.length) scores["induction"].add(after.reduce((sum, j) => sum + row[j + 1], 0));
    }
    const inside = entropy(row, (j) => segment[j] === segment[i]);
    if (inside.open > 1 && inside.open < whole.open) {
      scores["block"].add(inside.mass * (inside.bits / Math.log2(inside.open)));
    }
  }
  const tags = Object.entries(scores)
    .filter(([name, mean]) => layer.rows > 2 && mean.value > THRESHOLDS[name])
    .sort(([, a], [, b]) => b.value - a.value)
    .map(([name]) => name);
  return { entropy: entropies.value, distance: distances.value, first: first.value, tags };
}

function shares(row: Float32Array): Float32Array | null {
  let total = 0;
  for (const w of row) total += Math.abs(w);
  return total > 0 ? row.map((w) => Math.abs(w) / total) : null;
}

/** Of some weights of a row: their mass, how many they are, and the entropy of what they share. */
function entropy(row: Float32Array, counts: (j: number) => boolean): { bits: number; mass: number; open: number } {
  let mass = 0;
  let open = 0;
  let sum = 0;
  for (let j = 0; j < row.length; j++) {
    if (row[j] <= 0 || !counts(j)) continue;
    open++;
    mass += row[j];
    sum -= row[j] * Math.log2(row[j]);
  }
  return { bits: mass > 0 ? sum / mass + Math.log2(mass) : 0, mass, open };
}
