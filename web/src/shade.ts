import type { Field } from "./field";
import type { State } from "./state";

/** From a weight to a place in the palette, 0 to 255, as scale and normalization say. */
export interface Shade {
  of(weight: number, i: number, j: number): number;
  low: number;
  high: number;
}

const DECADES = 4;

/** The shades for a field, given the numbers that it is measured by. */
export function shadeOf(
  field: Field,
  scale: State["scale"],
  peak: number,
  rows: ArrayLike<number> | null,
  columns: ArrayLike<number> | null,
  sorted: Float32Array | null,
): Shade {
  const divide = (i: number, j: number) => (rows ? rows[i] : columns ? columns[j] : peak) || 1;
  if (field.signed) {
    return { of: (w, i, j) => 127.5 + 127.5 * signed(w / divide(i, j), scale), low: -peak, high: peak };
  }
  if (scale === "rank" && sorted) {
    return { of: (w) => (w <= 0 ? 0 : (255 * below(sorted, w)) / sorted.length), low: 0, high: peak };
  }
  return { of: (w, i, j) => 255 * share(w / divide(i, j), scale), low: 0, high: rows || columns ? 1 : peak };
}

/** A share of the largest weight, as a share of the palette. */
export function share(x: number, scale: State["scale"]): number {
  if (!(x > 0)) return 0;
  if (x >= 1) return 1;
  if (scale === "sqrt") return Math.sqrt(x);
  if (scale === "log") return Math.max(0, 1 + Math.log10(x) / DECADES);
  return x;
}

function signed(x: number, scale: State["scale"]): number {
  return Math.sign(x) * share(Math.abs(x), scale === "rank" ? "sqrt" : scale);
}

function below(sorted: Float32Array, weight: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < weight) low = middle + 1;
    else high = middle;
  }
  return low;
}
