import { css, lut, type Lut } from "./palette";
import { h, said, sized } from "./dom";
import type { Field } from "./field";
import { t } from "./i18n";
import { shadeOf, type Shade } from "./shade";
import type { State } from "./state";
import { isSpecial, visible } from "./tokens";

const EXACT_CELLS = 1_100_000;
/** Rows that are computed one by one where the whole matrix is not there. */
const MOST_ROWS = 520;
const SLICE_MS = 12;
const SMALLEST_NAME = 13;

export interface Picked {
  q: number;
  k: number;
}

interface Window {
  top: number;
  bottom: number;
  left: number;
  right: number;
}

/** A matrix as a picture with axes: zoom, pan, a crosshair, and the number under the pointer. */
export class Heat {
  readonly element: HTMLElement;
  readonly canvas = h("canvas", { class: "heat", role: "img" });
  private readonly layer = h("canvas", { class: "over" });
  private readonly tip = h("div", { class: "tip", hidden: true });
  private readonly note = h("div", { class: "note" });
  private readonly area: HTMLElement;
  private field: Field | null = null;
  private state: State | null = null;
  private dark = false;
  private window: Window = { top: 0, bottom: 1, left: 0, right: 1 };
  private margin = { left: 80, top: 60 };
  private values: Float32Array | null = null;
  private filled = 0;
  private run = 0;
  private looks = "";
  private shade: Shade | null = null;
  private rowPeaks: Float32Array | null = null;
  private columnPeaks: Float32Array | null = null;
  private sorted: Float32Array | null = null;
  private peak = 0;
  private hover: Picked | null = null;
  private fixedPeak: number | null = null;

  constructor(
    private readonly pick: (picked: Picked) => void,
    private readonly hovered: (picked: Picked | null) => void = () => undefined,
  ) {
    this.area = h("div", { class: "heat-area" }, this.canvas, this.layer, this.tip);
    this.element = h("div", { class: "heat-box" }, this.area, this.note);
    this.listen();
  }

  /** Draw a field; `peak` is what the darkest shade stands for, its own largest weight if null. */
  async show(field: Field, state: State, dark: boolean, peak: number | null = null): Promise<void> {
    const same = this.field === field;
    const looks = JSON.stringify([state.scale, state.norm, state.palette, dark, peak, this.element.clientWidth]);
    if (same && looks === this.looks && this.shade && (this.filled === this.rows || this.rows * this.columns > EXACT_CELLS)) {
      this.state = state;
      this.names();
      this.overlay();
      return;
    }
    this.looks = looks;
    const run = ++this.run;
    this.state = state;
    this.dark = dark;
    this.fixedPeak = peak;
    this.canvas.setAttribute("aria-label", t("view_matrix"));
    if (!same) {
      const sized = this.field && this.rows === field.q.tokens.length && this.columns === field.k.tokens.length;
      this.field = field;
      this.values = null;
      this.filled = 0;
      if (!sized) this.window = { top: 0, bottom: field.q.tokens.length, left: 0, right: field.k.tokens.length };
      await field.load();
      if (run !== this.run) return;
    }
    if (!this.values && this.rows * this.columns <= EXACT_CELLS) await this.read(run);
    if (run !== this.run) return;
    this.measure();
    this.draw();
  }

  get largest(): number {
    return this.peak;
  }

  redraw(): void {
    if (this.field && this.state) this.draw();
  }

  private get rows(): number {
    return this.field?.q.tokens.length ?? 0;
  }

  private get columns(): number {
    return this.field?.k.tokens.length ?? 0;
  }

  /** Read the rows in slices, so that nothing waits for the last one. */
  private async read(run: number): Promise<void> {
    const field = this.field!;
    const values = new Float32Array(this.rows * this.columns);
    let began = performance.now();
    for (let i = 0; i < this.rows; i++) {
      values.set(field.row(i), i * this.columns);
      if (performance.now() - began > 4 * SLICE_MS) {
        this.values = values;
        this.filled = i + 1;
        this.measure();
        this.draw();
        await new Promise((done) => setTimeout(done));
        if (run !== this.run) {
          this.values = null;
          return;
        }
        began = performance.now();
      }
    }
    this.values = values;
    this.filled = this.rows;
  }

