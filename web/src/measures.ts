import type { Layer } from "./layer";
import type { Axis } from "./field";
import { isSpecial } from "./tokens";

/** What a head does, in a few numbers, and the words that they amount to. */
export interface Measures {
  entropy: number;
  distance: number;
  first: number;
  tags: string[];
}

/** Measure a head, by some of its rows, evenly spread. */
export function measured(layer: Layer, head: number, k: Axis): Measures {
  const same = layer.stored.kind === "self" && layer.rows === layer.keys;
  const separators = k.tokens.map((token, j) => j > 0 && isSpecial(token));
  const looked = layer.isWhole ? 128 : layer.rows > 2048 ? 16 : 48;
  const step = Math.max(1, Math.floor(layer.rows / looked));
  const sums = { entropy: 0, distance: 0, first: 0, previous: 0, next: 0, self: 0, special: 0, local: 0, rows: 0, broad: 0 };
  for (let i = 0; i < layer.rows; i += step) {
    const row = layer.row(head, i);
    let total = 0;
    for (const w of row) total += Math.abs(w);
    if (!(total > 0)) continue;
    sums.rows++;
    let entropy = 0;
    let open = 0;
    for (let j = 0; j < row.length; j++) {
      const share = Math.abs(row[j]) / total;
      if (share <= 0) continue;
      open++;
      entropy -= share * Math.log2(share);
      const distance = Math.abs(i - j);
      sums.distance += share * distance;
      if (distance <= 3) sums.local += share;
      if (separators[j]) sums.special += share;
    }
    sums.entropy += entropy;
    sums.broad += open > 1 ? entropy / Math.log2(open) : 0;
    sums.first += Math.abs(row[0]) / total;
    if (same) {
      sums.self += Math.abs(row[i]) / total;
      if (i > 0) sums.previous += Math.abs(row[i - 1]) / total;
      if (i + 1 < row.length) sums.next += Math.abs(row[i + 1]) / total;
    }
  }
  const n = Math.max(1, sums.rows);
  const tags: string[] = [];
  if (same) {
    if (sums.previous / n > 0.4) tags.push("previous");
    if (sums.next / n > 0.4) tags.push("next");
    if (sums.self / n > 0.4) tags.push("diagonal");
  }
  if (sums.first / n > 0.4) tags.push("sink");
  if (sums.special / n > 0.4) tags.push("separator");
  if (!tags.length && layer.keys > 12 && same && sums.local / n > 0.6) tags.push("local");
  if (!tags.length && layer.rows > 2 && sums.broad / n > 0.85) tags.push("broad");
  return { entropy: sums.entropy / n, distance: sums.distance / n, first: sums.first / n, tags };
}
