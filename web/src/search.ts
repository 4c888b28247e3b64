import type { Axis } from "./field";
import type { Grid } from "./grid";
import type { Doc } from "./model";
import { visible } from "./tokens";

export interface Found {
  /** What each head found has, by "layer head"; -1 where it was found by its tag. */
  heads: Map<string, number>;
  q: number | null;
  k: number | null;
  problem: "token" | "none" | null;
}

/** Heads by a word among their tags, or by how much one token attends to another: `cat -> sat`. */
export async function searched(text: string, doc: Doc, grid: Grid, stack: number, least = 0.1): Promise<Found> {
  const heads = new Map<string, number>();
  const arrow = text.split(/\s*(?:->|→|=>)\s*/);
  const layers = doc.stacks[stack].layers;
  if (arrow.length === 2 && arrow[0] && arrow[1]) {
    const { q: rows, k: keys } = doc.stacks[stack];
    const q = placesOf(doc.axes[rows], arrow[0]);
    const k = placesOf(doc.axes[keys], arrow[1]);
    if (!q.length || !k.length) return { heads, q: null, k: null, problem: "token" };
    for (const number of layers) {
      const layer = doc.layers[number];
      await layer.load();
      for (let head = 0; head < layer.heads; head++) {
        let most = 0;
        for (const i of q) {
          const row = layer.row(head, i);
          for (const j of k) most = Math.max(most, Math.abs(row[j]));
        }
        if (most >= least) heads.set(`${number} ${head}`, most);
      }
    }
    return { heads, q: q[0], k: k[0], problem: heads.size ? null : "none" };
  }
  const wanted = text.trim().toLowerCase();
  for (const number of layers) {
    for (let head = 0; head < doc.layers[number].heads; head++) {
      if (grid.tags(doc, number, head).some((tag) => tag.toLowerCase().includes(wanted))) heads.set(`${number} ${head}`, -1);
    }
  }
  return { heads, q: null, k: null, problem: heads.size ? null : "none" };
}

/** Where a token is: by its number, as it is, or as it is shown. At most 50 places. */
function placesOf(axis: Axis, text: string): number[] {
  const wanted = text.trim().toLowerCase();
  if (/^\d+$/.test(wanted) && Number(wanted) < axis.tokens.length && !axis.tokens.includes(wanted)) return [Number(wanted)];
  const found: number[] = [];
  const plain = (token: string) => token.toLowerCase().replace(/^(##|Ġ|▁)/, "");
  axis.tokens.forEach((token, n) => {
    if (found.length < 50 && (token === text || plain(token) === wanted || visible(token).toLowerCase() === wanted)) found.push(n);
  });
  return found;
}
