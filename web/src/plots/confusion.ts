import { fill, h } from "../dom";
import { counted, t } from "../i18n";
import { readable } from "../tokens";
import type { StoredConfusion } from "./data";
import { folded } from "./folded";
import { csv, saveText } from "./saved";
import { grouped, shareOf } from "./ticks";

/** Greatest number of labels that a matrix is drawn of. */
const MOST_LABELS = 24;
const MOST_PAIRS = 20;
const MOST_ROWS = 500;
/** Characters of a label that may stand above a column; columns of longer ones have numbers. */
const SHORT = 12;

/** What was answered for each label: a matrix of few, of many what was confused most. */
export class ConfusionView {
  readonly element = h("div", { class: "confused" });
  private readonly counts: number[][];
  private readonly said = h("p", { class: "note said", "aria-live": "polite" });

  constructor(private readonly stored: StoredConfusion) {
    this.counts = stored.labels.map(() => new Array<number>(stored.labels.length).fill(0));
    for (const [label, answer, count] of stored.cells) this.counts[label][answer] = count;
  }

  show(): void {
    const { labels, step } = this.stored;
    const few = labels.length <= MOST_LABELS;
    const save = h("button", { type: "button", class: "quiet", "data-name": "csv", "aria-label": `${t("export")} CSV`, text: "CSV", click: () => this.save() });
    fill(this.element,
      h("p", { class: "note" }, `${t("at_step", { step: grouped(step) })} ${few ? t("confusion_note") : ""} `, save),
      ...(few ? [this.matrix(), this.said] : [this.mostConfused()]), this.byLabel());
  }

  private matrix(): HTMLElement {
    const { labels } = this.stored;
    const numbered = labels.some((label) => Array.from(label).length > SHORT);
    const head = labels.map((label, n) => h("th", { scope: "col" }, numbered ? String(n + 1) : name(label)));
    const rows = labels.map((label, i) => {
      const whole = sum(this.counts[i]) || 1;
      const cells = this.counts[i].map((count, j) => {
        const cell = h("td", { class: i === j ? "same" : "", tabindex: i + j ? "-1" : "0", "data-at": `${i} ${j}`, text: count ? grouped(count) : "" });
        cell.style.setProperty("--w", (count / whole).toFixed(2));
        cell.addEventListener("focus", () => this.say(i, j));
        cell.addEventListener("pointerenter", () => this.say(i, j));
        return cell;
      });
      return h("tr", {}, h("th", { scope: "row" }, numbered ? `${i + 1} · ` : null, name(label)), ...cells);
    });
    const table = h("table", { class: "confusion" }, h("thead", {}, h("tr", {}, h("td"), ...head)), h("tbody", {}, ...rows));
    table.addEventListener("keydown", (event) => move(event, table));
    return h("div", { class: "scroll", tabindex: "0" }, table);
  }

  private say(i: number, j: number): void {
    const { labels } = this.stored;
    const whole = sum(this.counts[i]);
    const short = (label: string) => (Array.from(label).length > 60 ? `${Array.from(label).slice(0, 59).join("")}…` : label);
    this.said.textContent = t("confusion_cell", {
      label: readable(short(labels[i])), answer: readable(short(labels[j])), count: grouped(this.counts[i][j]), all: grouped(whole), share: ratio(this.counts[i][j], whole),
    });
  }

  private mostConfused(): HTMLElement {
    const { labels } = this.stored;
    const pairs = this.stored.cells.filter(([i, j, count]) => i !== j && count > 0);
    if (!pairs.length) return h("p", { text: t("none_confused") });
    pairs.sort((a, b) => b[2] - a[2] || a[0] - b[0] || a[1] - b[1]);
    const rows = pairs.slice(0, MOST_PAIRS).map(([i, j, count]) => [folded(labels[i]), folded(labels[j]), grouped(count), shareOf(count / sum(this.counts[i]))]);
    return table([t("label"), t("answer"), t("times"), t("of_the_label")], rows, counted("confused_most", pairs.length));
  }

  /** Recall, precision and F1 of each label, worst first where there are many. */
  private byLabel(): HTMLElement {
    const scores = this.scores();
    const many = scores.length > MOST_LABELS;
    if (many) scores.sort((a, b) => f1(a) - f1(b));
    const shown = scores.slice(0, MOST_ROWS);
    const rows = shown.map((each) => [
      folded(each.label), grouped(each.of), ratio(each.right, each.of), ratio(each.right, each.said), ratio(2 * each.right, each.of + each.said),
    ]);
    const inner = h("div", { class: "labels" }, table([t("label"), t("examples"), t("recall"), t("precision"), "F1"], rows));
    if (!many) return inner;
    const left = scores.length - shown.length;
    const head = t("each_label", { count: grouped(scores.length) }) + (left ? counted("best_left_out", left) : "");
    return h("details", {}, h("summary", { text: head }), inner);
  }

  private scores(): Score[] {
    const answered = new Array<number>(this.counts.length).fill(0);
    for (const [, answer, count] of this.stored.cells) answered[answer] += count;
    return this.stored.labels
      .map((label, n) => ({ label, of: sum(this.counts[n]), said: answered[n], right: this.counts[n][n] }))
      .filter(({ of, said }) => of || said);
  }

  private save(): void {
    const { labels } = this.stored;
    const rows = this.stored.cells.map(([i, j, count]) => [labels[i], labels[j], count]);
    saveText("confusion.csv", csv([["label", "answer", "count"], ...rows]), "text/csv");
  }
}

interface Score {
  label: string;
  of: number;
  said: number;
  right: number;
}

function f1({ of, said, right }: Score): number {
  return right / (of + said || 1);
}

function sum(counts: number[]): number {
  return counts.reduce((all, count) => all + count, 0);
}

function ratio(part: number, whole: number): string {
  return whole ? shareOf(part / whole) : "–";
}

function name(label: string): HTMLElement {
  return h("span", { dir: "auto", text: readable(label) });
}

/** A table of numbers; the first column names the row. */
function table(head: string[], rows: (Node | string)[][], caption = ""): HTMLElement {
  return h("div", { class: "scroll", tabindex: "0" },
    h("table", { class: "numbers" },
      caption ? h("caption", { text: caption }) : null,
      h("thead", {}, h("tr", {}, ...head.map((text) => h("th", { scope: "col", text })))),
      h("tbody", {}, ...rows.map(([first, ...rest]) => h("tr", {}, h("th", { scope: "row" }, first), ...rest.map((each) => h("td", {}, each)))))));
}

/** Arrows go from cell to cell, of which one at a time can be reached by the tab key. */
function move(event: KeyboardEvent, table: HTMLElement): void {
  const from = event.target as HTMLElement;
  const [i, j] = (from.getAttribute("data-at") ?? "").split(" ").map(Number);
  const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  if (!by || j === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  const to = table.querySelector<HTMLElement>(`[data-at="${i + by[0]} ${j + by[1]}"]`);
  event.preventDefault();
  event.stopPropagation();
  if (!to) return;
  from.setAttribute("tabindex", "-1");
  to.setAttribute("tabindex", "0");
  to.focus();
}
