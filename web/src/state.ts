import type { Level } from "./field";
import { AS_IT_RAN, type Change } from "./parts";
import { PALETTES, type PaletteName } from "./palette";

export type ViewName = "lines" | "matrix" | "text" | "picture" | "compare";
export type PanelName = "row" | "steps" | "if" | "ask";

export interface State {
  /** Which document: an epoch of a film, one of two that are compared. */
  doc: number;
  stack: number;
  /** A layer's number, or "mean", "max", "rollout", "m0" for the first further matrix. */
  layer: string;
  /** A head's number, or "mean", "max". */
  head: string;
  q: number;
  k: number;
  view: ViewName;
  panel: PanelName;
  /** What is taken together: nothing, words, sentences. */
  merge: Level;
  byNorm: boolean;
  scale: "linear" | "sqrt" | "log" | "rank";
  norm: "none" | "row" | "column";
  palette: PaletteName;
  sort: string;
  search: string;
  toward: "from" | "to";
  change: Change;
  /** What is compared with; "same" is the layer or head that is chosen. */
  other: { doc: number; layer: string; head: string };
  /** Heads drawn together as lines; empty is the chosen one. */
  heads: number[];
  theme: "" | "light" | "dark";
}

export const START: State = {
  doc: 0, stack: 0, layer: "0", head: "0", q: 0, k: -1, view: "lines", panel: "row",
  merge: "tokens", byNorm: false, scale: "sqrt", norm: "none", palette: "ink", sort: "layer", search: "",
  toward: "from", change: AS_IT_RAN, other: { doc: 0, layer: "same", head: "1" }, heads: [], theme: "",
};

type Listener = (state: State, changed: ReadonlySet<keyof State>) => void;

export class Store {
  private listeners: Listener[] = [];

  constructor(public state: State) {}

  set(patch: Partial<State>): void {
    const changed = new Set<keyof State>();
    for (const name of Object.keys(patch) as (keyof State)[]) {
      if (this.state[name] !== patch[name]) changed.add(name);
    }
    if (!changed.size) return;
    this.state = { ...this.state, ...patch };
    for (const listener of this.listeners) listener(this.state, changed);
  }

  listen(listener: Listener): void {
    this.listeners.push(listener);
  }
}

const VIEWS: ViewName[] = ["lines", "matrix", "text", "picture", "compare"];

/** `#layer=3&head=5&q=7`: what a link says. */
export function written(state: State): string {
  const words = new URLSearchParams();
  if (state.doc) words.set("doc", String(state.doc));
  words.set("layer", state.layer);
  words.set("head", state.head);
  words.set("q", String(state.q));
  if (state.k >= 0) words.set("k", String(state.k));
  if (state.view !== START.view) words.set("view", state.view);
  if (state.merge !== "tokens") words.set("merge", state.merge);
  if (state.scale !== START.scale) words.set("scale", state.scale);
  if (state.palette !== START.palette) words.set("colors", state.palette);
  return `#${words}`;
}

/** What a link says, as far as it can be so; nothing in it is trusted. */
export function read(hash: string): Partial<State> {
  const words = new URLSearchParams(hash.replace(/^#/, ""));
  const patch: Partial<State> = {};
  const whole = (name: string) => {
    const text = words.get(name);
    return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null;
  };
  const layer = words.get("layer");
  const head = words.get("head");
  if (layer !== null && /^(\d{1,6}|mean|max|rollout|m\d{1,3})$/.test(layer)) patch.layer = layer;
  if (head !== null && /^(\d{1,6}|mean|max)$/.test(head)) patch.head = head;
  for (const name of ["doc", "q", "k"] as const) {
    const number = whole(name);
    if (number !== null) patch[name] = number;
  }
  const view = VIEWS.find((name) => name === words.get("view"));
  if (view) patch.view = view;
  const merge = (["words", "sentences"] as const).find((name) => name === words.get("merge"));
  if (merge) patch.merge = merge;
  const scale = (["linear", "sqrt", "log", "rank"] as const).find((name) => name === words.get("scale"));
  if (scale) patch.scale = scale;
  const palette = PALETTES.find((name) => name === words.get("colors"));
  if (palette) patch.palette = palette;
  return patch;
}
