import { h } from "../dom";
import { lang, onLang, setLang, t } from "../i18n";
import css from "../style.css";
import { Chart } from "./chart";
import { ConfusionView } from "./confusion";
import type { StoredPlot } from "./data";
import rules from "./plots.css";

/** A part of a run's report inside an element: its charts, or what labels were confused. */
export function inset(el: HTMLElement, stored: StoredPlot, alone: boolean): void {
  const root = el.attachShadow({ mode: "open" });
  const style = document.createElement("style");
  style.textContent = css + rules;
  const views = stored.kind === "charts" ? stored.charts.map((chart) => new Chart(chart)) : [new ConfusionView(stored)];
  const box = h("div", { class: "regard inset" });
  // Where the page has no attention to look at, somebody must change its language.
  const tongue = alone ? h("button", { type: "button", class: "tool language", "data-name": "language", click: () => setLang(lang() === "en" ? "zh" : "en") }) : null;
  box.append(h("div", { class: stored.kind === "charts" ? "charts" : "counts" }, ...views.map((view) => view.element)));
  if (tongue) box.prepend(tongue);
  root.append(style, box);
  const dark = globalThis.matchMedia("(prefers-color-scheme: dark)");
  const show = () => {
    box.dataset["theme"] = dark.matches ? "dark" : "light";
    box.lang = lang();
    if (tongue) tongue.textContent = t("language");
    for (const view of views) view.show();
    box.dataset["ready"] = "shown";
  };
  dark.addEventListener("change", show);
  onLang(show);
  let width = -1;
  new ResizeObserver(() => {
    const now = box.clientWidth;
    if (Math.abs(now - width) < 2) return;
    width = now;
    // Drawn at once, what is as wide as its box would ask for another look at the box.
    requestAnimationFrame(show);
  }).observe(box);
}
