import { fill, h, said } from "./dom";
import type { Field } from "./field";
import { t } from "./i18n";
import { share } from "./shade";
import type { State } from "./state";
import { continues, direction, isSpecial, visible } from "./tokens";

const AT_ONCE = 400;
const SHADES = 24;

/** A class for each shade: a browser applies it faster than a number of its own for each token. */
export function shadesOfText(): string {
  return Array.from({ length: SHADES }, (_, n) => `.flow .s${n + 1}{background:rgba(var(--heat),${(0.62 * (n + 1)) / SHADES})}`).join("");
}

/** The text itself, each token as dark as its weight seen from the chosen one. */
export class Flow {
  readonly element = h("div", { class: "flow" });
  private start = 0;

  constructor(
    private readonly pick: (picked: { q?: number; k?: number }) => void,
    private readonly turn: (toward: State["toward"]) => void,
  ) {}

  async show(field: Field, state: State): Promise<void> {
    await field.load();
    const same = field.q === field.k || field.q.name === field.k.name;
    const from = state.toward === "from" || !same || field.q.tokens.length > 1024;
    const weights = from ? field.row(state.q) : columnOf(field, state.q);
    let most = 1e-9;
    for (const weight of weights) most = Math.max(most, Math.abs(weight));
    const pieces: HTMLElement[] = [];
    if (!same) pieces.push(this.text(field.q.tokens, null, state.q, 1, (q) => this.pick({ q }), t("query")));
    pieces.push(this.text(field.k.tokens, weights, same ? state.q : -1, most, (n) => this.pick(same ? { q: n } : { k: n }), same ? "" : t("key"), state.k));
    const turn = same && field.q.tokens.length <= 1024
      ? h("p", { class: "turn" }, ...(["from", "to"] as const).map((way) => h("button", {
          type: "button", class: "quiet", "aria-pressed": String((way === "from") === from), text: t(way === "from" ? "looks_from" : "looks_to"), click: () => this.turn(way),
        })))
      : null;
    fill(this.element, turn, ...pieces);
  }

  private readonly made = new Map<string, Spans>();

  /** A span for each token; those of the same tokens are used again. */
  private spans(tokens: string[], start: number, stop: number, label: string): Spans {
    const known = this.made.get(label);
    if (known && known.tokens === tokens && known.start === start) return known;
    const line = h("p", { class: "tokens", dir: direction(tokens) });
    const spans: HTMLElement[] = [];
    for (let n = start; n < stop; n++) {
      const span = h("span", { "data-n": n, dir: "auto", text: visible(continues(tokens[n]) ? tokens[n].slice(2) : tokens[n]) });
      if (n > start && !continues(tokens[n])) line.append(" ");
      line.append(span);
      spans.push(span);
    }
    const found = { tokens, start, line, spans };
    this.made.set(label, found);
    return found;
  }

  private text(tokens: string[], weights: Float32Array | null, chosen: number, most: number, pick: (n: number) => void, label: string, key = -1): HTMLElement {
    const long = tokens.length > AT_ONCE;
    if (long && chosen >= 0 && (chosen < this.start || chosen >= this.start + AT_ONCE)) this.start = Math.max(0, chosen - Math.floor(AT_ONCE / 3));
    const start = long ? Math.min(this.start, tokens.length - AT_ONCE) : 0;
    const stop = Math.min(tokens.length, start + AT_ONCE);
    const { line, spans } = this.spans(tokens, start, stop, label);
    for (let n = start; n < stop; n++) {
      const span = spans[n - start];
      const shaded = weights ? Math.round(share(Math.abs(weights[n]) / most, "sqrt") * SHADES) : 0;
      const name = names(tokens[n], n === chosen, n === key, shaded);
      if (span.className !== name) span.className = name;
    }
    line.onpointerover = (event) => {
      const span = event.target as HTMLElement;
      const n = span.getAttribute("data-n");
      if (n !== null && weights) span.title = said(weights[Number(n)], 4);
    };
    line.onclick = (event) => {
      const n = (event.target as HTMLElement).getAttribute("data-n");
      if (n !== null) pick(Number(n));
    };
    const move = (by: number) => () => {
      this.start = Math.max(0, Math.min(tokens.length - AT_ONCE, start + by));
      this.element.replaceChild(this.text(tokens, weights, -1, most, pick, label, key), box);
    };
    const box = h("div", { class: "text-box" },
      label ? h("h4", { text: label }) : null,
      long ? h("p", { class: "pages" },
        h("button", { type: "button", class: "quiet", text: "‹", "aria-label": t("previous"), click: move(-AT_ONCE) }),
        h("span", { text: t("window_of", { from: start, to: stop - 1, all: tokens.length }) }),
        h("button", { type: "button", class: "quiet", text: "›", "aria-label": t("next"), click: move(AT_ONCE) })) : null,
      line);
    return box;
  }
}

interface Spans {
  tokens: string[];
  start: number;
  line: HTMLElement;
  spans: HTMLElement[];
}

function names(token: string, chosen: boolean, key: boolean, shaded: number): string {
  return [shaded > 0 && `s${shaded}`, isSpecial(token) && "special", continues(token) && "piece", chosen && "chosen", key && "key"].filter(Boolean).join(" ");
}

function columnOf(field: Field, k: number): Float32Array {
  return Float32Array.from(field.q.tokens, (_, i) => field.row(i)[k]);
}