  private measure(): void {
    const { values, rows, columns } = this;
    const state = this.state!;
    this.rowPeaks = this.columnPeaks = this.sorted = null;
    let peak = 0;
    if (values) {
      for (const value of values) if (Math.abs(value) > peak) peak = Math.abs(value);
      if (state.norm === "row") this.rowPeaks = new Float32Array(rows);
      if (state.norm === "column") this.columnPeaks = new Float32Array(columns);
      if (this.rowPeaks || this.columnPeaks) {
        for (let i = 0, at = 0; i < rows; i++) {
          for (let j = 0; j < columns; j++, at++) {
            const value = Math.abs(values[at]);
            if (this.rowPeaks && value > this.rowPeaks[i]) this.rowPeaks[i] = value;
            if (this.columnPeaks && value > this.columnPeaks[j]) this.columnPeaks[j] = value;
          }
        }
      }
      if (state.scale === "rank") this.sorted = values.filter((x) => x > 0).sort();
    } else {
      for (const value of this.field!.pooled("most")?.values ?? [1]) if (Math.abs(value) > peak) peak = Math.abs(value);
    }
    this.peak = this.field!.signed ? peak : Math.max(peak, Math.min(1, 2.5 / Math.max(1, columns)));
    this.shade = shadeOf(this.field!, state.scale, this.fixedPeak ?? this.peak, this.rowPeaks, this.columnPeaks, this.sorted);
  }

  private get box(): { width: number; height: number; cell: number } {
    const wide = Math.max(160, this.element.clientWidth - this.margin.left - 8);
    const high = Math.max(160, Math.min(globalThis.innerHeight * 0.72, 760) - this.margin.top);
    const { top, bottom, left, right } = this.window;
    const cell = Math.min(wide / (right - left), high / (bottom - top), 44);
    return { width: cell * (right - left), height: cell * (bottom - top), cell };
  }

  private draw(): void {
    if (!this.field || !this.shade) return;
    this.place();
    const { width, height } = this.box;
    const { pen, ratio } = sized(this.canvas, width + this.margin.left + 2, height + this.margin.top + 2);
    const table = lut(this.state!.palette, this.dark);
    const image = this.rastered(Math.round(width * ratio), Math.round(height * ratio), table);
    if (image) pen.putImageData(image, Math.round(this.margin.left * ratio), Math.round(this.margin.top * ratio));
    this.names();
    this.overlay();
  }

  /** Margins as wide as the names that stand in them. */
  private place(): void {
    const pen = this.canvas.getContext("2d")!;
    pen.font = font(this.area);
    const some = (tokens: string[], from: number, to: number) => {
      const step = Math.max(1, Math.floor((to - from) / 60));
      let widest = 20;
      for (let i = Math.floor(from); i < to; i += step) widest = Math.max(widest, pen.measureText(short(tokens[i] ?? "")).width);
      return Math.min(120, 0.3 * this.element.clientWidth, widest + 14);
    };
    const { top, bottom, left, right } = this.window;
    this.margin.left = some(this.field!.q.tokens, top, bottom);
    this.margin.top = some(this.field!.k.tokens, left, right);
  }

  private rastered(width: number, height: number, table: Lut): ImageData | null {
    if (width < 1 || height < 1) return null;
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const { top, bottom, left, right } = this.window;
    const exact = this.values !== null || bottom - top <= MOST_ROWS;
    const pooled = exact ? null : this.field!.pooled("most");
    this.note.textContent = pooled ? t("pooled_now") : "";
    const across = places(left, right, width, this.columns, pooled?.columns ?? this.columns);
    const down = places(top, bottom, height, this.rows, pooled?.rows ?? this.rows);
    let row: ArrayLike<number> | null = null;
    let last = -1;
    const line = new Uint32Array(width);
    const began = performance.now();
    for (let y = 0; y < height; y++) {
      const [first, end] = [down[2 * y], down[2 * y + 1]];
      if (first !== last) {
        last = first;
        row = pooled ? pooled.values.subarray(first * pooled.columns, (first + 1) * pooled.columns) : this.rowAt(first, end, began);
        this.colored(line, row, first, across, table);
      }
      if (row) pixels.set(line, y * width);
    }
    return image;
  }

