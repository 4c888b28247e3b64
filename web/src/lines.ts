import { h, percent, said, sized } from "./dom";
import type { Field } from "./field";
import { font } from "./heat";
import { counted, t } from "./i18n";
import { headColor } from "./palette";
import { share } from "./shade";
import type { State } from "./state";
import { isSpecial, visible } from "./tokens";

const LINE = 24;
const FAINTEST = 0.012;
const MOST_LINES = 2500;
const LONGEST_SIDE = 220;

export interface Shown {
  head: number;
  field: Field;
}

/** Queries left, keys right, and between them a line for every weight, as wide as it is large. */
export class Lines {
  readonly element: HTMLElement;
  readonly canvas = h("canvas", { class: "lines", role: "img" });
  private readonly spacer = h("div");
  private readonly frame: HTMLElement;
  private shown: Shown[] = [];
  private state: State | null = null;
  private dark = false;
  private hover: { side: "q" | "k"; at: number } | null = null;
  private heads = 1;

  constructor(private readonly pick: (picked: { q?: number; k?: number }) => void) {
    const stick = h("div", { class: "stick" }, this.canvas);
    this.frame = h("div", { class: "lines-frame" }, stick, this.spacer);
    this.element = h("div", { class: "lines-box" }, this.frame);
    this.frame.addEventListener("scroll", () => this.draw());
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", () => {
      this.hover = null;
      this.draw();
    });
    this.canvas.addEventListener("click", (event) => this.click(event));
  }

  async show(shown: Shown[], state: State, dark: boolean, heads: number): Promise<void> {
    this.state = state;
    this.dark = dark;
    this.heads = heads;
    this.canvas.setAttribute("aria-label", t("view_lines"));
    await Promise.all(shown.map(({ field }) => field.load()));
    if (this.state !== state) return;
    const before = this.shown[0]?.field;
    this.shown = shown;
    const { q, k } = shown[0].field;
    const height = Math.max(q.tokens.length, k.tokens.length) * LINE + 34;
    const visibleHeight = Math.min(height, Math.max(320, Math.min(globalThis.innerHeight * 0.72, 780)));
    this.frame.style.height = `${visibleHeight}px`;
    this.spacer.style.height = `${Math.max(0, height - visibleHeight)}px`;
    if (before !== shown[0].field && !before) this.frame.scrollTop = 0;
    this.reveal(state.q);
    this.draw();
  }

  private reveal(q: number): void {
    const { scrollTop, clientHeight } = this.frame;
    const y = q * LINE;
    if (y < scrollTop || y > scrollTop + clientHeight - 60) this.frame.scrollTop = y - clientHeight / 3;
  }

  redraw(): void {
    if (this.shown.length) this.draw();
  }

  private get places(): { left: number; right: number; width: number; height: number } {
    const width = Math.max(280, this.frame.clientWidth - 2);
    const side = Math.min(LONGEST_SIDE, width * 0.34);
    return { left: side, right: width - side, width, height: this.frame.clientHeight };
  }

  private draw(): void {
    if (!this.shown.length || !this.state) return;
    const { left, right, width, height } = this.places;
    const { pen } = sized(this.canvas, width, height);
    const scroll = this.frame.scrollTop;
    const style = getComputedStyle(this.element);
    const color = (name: string) => style.getPropertyValue(name).trim();
    const { q, k } = this.shown[0].field;
    const first = Math.max(0, Math.floor(scroll / LINE) - 1);
    const last = Math.ceil((scroll + height) / LINE);
    const y = (i: number) => i * LINE + LINE / 2 + 6 - scroll;
    this.drawLines(pen, first, last, left, right, y, color("--heat-line"));
    const focus = this.focus;
    for (const [axis, side] of [[q, "q"], [k, "k"]] as const) {
      const x = side === "q" ? left - 8 : right + 8;
      pen.textAlign = side === "q" ? "right" : "left";
      pen.textBaseline = "middle";
      for (let i = first; i < Math.min(last, axis.tokens.length); i++) {
        const chosen = side === "q" ? i === this.state.q : i === this.state.k;
        const share = this.shareOf(side, i);
        if (share > 0.004) {
          pen.fillStyle = color("--heat-line");
          pen.globalAlpha = Math.min(0.85, share * 0.85);
          if (side === "q") pen.fillRect(left - 4, y(i) - LINE / 2 + 3, 3, LINE - 6);
          else pen.fillRect(right + 1, y(i) - LINE / 2 + 3, 3, LINE - 6);
          pen.globalAlpha = 0.22 * Math.min(1, share);
          if (side === "k") roundedBar(pen, right + 5, y(i) - LINE / 2 + 2, Math.min(width - right - 6, (width - right) * share), LINE - 4);
        }
        pen.globalAlpha = 1;
        if (chosen || (focus.side === side && focus.at === i)) {
          pen.strokeStyle = color("--focus");
          pen.lineWidth = 1.5;
          const w = (side === "q" ? left : width - right) - 3;
          pen.strokeRect(side === "q" ? 1.5 : right + 1.5, y(i) - LINE / 2 + 1.5, w, LINE - 3);
        }
        pen.fillStyle = isSpecial(axis.tokens[i]) && !chosen ? color("--soft") : color("--ink");
        pen.font = font(this.element, chosen ? 650 : 400, 13);
        const room = (side === "q" ? left : width - right) - 14;
        pen.fillText(fitted(pen, visible(axis.tokens[i]), room), x, y(i));
      }
    }
    this.drawRest(pen, right, width, y, color);
  }

  /** What the weights are seen from: the token under the pointer, else the chosen query. */
  private get focus(): { side: "q" | "k"; at: number } {
    return this.hover ?? { side: "q", at: this.state!.q };
  }

  private shareOf(side: "q" | "k", at: number): number {
    const { focus } = this;
    if (focus.side === side || this.shown.length > 1) return 0;
    const { field } = this.shown[0];
    if (focus.side === "q") return share(Math.abs(field.row(focus.at)[at]), "linear");
    return at < field.q.tokens.length ? share(Math.abs(field.row(at)[focus.at]), "linear") : 0;
  }

  private drawLines(
    pen: CanvasRenderingContext2D, first: number, last: number, left: number, right: number,
    y: (i: number) => number, ink: string,
  ): void {
    const { focus } = this;
    const several = this.shown.length > 1;
    const lines: { i: number; j: number; weight: number; head: number; strong: boolean }[] = [];
    for (const { head, field } of this.shown) {
      const stop = Math.min(last + 1, field.q.tokens.length);
      for (let i = first; i < stop; i++) {
        if (focus.side === "q" && i !== focus.at && (this.hover !== null || several)) continue;
        const row = field.row(i);
        for (let j = 0; j < row.length; j++) {
          const weight = Math.abs(row[j]);
          const strong = focus.side === "q" ? i === focus.at : j === focus.at;
          if (weight < FAINTEST || (this.hover?.side === "k" && !strong)) continue;
          if (!strong && (j < first - 40 || j > last + 40)) continue;
          lines.push({ i, j, weight, head, strong });
        }
      }
      if (focus.side === "q" && (focus.at < first || focus.at >= stop)) {
        const row = field.row(focus.at);
        row.forEach((w, j) => Math.abs(w) >= FAINTEST && lines.push({ i: focus.at, j, weight: Math.abs(w), head, strong: true }));
      }
    }
    lines.sort((a, b) => Number(a.strong) - Number(b.strong) || a.weight - b.weight);
    for (const { i, j, weight, head, strong } of lines.slice(-MOST_LINES)) {
      const size = share(weight, "sqrt");
      pen.strokeStyle = several ? headColor(head, this.heads, this.dark) : ink;
      pen.globalAlpha = strong ? 0.18 + 0.82 * size : 0.05 + 0.22 * size;
      pen.lineWidth = strong ? 0.8 + 5 * weight : 0.5 + 1.8 * weight;
      const middle = (right - left) * 0.45;
      pen.beginPath();
      pen.moveTo(left, y(i));
      pen.bezierCurveTo(left + middle, y(i), right - middle, y(j), right, y(j));
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  /** What is too faint for lines of its own, folded into one. */
  private drawRest(
    pen: CanvasRenderingContext2D, right: number, width: number, y: (i: number) => number,
    color: (name: string) => string,
  ): void {
    const { focus } = this;
    if (focus.side !== "q" || this.shown.length > 1) return;
    const { field } = this.shown[0];
    let rest = field.rest(focus.at);
    let count = 0;
    for (const weight of field.row(focus.at)) {
      if (Math.abs(weight) < FAINTEST) {
        rest += Math.abs(weight);
        count++;
      }
    }
    if (rest < 0.0005) return;
    const at = y(field.k.tokens.length) + 2;
    pen.font = font(this.element, 400, 12);
    pen.fillStyle = color("--soft");
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    const where = Math.min(at, this.frame.clientHeight - 12);
    const text = `${counted("rest_of", count)}  ${percent(rest)}`;
    pen.fillStyle = color("--paper");
    pen.globalAlpha = 0.9;
    pen.fillRect(right + 4, where - 10, width - right - 6, 20);
    pen.globalAlpha = 1;
    pen.fillStyle = color("--soft");
    pen.fillText(fitted(pen, text, width - right - 12), right + 8, where);
  }

  private at(event: MouseEvent): { side: "q" | "k"; at: number } | null {
    const bounds = this.canvas.getBoundingClientRect();
    const { left, right } = this.places;
    const x = event.clientX - bounds.left;
    const at = Math.floor((event.clientY - bounds.top + this.frame.scrollTop - 6) / LINE);
    const { q, k } = this.shown[0].field;
    if (x < left && at >= 0 && at < q.tokens.length) return { side: "q", at };
    if (x > right && at >= 0 && at < k.tokens.length) return { side: "k", at };
    return null;
  }

  private point(event: PointerEvent): void {
    if (!this.shown.length || event.pointerType === "touch") return;
    const found = this.at(event);
    if (found?.side === this.hover?.side && found?.at === this.hover?.at) return;
    this.hover = found;
    this.canvas.style.cursor = found ? "pointer" : "";
    const { field } = this.shown[0];
    this.canvas.title = found?.side === "k" ? said(field.row(this.state!.q)[found.at], 4) : "";
    this.draw();
  }

  private click(event: MouseEvent): void {
    if (!this.shown.length) return;
    const found = this.at(event);
    if (found) this.pick(found.side === "q" ? { q: found.at } : { k: found.at });
  }
}

function roundedBar(pen: CanvasRenderingContext2D, x: number, y: number, width: number, height: number): void {
  pen.beginPath();
  pen.roundRect(x, y, Math.max(2, width), height, 3);
  pen.fill();
}

/** A text cut so that it takes at most this width. */
export function fitted(pen: CanvasRenderingContext2D, text: string, width: number): string {
  if (pen.measureText(text).width <= width) return text;
  const letters = Array.from(text);
  while (letters.length > 1 && pen.measureText(letters.join("") + "…").width > width) letters.pop();
  return letters.join("") + "…";
}
