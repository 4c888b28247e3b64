import { fill, h, svg } from "../dom";
import { has, t } from "../i18n";
import { readable } from "../tokens";
import { dashes, key } from "./dashes";
import type { Points, StoredChart, StoredCurve } from "./data";
import { Frame, HEIGHT, known, type Point } from "./frame";
import { csvOfChart, savePng, saveSvg, saveText, svgOfChart } from "./saved";
import { short } from "./ticks";

const MOST_DOTS = 60;
const FINE = 150;

/** Curves over steps: the values of the step that is pointed at, or else the last ones. */
export class Chart {
  readonly element = h("figure", { class: "chart", tabindex: "0", role: "group" });
  private readonly curves: StoredCurve[];
  private readonly steps: number[];
  private readonly spoken = h("p", { class: "hidden", "aria-live": "polite" });
  private at = -1;
  private frame: Frame | null = null;
  private drawing: SVGSVGElement | null = null;
  private readonly caption = h("figcaption");
  private readonly box = h("div", { class: "plot" });
  private readonly legend = h("ul", { class: "legend" });

  constructor(readonly chart: StoredChart) {
    this.curves = chart.curves.filter((curve) => known(curve.points).length > 0);
    this.steps = [...new Set(this.curves.flatMap((curve) => known(curve.points).map(([x]) => x)))].sort((a, b) => a - b);
    fill(this.element, this.caption, this.box, this.legend, this.spoken);
    this.element.addEventListener("keydown", (event) => this.key(event));
    this.element.addEventListener("blur", () => this.read(-1));
    this.box.addEventListener("pointermove", (event) => this.read(this.under(event)));
    this.box.addEventListener("pointerdown", (event) => this.read(this.under(event)));
    this.box.addEventListener("pointerleave", () => this.read(-1));
  }

  /** What it shows, in the language of the page. */
  get title(): string {
    const { metric, name, unit, split } = this.chart;
    const word = `metric_${metric}`;
    const shown = has(word) ? t(word) : readable(name);
    const of = unit ? `, ${t(unit === "token" ? "per_token" : "per_label")}` : "";
    return `${shown}${of}${split ? ` · ${splitName(split)}` : ""}`;
  }

