import { h, said } from "./dom";
import { t, has } from "./i18n";
import type { Pooled } from "./layer";
import { measured, type Measures } from "./measures";
import type { Doc } from "./model";
import { lut } from "./palette";
import { share } from "./shade";
import type { State } from "./state";

interface Cell {
  layer: number;
  head: number;
}

const GAP = 3;
const LABEL = 22;

/** All layers by all heads, each a small picture of its matrix. */
export class Grid {
  readonly canvas = h("canvas", { class: "grid", tabindex: "-1" });
  readonly element: HTMLElement;
  private readonly tip = h("div", { class: "tip", hidden: true });
  private readonly thumbs = new Map<Doc, Map<number, (head: number) => Pooled>>();
  private readonly pictures = new Map<string, HTMLCanvasElement>();
  readonly measures = new Map<Doc, Map<number, Measures[]>>();
  private doc: Doc | null = null;
  private state: State | null = null;
  private dark = false;
  private places: (Cell & { x: number; y: number; size: number })[] = [];
  private found: Map<string, number> | null = null;

  constructor(private readonly pick: (cell: Cell) => void) {
    this.element = h("div", { class: "grid-box" }, this.canvas, this.tip);
    this.canvas.addEventListener("click", (event) => {
      const cell = this.at(event);
      if (cell) this.pick(cell);
    });
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", () => (this.tip.hidden = true));
  }

  /** Show the stack that is chosen; pictures come in as they are read. */
  show(doc: Doc, state: State, dark: boolean, found: Map<string, number> | null): void {
    this.state = state;
    this.dark = dark;
    this.found = found;
    this.doc = doc;
    if (!this.thumbs.has(doc)) {
      this.thumbs.set(doc, new Map());
      this.measures.set(doc, new Map());
      void this.fetch(doc);
    }
    this.draw();
    this.reveal();
  }

  /** Scroll to the chosen head, where it went out of sight. */
  private reveal(): void {
    const place = this.places.find(({ layer, head }) => String(layer) === this.state!.layer && String(head) === this.state!.head);
    if (!place) return;
    const { scrollTop, clientHeight } = this.element;
    if (place.y < scrollTop || place.y + place.size > scrollTop + clientHeight) this.element.scrollTop = place.y - clientHeight / 2;
  }

  private async fetch(doc: Doc): Promise<void> {
    const known = this.thumbs.get(doc)!;
    const measures = this.measures.get(doc)!;
    for (const [number, layer] of doc.layers.entries()) {
      known.set(number, await layer.thumb());
      if (this.doc === doc) this.draw();
    }
    for (const [number, layer] of doc.layers.entries()) {
      if (!layer.hasRows) continue;
      await layer.load();
      const found: Measures[] = [];
      for (let head = 0; head < layer.heads; head++) {
        found.push(measured(layer, head, doc.axes[layer.stored.k]));
        await new Promise((done) => setTimeout(done));
      }
      measures.set(number, found);
    }
    this.element.dispatchEvent(new CustomEvent("measured", { bubbles: true }));
  }

  tags(doc: Doc, layer: number, head: number): string[] {
    const given = doc.stored.tags.filter(([l, n]) => l === layer && n === head).flatMap(([, , words]) => words);
    if (given.length) return given;
    const found = this.measures.get(doc)?.get(layer)?.[head]?.tags ?? [];
    return found.map((tag) => (has(`tag_${tag}`) ? t(`tag_${tag}` as "tag_broad") : tag));
  }

  private order(doc: Doc, state: State): Cell[] {
    const cells = doc.stacks[state.stack].layers.flatMap((layer) =>
      Array.from({ length: doc.layers[layer].heads }, (_, head) => ({ layer, head })));
    const value = ({ layer, head }: Cell): number => {
      if (state.sort === "found") return -(this.found?.get(`${layer} ${head}`) ?? -1);
      if (state.sort === "effect") return -Math.abs(doc.stored.effects?.values[layer]?.[head] ?? 0);
      const known = this.measures.get(doc)?.get(layer)?.[head];
      if (!known) return Infinity;
      if (state.sort === "entropy") return known.entropy;
      if (state.sort === "distance") return known.distance;
      return -known.first;
    };
    return state.sort === "layer" ? cells : cells.sort((a, b) => value(a) - value(b));
  }

