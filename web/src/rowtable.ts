import { fill, h, percent, said } from "./dom";
import type { Field } from "./field";
import { t } from "./i18n";
import { isSpecial, visible } from "./tokens";

const AT_ONCE = 40;

/** The weights of one query as a table: what a screen reader reads, and what is copied. */
export class RowTable {
  readonly element = h("div", { class: "row-table" });
  private count = AT_ONCE;
  private order: "weight" | "place" = "weight";
  private last: { field: Field; q: number; k: number } | null = null;

  constructor(private readonly pick: (k: number) => void) {}

  show(field: Field, q: number, k: number): void {
    if (this.last?.field !== field || this.last.q !== q) this.count = AT_ONCE;
    this.last = { field, q, k };
    this.draw();
  }

  private draw(): void {
    const { field, q, k } = this.last!;
    const row = field.row(q);
    let sum = 0;
    let most = 1e-9;
    for (const weight of row) {
      sum += weight;
      most = Math.max(most, Math.abs(weight));
    }
    const rest = field.rest(q);
    const places = Array.from(row.keys());
    if (this.order === "weight") places.sort((a, b) => Math.abs(row[b]) - Math.abs(row[a]) || a - b);
    const shown = places.slice(0, this.count);
    const body = h("tbody");
    for (const j of shown) {
      const bar = h("i", { style: `inline-size:${((100 * Math.abs(row[j])) / most).toFixed(1)}%` });
      if (row[j] < 0) bar.className = "negative";
      const token = h("button", { type: "button", class: isSpecial(field.k.tokens[j]) ? "special" : "", dir: "auto", text: visible(field.k.tokens[j]), click: () => this.pick(j) });
      body.append(
        h("tr", { "aria-selected": j === k ? "true" : null, class: j === k ? "chosen" : "" },
          h("td", { text: String(j) }), h("th", { scope: "row" }, token), h("td", { text: said(row[j], 4) }), h("td", { class: "bar" }, bar)),
      );
    }
    if (rest > 0.0005) {
      body.append(h("tr", { class: "rest" }, h("td"), h("th", { scope: "row", text: t("rest") }), h("td", { text: said(rest, 4) }), h("td")));
    }
    const more = shown.length < row.length
      ? h("button", { type: "button", class: "quiet", text: `${t("more")} (${row.length - shown.length})`, click: () => this.enlarge() })
      : null;
    fill(
      this.element,
      h("p", { class: "lead" },
        h("span", { dir: "auto", text: t("attends_to", { query: visible(field.q.tokens[q], 24) }) }),
        h("small", { text: t("sums_to", { sum: said(sum + rest, 2) }) }),
        h("small", { text: t("nonzero", { count: row.reduce((n, w) => n + Number(w !== 0), 0), all: row.length }) }),
        h("button", {
          type: "button", class: "quiet", text: t(this.order === "weight" ? "order_place" : "order_weight"),
          click: () => { this.order = this.order === "weight" ? "place" : "weight"; this.draw(); },
        }),
      ),
      h("table", {},
        h("caption", { class: "hidden", text: t("attends_to", { query: visible(field.q.tokens[q], 24) }) }),
        h("thead", {}, h("tr", {},
          h("th", { scope: "col", text: "#", title: t("position") }), h("th", { scope: "col", text: t("key") }),
          h("th", { scope: "col", text: t("weight") }), h("th", { scope: "col" }, h("span", { class: "hidden", text: percent(1) })))),
        body),
      more,
    );
  }

  private enlarge(): void {
    this.count = Math.min(this.count * 4, 600);
    this.draw();
  }
}
