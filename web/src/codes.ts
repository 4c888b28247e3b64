import type { Coded } from "./document";

/** The weight of every code of one head: regard/view/codes.py, read backwards. */
export function tableOf(coded: Coded, head: number): Float32Array {
  const table = new Float32Array(256);
  const peak = coded.peaks[Math.min(head, coded.peaks.length - 1)];
  const zero = coded.signed ? 128 : 0;
  for (let code = 0; code < 256; code++) {
    const share = (code - zero) / coded.levels;
    table[code] = Math.sign(share) * share * share * peak;
  }
  return table;
}
