import { readHalf } from "../blocks";
import type { ReadBlock, Single } from "../document";
import type { StoredCoder } from "./coder";
import type { Weights } from "./rnnsearch";
import type { Matrix } from "./tensors";

/** A network that a document carries: its tensors by their names in Python, and its coder. */
export interface StoredNetwork {
  kind: "rnnsearch";
  coder: StoredCoder;
  tensors: Record<string, Single>;
  /** Texts to begin with. */
  examples: string[];
}

/** Read all tensors; stacks of several cells are given out cell by cell. */
export async function readWeights(stored: StoredNetwork, read: ReadBlock): Promise<Weights> {
  const names = Object.keys(stored.tensors);
  const numbers = await Promise.all(names.map((name) => readHalf(read, stored.tensors[name])));
  const known = new Map(names.map((name, n) => [name, numbers[n]]));
  const of = (name: string, cell: number | undefined, width: number): Float32Array => {
    const all = known.get(name);
    if (!all) throw new Error(`the page lacks the tensor ${name}`);
    const size = cell === undefined ? all.length : all.length / stored.tensors[name].shape[0];
    if (size % width) throw new Error(`the tensor ${name} does not have rows of ${width}`);
    return cell === undefined ? all : all.subarray(cell * size, (cell + 1) * size);
  };
  return {
    matrix(name, cell): Matrix {
      const columns = stored.tensors[name].shape.at(-1)!;
      const part = of(name, cell, columns);
      return { rows: part.length / columns, columns, numbers: part };
    },
    vector: (name, cell) => of(name, cell, 1),
  };
}