  /** The row at a place, or the largest of several that share a pixel; null where time is up. */
  private rowAt(first: number, end: number, began: number): ArrayLike<number> | null {
    const { values, columns } = this;
    if (values) {
      if (first >= this.filled) return null;
      if (end <= first + 1) return values.subarray(first * columns, (first + 1) * columns);
      const most = values.slice(first * columns, (first + 1) * columns);
      for (let i = first + 1; i < Math.min(end, this.filled); i++) {
        for (let j = 0; j < columns; j++) if (Math.abs(values[i * columns + j]) > Math.abs(most[j])) most[j] = values[i * columns + j];
      }
      return most;
    }
    if (performance.now() - began > 3 * SLICE_MS && !this.ready(first)) {
      this.again();
      return null;
    }
    this.seen.add(first);
    return this.field!.row(first);
  }

  private readonly seen = new Set<number>();
  private waiting = false;

  private ready(row: number): boolean {
    return this.seen.has(row);
  }

  private again(): void {
    if (this.waiting) return;
    this.waiting = true;
    setTimeout(() => {
      this.waiting = false;
      this.draw();
    });
  }

  private colored(line: Uint32Array, row: ArrayLike<number> | null, i: number, across: Int32Array, table: Lut): void {
    if (!row) return;
    const shade = this.shade!;
    let last = -1;
    let color = 0;
    for (let x = 0; x < line.length; x++) {
      const first = across[2 * x];
      if (first !== last) {
        last = first;
        let value = row[first];
        for (let j = first + 1; j < across[2 * x + 1]; j++) if (Math.abs(row[j]) > Math.abs(value)) value = row[j];
        color = table[Math.max(0, Math.min(255, Math.round(shade.of(value, i, first))))];
      }
      line[x] = color;
    }
  }

  private names(): void {
    const { cell, width, height } = this.box;
    const pen = this.canvas.getContext("2d")!;
    pen.clearRect(0, 0, this.margin.left, this.margin.top + height + 2);
    pen.clearRect(0, 0, this.margin.left + width + 2, this.margin.top);
    const { top, bottom, left, right } = this.window;
    const style = getComputedStyle(this.area);
    const ink = style.getPropertyValue("--ink");
    const soft = style.getPropertyValue("--soft");
    pen.font = font(this.area);
    pen.textBaseline = "middle";
    const every = Math.max(1, Math.ceil(SMALLEST_NAME / cell));
    const { q, k } = this.state!;
    const draw = (tokens: string[], i: number, chosen: boolean) => {
      pen.fillStyle = chosen ? ink : isSpecial(tokens[i]) ? soft : ink;
      pen.globalAlpha = chosen ? 1 : 0.82;
      pen.font = font(this.area, chosen ? 700 : 400);
      return short(tokens[i]);
    };
    pen.save();
    pen.beginPath();
    pen.rect(0, this.margin.top - 6, this.margin.left, height + 12);
    pen.clip();
    pen.textAlign = "right";
    for (let i = Math.floor(top); i < bottom; i++) {
      if (i % every && i !== q) continue;
      const y = this.margin.top + (i + 0.5 - top) * cell;
      if (i !== q && every > 1 && Math.abs(i - q) < every) continue;
      pen.fillText(draw(this.field!.q.tokens, i, i === q), this.margin.left - 7, y, this.margin.left - 10);
    }
    pen.restore();
    pen.save();
    pen.beginPath();
    pen.rect(this.margin.left - 6, 0, width + 12, this.margin.top);
    pen.clip();
    pen.textAlign = "left";
    for (let j = Math.floor(left); j < right; j++) {
      if (j % every && j !== k) continue;
      if (j !== k && k >= 0 && every > 1 && Math.abs(j - k) < every) continue;
      pen.save();
      pen.translate(this.margin.left + (j + 0.5 - left) * cell, this.margin.top - 7);
      pen.rotate(-Math.PI / 2);
      pen.fillText(draw(this.field!.k.tokens, j, j === k), 0, 0, this.margin.top - 10);
      pen.restore();
    }
    pen.restore();
    pen.globalAlpha = 1;
  }

