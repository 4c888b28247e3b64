import { fill, h, said, select } from "./dom";
import { t, type Word } from "./i18n";
import type { Layer } from "./layer";
import { EXCHANGEABLE } from "./normalizers";
import { AS_IT_RAN, isChanged, type Change } from "./parts";

/** Exchange normalizer, temperature and mask, on the queries and keys that the network had. */
export class WhatIf {
  readonly element = h("div", { class: "what-if" });

  constructor(private readonly change: (change: Change) => void) {}

  show(layer: Layer | undefined, change: Change): void {
    if (!layer?.parts) {
      fill(this.element, h("p", { class: "soft", text: layer ? t("if_needs") : t("one_head") }));
      return;
    }
    // A slider that is held keeps the pointer, so what is there is changed and not made anew.
    if (this.element.querySelector("input") && this.element.contains(activeIn(this.element))) {
      this.outputs(change);
      return;
    }
    const set = (patch: Partial<Change>) => this.change({ ...change, ...patch });
    const normalizers: [string, string][] = [["", t("as_run")], ...EXCHANGEABLE.map((name): [string, string] => [name, name])];
    const masks: [string, string][] = (["own", "none", "causal", "window"] as const).map((name) => [name, name === "own" ? t("as_run") : t(`mask_${name}` as Word)]);
    fill(
      this.element,
      h("p", { class: "soft", text: t("if_note") }),
      select(t("normalizer"), normalizers, change.normalizer ?? "", (value) => set({ normalizer: value || null })),
      change.normalizer === "entmax" ? this.slider("alpha", t("alpha"), 1.05, 3, 0.05, change.alpha, (alpha) => this.change({ ...this.latest(change), alpha })) : null,
      this.slider("temperature", t("temperature"), -1.5, 1.5, 0.05, Math.log10(change.temperature), (x) => this.change({ ...this.latest(change), temperature: x === 0 ? 1 : 10 ** x })),
      select(t("mask"), masks, change.mask, (value) => set({ mask: value as Change["mask"] })),
      change.mask === "window" ? this.slider("window", t("window"), 0, 64, 1, change.window, (window) => this.change({ ...this.latest(change), window })) : null,
      h("button", { type: "button", class: "reset", text: t("reset"), disabled: !isChanged(change), click: () => { (document.activeElement as HTMLElement | null)?.blur(); this.change(AS_IT_RAN); } }),
    );
    this.current = change;
    this.outputs(change);
  }

  private current: Change = AS_IT_RAN;

  private latest(fallback: Change): Change {
    return this.current ?? fallback;
  }

  private outputs(change: Change): void {
    this.current = change;
    const shown: Record<string, string> = { temperature: said(change.temperature, 2), alpha: said(change.alpha, 2), window: String(change.window) };
    for (const out of this.element.querySelectorAll("output")) out.textContent = shown[out.getAttribute("name") ?? ""] ?? "";
    const reset = this.element.querySelector<HTMLButtonElement>(".reset");
    if (reset) reset.disabled = !isChanged(change);
  }

  private slider(name: string, label: string, min: number, max: number, step: number, value: number, input: (value: number) => void): HTMLElement {
    const element = h("input", { type: "range", min, max, step, input: () => input(Number(element.value)) });
    element.value = String(value);
    return h("label", { class: "field wide" }, h("span", { text: label }), element, h("output", { name }));
  }
}

export function activeIn(element: Element): Element | null {
  const root = element.getRootNode();
  return root instanceof ShadowRoot || root instanceof Document ? root.activeElement : null;
}
