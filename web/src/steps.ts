import { fill, h, said, sized } from "./dom";
import type { Field } from "./field";
import { counted, has, t } from "./i18n";
import type { Layer } from "./layer";
import { formula, normalizerFormula, scoreFormula } from "./math";
import type { Doc } from "./model";
import { css, lut } from "./palette";
import { largest } from "./normalizers";
import { isChanged, norm, type Parts } from "./parts";
import type { State } from "./state";
import { visible } from "./tokens";

/** The arithmetic of one weight with its own numbers, from query and key to the weighted value. */
export class Steps {
  readonly element = h("div", { class: "steps" });
  private run = 0;

  async show(doc: Doc, field: Field, state: State, dark: boolean): Promise<void> {
    const run = ++this.run;
    const layer = doc.layers[Number(state.layer)];
    const head = Number(state.head);
    if (!layer || Number.isNaN(head)) return this.say(t("one_head"));
    if (state.merge !== "tokens") return this.say(t("with_words_off"));
    if (layer.stored.kind === "gate" && !layer.parts) return this.gate(field, state);
    const { parts } = layer;
    if (!parts) return this.without(layer, field, state);
    await parts.load();
    if (run !== this.run) return;
    const row = field.row(state.q);
    const j = state.k >= 0 ? state.k : row.indexOf(largest(row));
    this.draw(layer, parts, field, state, head, Math.max(0, j), dark);
  }

  private say(text: string): void {
    fill(this.element, h("p", { class: "soft", text }));
  }

  /** What a gate does has no query and no key. */
  private gate(field: Field, state: State): void {
    const row = field.row(state.q);
    const j = Math.max(0, state.k);
    fill(
      this.element,
      h("p", { text: t("gate_text") }),
      equation(formula("y_{c} = w_{c} · x_{c}"), `${visible(field.k.tokens[j])}: w = ${said(row[j], 4)}`),
    );
  }

  /** What can be said without query and key: how scores and weights are made, and the weight. */
  private without(layer: Layer, field: Field, state: State): void {
    const { score = "scaled_dot", normalizer = "softmax" } = layer.stored.mechanism;
    const row = field.row(state.q);
    const j = state.k >= 0 ? state.k : Math.max(0, row.indexOf(largest(row)));
    fill(
      this.element,
      h("p", { class: "soft", text: missing(layer, state.layer) }),
      equation(scoreFormula(bare(score)), ""),
      equation(normalizerFormula(bare(normalizer)), `w = ${said(row[j], 4)}`),
    );
  }

  private draw(layer: Layer, parts: Parts, field: Field, state: State, head: number, j: number, dark: boolean): void {
    const i = state.q;
    const change = state.change;
    const terms = parts.terms(head, i, j);
    const scores = parts.masked(head, i, parts.scores(head, i), change);
    const name = change.normalizer ?? parts.stored.normalizer;
    const numbers = parts.numbers(head, change);
    const weights = parts.normalized(head, i, scores.slice(), change);
    const q = visible(field.q.tokens[i], 20);
    const k = visible(field.k.tokens[j], 20);
    const most = (vector: Float32Array) => vector.reduce((m, x) => Math.max(m, Math.abs(x)), 1e-9);
    const strips = h("div", { class: "strips" },
      strip("q", q, terms.query, most(terms.query), dark), strip("k", k, terms.key, most(terms.key), dark));
    const sections: HTMLElement[] = [step(t("step_vectors"), strips)];
    sections.push(step(t("step_score"), equation(scoreFormula(parts.stored.score), ""), ...this.score(parts, terms, dark)));
    sections.push(step(t("step_bias"), this.biased(parts, terms, head, i, j, state)));
    sections.push(step(t("step_normalize"), equation(normalizerFormula(name), ""), ...this.normalized(name, scores, weights, numbers, j, parts.center(head, i)), scoreBars(scores, weights, j, dark)));
    sections.push(step(t("step_value"), ...this.valued(parts, head, j, weights, dark)));
    const own = layer.isWhole && !isChanged(change) ? h("p", { class: "soft", text: `${t("stored_weight")}: ${said(layer.row(head, i)[j], 4)}` }) : null;
    fill(
      this.element,
      h("p", { class: "lead" }, h("b", { dir: "auto", text: q }), " → ", h("b", { dir: "auto", text: k }), h("span", { class: "big", text: said(weights[j], 4) })),
      ...sections,
      own,
    );
  }