  show(): void {
    const width = Math.max(240, this.element.clientWidth);
    const frame = (this.frame = new Frame(this.chart, this.curves, width));
    const colors = getComputedStyle(this.element);
    const color = (name: string) => colors.getPropertyValue(name).trim();
    const ends = this.curves.map((curve) => `${this.named(curve)} ${frame.said(last(curve.points)[1])}`);
    this.element.setAttribute("aria-label", `${this.title}. ${t("last_values", { values: ends.join(", ") })}`);
    this.drawing = svg("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" },
      ...axes(frame, color), ...this.curves.flatMap((curve) => drawn(curve, frame, color, this.named(curve))), svg("g", { class: "cursor" }));
    fill(this.box, this.drawing);
    fill(this.caption, h("b", { text: this.title }), frame.log ? h("small", { text: t("log_scale") }) : null, h("small", { class: "at" }), this.tools());
    this.read(this.at, false);
  }

  private named(curve: StoredCurve): string {
    return this.chart.split ? readable(curve.name) : splitName(curve.name);
  }

  private tools(): HTMLElement {
    const name = `${this.chart.metric}${this.chart.split ? `-${this.chart.split}` : ""}`;
    const drawing = () => svgOfChart(this.drawing!, this.title, this.entries(), getComputedStyle(this.element));
    const save: Record<string, () => void> = {
      SVG: () => saveSvg(name, drawing()),
      PNG: () => savePng(name, drawing()),
      CSV: () => saveText(`${name}.csv`, csvOfChart(this.curves, (curve) => this.named(curve)), "text/csv"),
    };
    return h("span", { class: "tools" }, ...Object.entries(save).map(([kind, click]) =>
      h("button", { type: "button", class: "quiet", "data-name": kind.toLowerCase(), "aria-label": `${t("export")} ${kind}: ${this.title}`, text: kind, click })));
  }

  /** What the legend says of each curve. */
  private entries(): { style: number; name: string; value: string }[] {
    const frame = this.frame!;
    return this.curves.map((curve) => {
      const [x, y] = this.at < 0 ? last(curve.points) : nearest(known(curve.points), this.steps[this.at]);
      const elsewhere = this.at >= 0 && x !== this.steps[this.at] ? ` (${t("step", { step: short(x, 9) })})` : "";
      return { style: curve.style % 8, name: this.named(curve), value: frame.said(y) + elsewhere };
    });
  }

  /** Read the values of a step, by its place among all; the last ones if there is none. */
  private read(at: number, aloud = true): void {
    const { frame, drawing } = this;
    if (!frame || !drawing) return;
    this.at = Math.min(at, this.steps.length - 1);
    const on = this.at >= 0;
    const entries = this.entries();
    fill(this.legend, ...entries.map(({ style, name, value }) => h("li", {}, key(style), h("bdi", { text: name }), h("b", { text: ` ${value}` }))));
    const step = on ? t("step", { step: short(this.steps[this.at], 9) }) : "";
    const place = this.caption.querySelector(".at");
    if (place) place.textContent = step;
    if (aloud) this.spoken.textContent = on ? `${step}: ${entries.map(({ name, value }) => `${name} ${value}`).join(", ")}` : "";
    const x = on ? frame.x(this.steps[this.at]) : 0;
    drawing.querySelector(".cursor")!.replaceChildren(...(on ? [
      svg("path", { d: `M${x.toFixed(1)} 10V${frame.bottom}`, stroke: "currentColor", "stroke-dasharray": "2 2", fill: "none", opacity: 0.55 }),
      ...this.curves.map((curve) => {
        const [near, y] = nearest(known(curve.points), this.steps[this.at]);
        return svg("circle", { cx: frame.x(near).toFixed(1), cy: frame.y(y).toFixed(1), r: 4, fill: "none", stroke: "currentColor" });
      }),
    ] : []));
  }

  private under(event: PointerEvent): number {
    const frame = this.frame;
    if (!frame) return -1;
    const x = event.clientX - this.box.getBoundingClientRect().left;
    return near(this.steps.map((step) => frame.x(step)), x);
  }

  private key(event: KeyboardEvent): void {
    if (event.target !== this.element || event.ctrlKey || event.metaKey || event.altKey) return;
    const end = this.steps.length - 1;
    const jump = Math.max(1, Math.round(this.steps.length / 10));
    const from = this.at < 0 ? end + 1 : this.at;
    const moves: Record<string, number> = {
      ArrowLeft: from - 1, ArrowRight: this.at < 0 ? 0 : from + 1, PageUp: from - jump, PageDown: from + jump, Home: 0, End: end,
    };
    if (event.key === "Escape") this.read(-1);
    else if (event.key in moves) this.read(Math.max(0, Math.min(end, moves[event.key])));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

export function splitName(split: string): string {
  const word = `split_${split}`;
  return has(word) ? t(word) : readable(split);
}

type Color = (name: string) => string;

function axes(frame: Frame, color: Color): SVGElement[] {
  const faint = color("--faint");
  const soft = color("--soft");
  const tick = { fill: soft, "font-size": 12, "font-family": "system-ui, sans-serif" };
  return [
    ...frame.up.flatMap(({ at, name }) => [
      svg("path", { class: "grid", d: `M${frame.left} ${at.toFixed(1)}H${frame.right}`, stroke: faint, fill: "none" }),
      svg("text", { class: "tick up", x: frame.left - 8, y: (at + 4).toFixed(1), "text-anchor": "end", ...tick }, name),
    ]),
    ...frame.across.flatMap(({ at, name }) => [
      svg("path", { d: `M${at.toFixed(1)} ${frame.bottom}v4`, stroke: soft, fill: "none" }),
      svg("text", { class: "tick across", x: at.toFixed(1), y: frame.bottom + 17, "text-anchor": "middle", ...tick }, name),
    ]),
    svg("path", { d: `M${frame.left} ${frame.bottom}H${frame.right}`, stroke: soft, fill: "none" }),
    svg("text", { x: frame.right, y: HEIGHT - 3, "text-anchor": "end", ...tick }, t("steps_axis")),
  ];
}

function drawn(curve: StoredCurve, frame: Frame, color: Color, name: string): SVGElement[] {
  const { points } = curve;
  const spots = known(points);
  const stroke = color(`--c${curve.style % 8}`);
  let pen = "M";
  let path = "";
  const alone: Point[] = [];
  points.forEach(([x, y], n) => {
    if (y === null) {
      pen = "M";
      return;
    }
    path += `${pen}${frame.x(x).toFixed(1)} ${frame.y(y).toFixed(1)}`;
    // No line leads to it or from it.
    if (pen === "M" && (points[n + 1]?.[1] ?? null) === null) alone.push([x, y]);
    pen = "L";
  });
  const dots = curve.marked && spots.length <= MOST_DOTS ? spots : alone;
  return [
    svg("path", {
      class: "line", d: path, fill: "none", stroke, "stroke-width": spots.length > FINE ? 1.1 : 1.8,
      "stroke-dasharray": dashes(curve.style), "stroke-linejoin": "round", "stroke-linecap": "round",
    }),
    ...dots.map(([x, y]) => svg("circle", { class: "dot", cx: frame.x(x).toFixed(1), cy: frame.y(y).toFixed(1), r: 3, fill: stroke, stroke: color("--paper") },
      svg("title", {}, `${name}, ${short(x, 9)}: ${frame.said(y)}`))),
  ];
}

function last(points: Points): Point {
  return known(points).at(-1)!;
}

function nearest(points: Point[], x: number): Point {
  return points[near(points.map(([each]) => each), x)];
}

/** Which of rising numbers is nearest. */
function near(values: number[], to: number): number {
  let best = 0;
  values.forEach((value, n) => {
    if (Math.abs(value - to) < Math.abs(values[best] - to)) best = n;
  });
  return best;
}