  private overlay(): void {
    const { width, height, cell } = this.box;
    const { pen } = sized(this.layer, width + this.margin.left + 2, height + this.margin.top + 2);
    const { top, left } = this.window;
    const style = getComputedStyle(this.area);
    pen.save();
    pen.beginPath();
    pen.rect(this.margin.left - 1, this.margin.top - 1, width + 2, height + 2);
    pen.clip();
    const { q, k } = this.state!;
    const y = this.margin.top + (q - top) * cell;
    // A frame within a frame is seen on every color.
    for (const [color, wide] of [["--paper", 3.5], ["--focus", 1.7]] as const) {
      pen.strokeStyle = style.getPropertyValue(color);
      pen.lineWidth = wide;
      pen.strokeRect(this.margin.left, y, width, Math.max(1, cell));
      if (k >= 0) pen.strokeRect(this.margin.left + (k - left) * cell, y, Math.max(2, cell), Math.max(2, cell));
    }
    if (this.hover) {
      pen.strokeStyle = style.getPropertyValue("--ink");
      pen.globalAlpha = 0.55;
      pen.lineWidth = 1;
      const hx = this.margin.left + (this.hover.k + 0.5 - left) * cell;
      const hy = this.margin.top + (this.hover.q + 0.5 - top) * cell;
      pen.beginPath();
      pen.moveTo(hx, this.margin.top);
      pen.lineTo(hx, this.margin.top + height);
      pen.moveTo(this.margin.left, hy);
      pen.lineTo(this.margin.left + width, hy);
      pen.stroke();
    }
    pen.restore();
  }

  private at(event: { clientX: number; clientY: number }): Picked | null {
    const bounds = this.canvas.getBoundingClientRect();
    const { cell } = this.box;
    const q = Math.floor((event.clientY - bounds.top - this.margin.top) / cell + this.window.top);
    const k = Math.floor((event.clientX - bounds.left - this.margin.left) / cell + this.window.left);
    const inside = q >= 0 && k >= 0 && q < this.rows && k < this.columns;
    return inside && event.clientX - bounds.left > this.margin.left && event.clientY - bounds.top > this.margin.top ? { q, k } : null;
  }

  private value({ q, k }: Picked): number {
    return this.values ? this.values[q * this.columns + k] : this.field!.row(q)[k];
  }

  private point(event: PointerEvent): void {
    this.hover = this.field && this.shade ? this.at(event) : null;
    this.tip.hidden = !this.hover;
    this.canvas.classList.toggle("cross", this.hover !== null);
    if (this.hover) {
      const { q, k } = this.hover;
      const weight = this.value(this.hover);
      this.tip.replaceChildren(
        h("b", { text: said(weight, 4) }),
        h("span", { dir: "auto", text: visible(this.field!.q.tokens[q], 24) }),
        h("i", { text: "→" }),
        h("span", { dir: "auto", text: visible(this.field!.k.tokens[k], 24) }),
        h("small", { text: `${q}, ${k}` }),
      );
      const bounds = this.area.getBoundingClientRect();
      const x = event.clientX - bounds.left;
      const y = event.clientY - bounds.top;
      const flip = x > bounds.width - 240;
      this.tip.style.transform = `translate(${flip ? x - this.tip.offsetWidth - 14 : x + 14}px, ${y + 16}px)`;
    }
    this.hovered(this.hover);
    this.overlay();
  }

  /** Closer by a factor below 1, around a place in the window, or what is chosen. */
  zoom(factor: number, x = this.chosen.x, y = this.chosen.y): void {
    const { top, bottom, left, right } = this.window;
    const size = (low: number, high: number, most: number) => Math.max(Math.min(4, most), Math.min(most, (high - low) * factor));
    const high = size(top, bottom, this.rows);
    const wide = size(left, right, this.columns);
    this.moveTo(top + (bottom - top - high) * y, left + (right - left - wide) * x, high, wide);
  }

  private get chosen(): { x: number; y: number } {
    const { top, bottom, left, right } = this.window;
    const { q, k } = this.state!;
    const y = clamp((q + 0.5 - top) / (bottom - top));
    return { x: k < 0 ? y : clamp((k + 0.5 - left) / (right - left)), y };
  }

  reset(): void {
    this.moveTo(0, 0, this.rows, this.columns);
  }

  pan(down: number, right: number): void {
    const { window } = this;
    this.moveTo(window.top + down, window.left + right, window.bottom - window.top, window.right - window.left);
  }