  private score(parts: Parts, terms: ReturnType<Parts["terms"]>, dark: boolean): HTMLElement[] {
    const name = parts.stored.score;
    const most = terms.each.reduce((m, x) => Math.max(m, Math.abs(x)), 1e-9);
    const order = Array.from(terms.each.keys()).sort((a, b) => Math.abs(terms.each[b]) - Math.abs(terms.each[a])).slice(0, 3);
    const symbol = name === "additive" || name === "luong_concat" ? "v·tanh" : name === "concat_tanh_sum" ? "tanh" : name === "gatv2" ? "v·LeakyReLU" : name === "general" ? "qW·k" : name.startsWith("concat") ? "w·[q;k]" : name === "feature_map_dot" ? "φ(q)φ(k)" : name.includes("distance") ? "(q−k)²" : name === "location" ? "w·q" : "q·k";
    const found: HTMLElement[] = [
      strip(symbol, t("by_element"), terms.each, most, dark),
      h("p", { class: "numbers", text: `${t("largest_terms")}: ${order.map((d) => `[${d}] ${said(terms.each[d], 3)}`).join("   ")}` }),
    ];
    const d = terms.query.length;
    const cap = parts.stored.numbers["soft_cap"];
    const bare = terms.score - terms.bias;
    if (name === "scaled_dot") found.push(equation(formula("q · k × scale"), `${said(terms.sum, 3)} × ${said(parts.stored.scale, 4)} = ${said(terms.sum * parts.stored.scale, 4)}   (d = ${d})`));
    else if (name === "cosine") found.push(equation(formula("‖q‖, ‖k‖"), `${said(norm(terms.query), 3)}, ${said(norm(terms.key), 3)} → cos = ${said(terms.sum, 4)}, s = ${said(bare, 4)}`));
    else if (name.includes("distance")) found.push(equation(formula("‖q − k‖^2"), `${said(terms.sum, 4)} → s = ${said(bare, 4)}`));
    else if (name === "concat_linear") found.push(equation(formula("Σ + b_j"), `${said(terms.sum, 4)} → s = ${said(bare, 4)}`));
    else found.push(equation(formula("Σ"), `${said(terms.sum, 4)}${name === "concat_relu" ? ` → relu = ${said(Math.max(0, terms.sum), 4)}` : ""}`));
    if (cap) found.push(equation(formula("c · tanh(s / c)"), `c = ${said(cap, 1)} → ${said(bare, 4)}`));
    return found;
  }

  private biased(parts: Parts, terms: ReturnType<Parts["terms"]>, head: number, i: number, j: number, state: State): HTMLElement {
    const open = parts.masked(head, i, new Float32Array(parts.keys), state.change)[j] === 0;
    const kind = parts.stored.bias.kind;
    const bias = kind === "none" ? t("no_bias") : `b = ${said(terms.bias, 4)}${kind === "distance" ? `   (k − q = ${j - i - (parts.keys - parts.rows)})` : ""}`;
    return h("div", {},
      equation(formula("s + b"), kind === "none" ? `${said(terms.score, 4)}   ${bias}` : `${said(terms.score - terms.bias, 4)} + ${said(terms.bias, 4)} = ${said(terms.score, 4)}   ${bias}`),
      h("p", { class: open ? "open" : "closed", text: open ? `✓ ${t("allowed")}` : `✕ ${t("forbidden")}` }));
  }

  private normalized(name: string, scores: Float32Array, weights: Float32Array, numbers: Record<string, number>, j: number, center: number): HTMLElement[] {
    const temperature = numbers["temperature"] ?? 1;
    const s = scores[j] / temperature;
    const warm = temperature === 1 ? "" : `   (s / ${said(temperature, 2)} = ${said(s, 3)})`;
    if (name === "softmax" || name === "softmax_one" || name === "sink") {
      const most = largest(scores) / temperature;
      let sum = 0;
      for (const x of scores) sum += Math.exp(x / temperature - most);
      if (name !== "softmax") sum += Math.exp((name === "sink" ? (numbers["sink"] ?? 0) : 0) - most);
      return [equation(formula("exp(s − max) / Σ"), `exp(${said(s - most, 3)}) / ${said(sum, 4)} = ${said(Math.exp(s - most), 4)} / ${said(sum, 4)} = ${said(weights[j], 4)}${warm}`)];
    }
    if (name === "local_gaussian") return [equation(formula("p_i"), `${said(center, 2)}   σ = ${said(numbers["sigma"] ?? 1, 2)}   w = ${said(weights[j], 4)}`)];
    const support = weights.reduce((n, w) => n + Number(w !== 0), 0);
    return [equation(formula("w"), `${said(weights[j], 4)}${warm}`), h("p", { class: "numbers", text: t("nonzero", { count: support, all: weights.length }) })];
  }

