import { fill, h, said } from "./dom";
import type { Axis, Field } from "./field";
import { lang, t } from "./i18n";
import { share } from "./shade";
import type { State } from "./state";
import { continues, direction, isSpecial, readable, visible } from "./tokens";

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
    if (!same) pieces.push(this.text(field.q, null, state.q, 1, (q) => this.pick({ q }), t("query")));
    pieces.push(this.text(field.k, weights, same ? state.q : -1, most, (n) => this.pick(same ? { q: n } : { k: n }), same ? "" : t("key"), state.k));
    const turn = same && field.q.tokens.length <= 1024
      ? h("p", { class: "turn" }, ...(["from", "to"] as const).map((way) => h("button", {
          type: "button", class: "quiet", "aria-pressed": String((way === "from") === from), text: t(way === "from" ? "looks_from" : "looks_to"), click: () => this.turn(way),
        })))
      : null;
    fill(this.element, turn, ...pieces);
  }

  private readonly made = new Map<string, Spans>();

  /** A span for each token; those of the same tokens are used again. */
  private spans({ tokens, running }: Axis, start: number, stop: number, label: string): Spans {
    const key = `${lang()} ${label}`;
    const known = this.made.get(key);
    if (known && known.tokens === tokens && known.start === start) return known;
    const line = h("p", { class: running ? "tokens running" : "tokens", dir: direction(tokens) });
    const spans: HTMLElement[] = [];
    for (let n = start; n < stop; n++) {
      const shown = running?.written[n] ? readable(running.written[n]) : visible(continues(tokens[n]) ? tokens[n].slice(2) : tokens[n]);
      const span = h("span", { "data-n": n, dir: "auto", text: shown });
      if (running) line.append(readable(running.before[n]));
      else if (n > start && !continues(tokens[n])) line.append(" ");
      line.append(span);
      spans.push(span);
    }
    if (running?.rest && stop === tokens.length) line.append(h("s", { class: "unread", text: readable(running.rest) }), h("small", { class: "soft", text: ` ${t("not_read")}` }));
    const found = { tokens, start, line, spans };
    this.made.set(key, found);
    return found;
  }

  private text(axis: Axis, weights: Float32Array | null, chosen: number, most: number, pick: (n: number) => void, label: string, key = -1): HTMLElement {
    const { tokens } = axis;
    const long = tokens.length > AT_ONCE;
    if (long && chosen >= 0 && (chosen < this.start || chosen >= this.start + AT_ONCE)) this.start = Math.max(0, chosen - Math.floor(AT_ONCE / 3));
    const start = long ? Math.min(this.start, tokens.length - AT_ONCE) : 0;
    const stop = Math.min(tokens.length, start + AT_ONCE);
    const { line, spans } = this.spans(axis, start, stop, label);
    for (let n = start; n < stop; n++) {
      const span = spans[n - start];
      const shaded = weights ? Math.round(share(Math.abs(weights[n]) / most, "sqrt") * SHADES) : 0;
      const name = names(tokens[n], n === chosen, n === key, shaded, !axis.running);
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
      this.element.replaceChild(this.text(axis, weights, -1, most, pick, label, key), box);
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

function names(token: string, chosen: boolean, key: boolean, shaded: number, marked: boolean): string {
  return [shaded > 0 && `s${shaded}`, isSpecial(token) && "special", marked && continues(token) && "piece", chosen && "chosen", key && "key"].filter(Boolean).join(" ");
}

function columnOf(field: Field, k: number): Float32Array {
  return Float32Array.from(field.q.tokens, (_, i) => field.row(i)[k]);
}