  private moveTo(top: number, left: number, high: number, wide: number): void {
    const y = Math.max(0, Math.min(this.rows - high, top));
    const x = Math.max(0, Math.min(this.columns - wide, left));
    this.window = { top: y, bottom: y + high, left: x, right: x + wide };
    this.redraw();
  }

  /** Bring a cell into the window. */
  reveal(q: number, k: number): void {
    const { top, bottom, left, right } = this.window;
    const high = bottom - top;
    const wide = right - left;
    const y = q < top ? q - 1 : q >= bottom ? q - high + 2 : top;
    const x = k < 0 ? left : k < left ? k - 1 : k >= right ? k - wide + 2 : left;
    if (y !== top || x !== left) this.moveTo(y, x, high, wide);
  }

  private listen(): void {
    const { canvas } = this;
    let drag: { x: number; y: number; moved: boolean } | null = null;
    const fingers = new Map<number, { x: number; y: number }>();
    let spread = 0;
    this.layer.style.pointerEvents = "none";
    canvas.addEventListener("pointerdown", (event) => {
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (fingers.size === 2) spread = apart(fingers);
      drag = { x: event.clientX, y: event.clientY, moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (fingers.has(event.pointerId)) fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (fingers.size === 2) {
        const now = apart(fingers);
        if (spread && now) this.zoom(spread / now);
        spread = now;
        if (drag) drag.moved = true;
        return;
      }
      const zoomed = this.window.bottom - this.window.top < this.rows || this.window.right - this.window.left < this.columns;
      if (drag && zoomed && (drag.moved || Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > 5)) {
        const { cell } = this.box;
        this.pan((drag.y - event.clientY) / cell, (drag.x - event.clientX) / cell);
        drag = { x: event.clientX, y: event.clientY, moved: true };
        return;
      }
      this.point(event);
    });
    const end = (event: PointerEvent) => {
      const tapped = drag && !drag.moved && fingers.size === 1 && event.type === "pointerup";
      fingers.delete(event.pointerId);
      drag = null;
      const picked = tapped ? this.at(event) : null;
      if (picked) this.pick(picked);
    };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("pointerleave", () => {
      this.hover = null;
      this.tip.hidden = true;
      this.hovered(null);
      if (this.field && this.shade) this.overlay();
    });
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.shiftKey && this.window.bottom - this.window.top >= this.rows && event.deltaY > 0) return;
      event.preventDefault();
      const bounds = canvas.getBoundingClientRect();
      const { width, height } = this.box;
      const x = (event.clientX - bounds.left - this.margin.left) / width;
      const y = (event.clientY - bounds.top - this.margin.top) / height;
      this.zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) / 200), clamp(x), clamp(y));
    }, { passive: false });
  }

  /** What the colors stand for: lowest, highest, and a bar between them. */
  scaleBar(): HTMLElement {
    const table = lut(this.state?.palette ?? "ink", this.dark);
    const stops = Array.from({ length: 9 }, (_, n) => css(table[Math.round((n / 8) * 255)])).join(",");
    const { low, high } = this.shade ?? { low: 0, high: 1 };
    return h("div", { class: "scale-bar" },
      h("span", { text: said(low, 2) }), h("i", { style: `background:linear-gradient(90deg,${stops})` }), h("span", { text: said(high, 2) }));
  }
}

function places(from: number, to: number, pixels: number, length: number, cells: number): Int32Array {
  const found = new Int32Array(2 * pixels);
  const scale = cells / length;
  const step = ((to - from) / pixels) * scale;
  for (let x = 0; x < pixels; x++) {
    const first = Math.max(0, Math.min(cells - 1, Math.floor(from * scale + x * step + 1e-6)));
    const end = Math.max(first + 1, Math.min(cells, Math.floor(from * scale + (x + 1) * step + 1e-6)));
    found[2 * x] = first;
    found[2 * x + 1] = end;
  }
  return found;
}

function apart(fingers: Map<number, { x: number; y: number }>): number {
  const [a, b] = [...fingers.values()];
  return Math.hypot(a.x - b.x, a.y - b.y);
}

function clamp(x: number): number {
  return Math.max(0, Math.min(1, x));
}

function short(token: string): string {
  return visible(token ?? "", 18);
}

export function font(element: Element, weight = 400, size = 12): string {
  return `${weight} ${size}px ${getComputedStyle(element).fontFamily}`;
}
