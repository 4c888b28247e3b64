import type { StoredImage } from "./document";
import { fill, h, said, sized } from "./dom";
import type { Field } from "./field";
import { t } from "./i18n";
import { share } from "./shade";
import type { State } from "./state";
import { visible } from "./tokens";

/** A picture under its patches: how much each is looked at, and a click to look from it. */
export class Picture {
  readonly element = h("div", { class: "picture-box" });
  private readonly canvas = h("canvas", { class: "picture", role: "img" });
  private readonly says = h("p", { class: "soft" });
  private readonly beside = h("div", { class: "beside" });
  private image: HTMLImageElement | null = null;
  private loading: Promise<void> | null = null;
  private last: { field: Field; state: State; stored: StoredImage; dark: boolean } | null = null;

  constructor(private readonly pick: (picked: { q?: number; k?: number }) => void) {
    fill(this.element, h("div", { class: "picture-frame" }, this.canvas), this.beside, this.says);
    this.canvas.addEventListener("click", (event) => {
      const patch = this.at(event);
      if (patch !== null) this.pick(this.looksFrom ? { q: patch } : { k: patch });
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const patch = this.at(event);
      const weights = this.weights;
      this.says.textContent = patch === null || !weights ? t("pick_patch") : `${patch - this.last!.stored.first}: ${said(weights[patch] ?? 0, 4)}`;
    });
  }

  /** Whether patches are queries, so that one can look from them. */
  private get looksFrom(): boolean {
    const { field, stored } = this.last!;
    return field.q.name === stored.axis;
  }

  private get weights(): Float32Array | null {
    const { field, state, stored } = this.last!;
    if (field.k.name === stored.axis) return field.row(state.q);
    if (field.q.name !== stored.axis) return null;
    const k = Math.max(0, state.k);
    return Float32Array.from(field.q.tokens, (_, i) => field.row(i)[k]);
  }

  async show(field: Field, state: State, stored: StoredImage, dark: boolean): Promise<void> {
    this.last = { field, state, stored, dark };
    await Promise.all([field.load(), this.ready(stored)]);
    if (this.last.state === state) this.draw();
  }

  private ready(stored: StoredImage): Promise<void> {
    return (this.loading ??= new Promise((done) => {
      const image = h("img", { alt: "" });
      image.onload = image.onerror = () => done();
      image.src = stored.source;
      this.image = image;
    }));
  }

  private draw(): void {
    const { field, state, stored, dark } = this.last!;
    const image = this.image!;
    const ratio = (image.naturalHeight || stored.rows) / (image.naturalWidth || stored.columns);
    const width = Math.min(this.element.clientWidth || 400, 560, 560 / ratio);
    const { pen, height } = sized(this.canvas, width, width * ratio);
    if (image.naturalWidth) pen.drawImage(image, 0, 0, width, height);
    const weights = this.weights;
    const wide = width / stored.columns;
    const high = height / stored.rows;
    if (weights) {
      let most = 1e-9;
      for (let n = 0; n < stored.rows * stored.columns; n++) most = Math.max(most, weights[stored.first + n] ?? 0);
      for (let n = 0; n < stored.rows * stored.columns; n++) {
        const strength = share((weights[stored.first + n] ?? 0) / most, state.scale === "rank" ? "sqrt" : state.scale);
        // What is not looked at fades into the page.
        pen.globalAlpha = 0.86 * (1 - strength);
        pen.fillStyle = dark ? "#14171a" : "#fdfdfb";
        pen.fillRect((n % stored.columns) * wide, Math.floor(n / stored.columns) * high, wide + 0.5, high + 0.5);
      }
      pen.globalAlpha = 1;
    }
    const chosen = (this.looksFrom ? state.q : state.k) - stored.first;
    if (chosen >= 0 && chosen < stored.rows * stored.columns) {
      pen.lineWidth = 3;
      pen.strokeStyle = "#fff";
      pen.strokeRect((chosen % stored.columns) * wide, Math.floor(chosen / stored.columns) * high, wide, high);
      pen.lineWidth = 1.5;
      pen.strokeStyle = "#000";
      pen.strokeRect((chosen % stored.columns) * wide, Math.floor(chosen / stored.columns) * high, wide, high);
    }
    this.says.textContent = t("pick_patch");
    const others = field.q.tokens
      .map((token, i) => [token, i] as const)
      .filter(([, i]) => !this.looksFrom || i < stored.first || i >= stored.first + stored.rows * stored.columns)
      .slice(0, 200);
    fill(this.beside, ...others.map(([token, i]) =>
      h("button", { type: "button", class: "chip", "aria-pressed": String(i === state.q), dir: "auto", text: visible(token, 24), click: () => this.pick({ q: i }) })));
  }

  private at(event: MouseEvent): number | null {
    if (!this.last) return null;
    const bounds = this.canvas.getBoundingClientRect();
    const { stored } = this.last;
    const column = Math.floor(((event.clientX - bounds.left) / bounds.width) * stored.columns);
    const row = Math.floor(((event.clientY - bounds.top) / bounds.height) * stored.rows);
    if (column < 0 || row < 0 || column >= stored.columns || row >= stored.rows) return null;
    return stored.first + row * stored.columns + column;
  }
}