  /** Forget all documents: others will be shown. */
  forget(): void {
    for (const known of [this.thumbs, this.measures, this.pictures]) known.clear();
  }

  redraw(): void {
    this.draw();
  }

  private draw(): void {
    const { doc, state } = this;
    const width = this.element.clientWidth;
    if (!doc || !state || !width) return;
    const cells = this.order(doc, state);
    const byLayer = state.sort === "layer";
    const layers = doc.stacks[state.stack].layers;
    const heads = Math.max(...layers.map((layer) => doc.layers[layer].heads));
    const beside = byLayer ? heads : Math.max(1, Math.floor(width / 30));
    const size = Math.max(9, Math.min(56, Math.floor((width - LABEL - 2) / beside) - GAP));
    const columns = byLayer ? beside : Math.max(1, Math.floor((width - 2) / (size + GAP)));
    const top = byLayer ? 16 : 2;
    const left = byLayer ? LABEL : 2;
    const lines = byLayer ? layers.length : Math.ceil(cells.length / columns);
    const height = top + lines * (size + GAP) + 2;
    const ratio = Math.min(2, globalThis.devicePixelRatio || 1);
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.height = `${height}px`;
    const pen = this.canvas.getContext("2d")!;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const style = getComputedStyle(this.element);
    const color = (name: string) => style.getPropertyValue(name).trim();
    this.places = cells.map((cell, n) => {
      const row = byLayer ? layers.indexOf(cell.layer) : Math.floor(n / columns);
      const column = byLayer ? cell.head : n % columns;
      return { ...cell, x: left + column * (size + GAP), y: top + row * (size + GAP), size };
    });
    const effects = doc.stored.effects;
    const most = Math.max(1e-9, ...(effects?.values.flat().map((v) => Math.abs(v ?? 0)) ?? []));
    for (const { layer, head, x, y } of this.places) {
      const faint = this.found !== null && !this.found.has(`${layer} ${head}`);
      pen.globalAlpha = faint ? 0.18 : 1;
      const picture = this.picture(doc, layer, head, Math.round(size * ratio));
      pen.imageSmoothingEnabled = false;
      if (picture) pen.drawImage(picture, x, y, size, size);
      else {
        pen.fillStyle = color("--faint");
        pen.fillRect(x, y, size, size);
      }
      const effect = effects?.values[layer]?.[head];
      if (effect !== null && effect !== undefined) {
        pen.fillStyle = color("--effect");
        pen.fillRect(x, y + size - 3, (size * Math.abs(effect)) / most, 3);
      }
      pen.globalAlpha = 1;
      const chosen = (state.layer === String(layer) || state.layer === "mean" || state.layer === "max" || state.layer === "rollout")
        && (state.head === String(head) || state.head === "mean" || state.head === "max" || state.layer === "rollout");
      if (chosen) {
        pen.strokeStyle = color("--focus");
        pen.lineWidth = 2;
        pen.strokeRect(x - 1, y - 1, size + 2, size + 2);
      }
    }
    if (byLayer) this.labels(pen, layers, heads, size, color("--soft"));
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `${t("all_heads")}: ${layers.length} × ${heads}`);
  }

  private labels(pen: CanvasRenderingContext2D, layers: number[], heads: number, size: number, ink: string): void {
    pen.fillStyle = ink;
    pen.font = `10px ${getComputedStyle(this.element).fontFamily}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    const every = Math.max(1, Math.ceil(14 / (size + GAP)));
    for (let head = 0; head < heads; head += every) pen.fillText(String(head), LABEL + head * (size + GAP) + size / 2, 8);
    pen.textAlign = "right";
    layers.forEach((_, row) => {
      if (row % every === 0) pen.fillText(String(row), LABEL - 5, 16 + row * (size + GAP) + size / 2);
    });
  }

  private picture(doc: Doc, layer: number, head: number, side: number): HTMLCanvasElement | null {
    const thumb = this.thumbs.get(doc)?.get(layer);
    if (!thumb) return null;
    const key = `${doc.stored.first_block} ${layer} ${head} ${this.state!.palette} ${this.dark} ${side}`;
    let picture = this.pictures.get(key);
    if (!picture) {
      const { rows, columns, values } = shrunk(thumb(head), side);
      picture = h("canvas", { width: Math.max(1, columns), height: Math.max(1, rows) });
      if (rows && columns) picture.getContext("2d")!.putImageData(painted(values, columns, rows, this.state!, this.dark), 0, 0);
      if (this.pictures.size > 4000) this.pictures.clear();
      this.pictures.set(key, picture);
    }
    return picture;
  }

  private at(event: MouseEvent): Cell | null {
    const bounds = this.canvas.getBoundingClientRect();
    const x = event.clientX - bounds.left;
    const y = event.clientY - bounds.top;
    return this.places.find((p) => x >= p.x && y >= p.y && x < p.x + p.size + GAP && y < p.y + p.size + GAP) ?? null;
  }

  private point(event: PointerEvent): void {
    const cell = this.at(event);
    this.canvas.style.cursor = cell ? "pointer" : "";
    this.tip.hidden = !cell || event.pointerType === "touch";
    if (!cell || !this.doc) return;
    const stack = this.doc.stacks[this.doc.stackOf(cell.layer)];
    const known = this.measures.get(this.doc)?.get(cell.layer)?.[cell.head];
    const effect = this.doc.stored.effects?.values[cell.layer]?.[cell.head];
    const found = this.found?.get(`${cell.layer} ${cell.head}`);
    this.tip.replaceChildren(
      h("b", { text: `${t("layer")} ${stack.layers.indexOf(cell.layer)} · ${t("head")} ${cell.head}` }),
      ...this.tags(this.doc, cell.layer, cell.head).map((tag) => h("em", { text: tag })),
      ...(known ? [
        h("small", { text: t("mean_entropy", { value: said(known.entropy, 2) }) }),
        h("small", { text: t("mean_distance", { value: said(known.distance, 1) }) }),
        h("small", { text: t("sink_mass", { value: said(known.first, 2) }) }),
      ] : []),
      ...(effect != null ? [h("small", { text: `${this.doc.stored.effects!.name}: ${said(effect, 3)}` })] : []),
      ...(found !== undefined && found >= 0 ? [h("small", { text: `${t("weight")} ${said(found, 3)}` })] : []),
    );
    const bounds = this.element.getBoundingClientRect();
    const x = Math.min(event.clientX - bounds.left + 12, bounds.width - 150);
    this.tip.style.transform = `translate(${Math.max(0, x)}px, ${event.clientY - bounds.top + 14}px)`;
  }
}

/** A picture of at most so many rows and columns, of each tile its largest weight. */
export function shrunk({ rows, columns, values }: Pooled, side: number): Pooled {
  if (rows <= side && columns <= side) return { rows, columns, values };
  const high = Math.min(rows, side);
  const wide = Math.min(columns, side);
  const small = new Float32Array(high * wide);
  for (let i = 0; i < rows; i++) {
    const at = Math.floor((i * high) / rows) * wide;
    for (let j = 0; j < columns; j++) {
      const place = at + Math.floor((j * wide) / columns);
      if (Math.abs(values[i * columns + j]) > Math.abs(small[place])) small[place] = values[i * columns + j];
    }
  }
  return { rows: high, columns: wide, values: small };
}

export function painted(values: Float32Array, columns: number, rows: number, state: State, dark: boolean): ImageData {
  const image = new ImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  const table = lut(state.palette, dark);
  // A head that looks everywhere alike is pale, not dark all over.
  let peak = Math.min(1, 2.5 / Math.max(1, columns));
  for (const value of values) if (Math.abs(value) > peak) peak = Math.abs(value);
  for (let n = 0; n < values.length; n++) pixels[n] = table[Math.round(255 * share(Math.abs(values[n]) / peak, "sqrt"))];
  return image;
}
