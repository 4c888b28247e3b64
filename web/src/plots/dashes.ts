import { svg } from "../dom";

/** Dashes tell curves apart where colors do not. */
const DASHES = ["", "7 4", "2 4", "9 3 2 3", "13 4", "4 3", "9 3 2 3 2 3", "1 3"];

/** How a style of line is dashed; null for one that is not. */
export function dashes(style: number): string | null {
  return DASHES[style % DASHES.length] || null;
}

/** A line of a style, as a legend has it. */
export function key(style: number): SVGElement {
  return svg("svg", { class: "key", viewBox: "0 0 28 10", "aria-hidden": "true" },
    svg("path", { d: "M1 5H27", fill: "none", style: `stroke: var(--c${style})`, "stroke-width": 1.8, "stroke-linecap": "round", "stroke-dasharray": dashes(style) }));
}