  private valued(parts: Parts, head: number, j: number, weights: Float32Array, dark: boolean): HTMLElement[] {
    const value = parts.value(head, j);
    if (!value) {
      const found: HTMLElement[] = [h("p", { class: "soft", text: t("no_value") })];
      if (parts.hasNorms) found.push(equation(formula("w · ‖v‖"), `${said(weights[j], 4)} × ${said(parts.norm(head, j), 3)} = ${said(weights[j] * parts.norm(head, j), 4)}`));
      return found;
    }
    const share = value.map((x) => x * weights[j]);
    const sum = new Float32Array(value.length);
    for (let n = 0; n < parts.keys; n++) {
      const one = weights[n] ? parts.value(head, n)! : null;
      if (one) for (let d = 0; d < sum.length; d++) sum[d] += weights[n] * one[d];
    }
    const most = [value, sum].reduce((m, v) => v.reduce((x, y) => Math.max(x, Math.abs(y)), m), 1e-9);
    return [h("div", { class: "strips" },
      strip("v", counted("dims", value.length), value, most, dark),
      strip("w·v", t("contribution"), share, most, dark),
      strip("Σ", t("output_row"), sum, most, dark))];
  }
}

/** Why query and key are not there: they were not kept, or a step could not be followed. */
function missing(layer: Layer, number: string): string {
  const word = `unknown_${layer.stored.unknown ?? ""}`;
  return has(word) ? `${t("unknown_parts")}${t(word)}` : t("no_parts", { layer: number });
}

function step(title: string, ...content: (HTMLElement | null)[]): HTMLElement {
  return h("section", { class: "step" }, h("h4", { text: title }), ...content);
}

function equation(left: HTMLElement, right: string): HTMLElement {
  return h("p", { class: "equation" }, left, h("span", { class: "numbers", text: right }));
}

/** A vector as a strip of colors around zero: dark is negative, light is positive. */
function strip(symbol: string, label: string, vector: Float32Array, most: number, dark: boolean): HTMLElement {
  const canvas = h("canvas", { class: "strip", role: "img", "aria-label": `${symbol}: ${Array.from(vector.slice(0, 8), (x) => said(x, 2)).join(", ")} …` });
  const table = lut("cividis", dark);
  canvas.width = Math.max(1, vector.length);
  canvas.height = 1;
  const pen = canvas.getContext("2d")!;
  vector.forEach((x, d) => {
    pen.fillStyle = css(table[Math.max(0, Math.min(255, Math.round(127.5 + (127.5 * x) / most)))]);
    pen.fillRect(d, 0, 1, 1);
  });
  const out = h("output", {});
  canvas.addEventListener("pointermove", (event) => {
    const bounds = canvas.getBoundingClientRect();
    const d = Math.min(vector.length - 1, Math.max(0, Math.floor(((event.clientX - bounds.left) / bounds.width) * vector.length)));
    out.textContent = `[${d}] ${said(vector[d], 3)}`;
  });
  canvas.addEventListener("pointerleave", () => (out.textContent = ""));
  return h("div", { class: "strip-row" }, h("b", { class: "symbol" }, formula(symbol)), canvas, h("small", {}, h("span", { dir: "auto", text: label }), out));
}

/** The scores of the row and below them its weights, each key a bar, the chosen one marked. */
function scoreBars(scores: Float32Array, weights: Float32Array, j: number, dark: boolean): HTMLElement {
  const canvas = h("canvas", { class: "bars", role: "img", "aria-label": t("step_normalize") });
  requestAnimationFrame(() => {
    const width = canvas.parentElement?.clientWidth || 320;
    const { pen } = sized(canvas, width, 84);
    const style = getComputedStyle(canvas);
    const open = Array.from(scores).filter((s) => s > -Infinity);
    const low = Math.min(0, ...open.slice(0, 60000));
    const high = Math.max(0, ...open.slice(0, 60000));
    const peak = Math.max(1e-9, ...Array.from(weights).slice(0, 60000));
    const step = width / scores.length;
    const zero = 4 + (34 * high) / (high - low || 1);
    scores.forEach((s, n) => {
      pen.fillStyle = style.getPropertyValue(n === j ? "--focus" : "--soft");
      pen.globalAlpha = n === j ? 1 : 0.55;
      const wide = Math.max(0.6, step - (step > 3 ? 1 : 0));
      if (s > -Infinity) {
        const y = 4 + (34 * (high - s)) / (high - low || 1);
        pen.fillRect(n * step, Math.min(y, zero), wide, Math.max(0.8, Math.abs(zero - y)));
      }
      pen.fillStyle = style.getPropertyValue(n === j ? "--focus" : "--heat-line");
      pen.globalAlpha = n === j ? 1 : 0.75;
      const high2 = (36 * weights[n]) / peak;
      pen.fillRect(n * step, 82 - high2, wide, high2);
    });
    pen.globalAlpha = 1;
    void dark;
  });
  return h("div", { class: "bars-box" }, canvas);
}

export function bare(name: string): string {
  return name.replace(/\(.*$/s, "").trim();
}
