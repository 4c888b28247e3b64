// A chart or a table as a file.

import { svg } from "../dom";
import { cell, download } from "../save";
import { dashes } from "./dashes";
import type { StoredCurve } from "./data";
import { known } from "./frame";

const LINE = 18;
const ABOVE = 24;

/** The drawing with its title above and its legend below, as one that stands by itself. */
export function svgOfChart(drawing: SVGSVGElement, title: string, entries: { style: number; name: string; value: string }[], style: CSSStyleDeclaration): SVGSVGElement {
  const color = (name: string) => style.getPropertyValue(name).trim();
  const width = Number(drawing.getAttribute("width"));
  const height = Number(drawing.getAttribute("height"));
  const tall = ABOVE + height + LINE * entries.length + 8;
  const inner = drawing.cloneNode(true) as SVGSVGElement;
  inner.setAttribute("y", String(ABOVE));
  inner.removeAttribute("aria-hidden");
  inner.querySelector(".cursor")?.remove();
  const text = { "font-size": 13, "font-family": "system-ui, sans-serif", fill: color("--ink") };
  const legend = entries.flatMap(({ style: n, name, value }, row) => {
    const y = ABOVE + height + LINE * row + 10;
    return [
      svg("path", { d: `M14 ${y}h28`, stroke: color(`--c${n}`), "stroke-width": 1.8, fill: "none", "stroke-dasharray": dashes(n) }),
      svg("text", { x: 50, y: y + 4, ...text }, `${name}  ${value}`),
    ];
  });
  return svg("svg", { width, height: tall, viewBox: `0 0 ${width} ${tall}` },
    svg("title", {}, title), svg("rect", { width: "100%", height: "100%", fill: color("--paper") }), svg("text", { x: 14, y: 17, "font-weight": 600, ...text }, title), inner, ...legend);
}

function written(drawing: SVGSVGElement): string {
  return new XMLSerializer().serializeToString(drawing);
}

export function saveText(name: string, text: string, type: string): void {
  download(name, new Blob([text], { type }));
}

export function saveSvg(name: string, drawing: SVGSVGElement): void {
  saveText(`${name}.svg`, written(drawing), "image/svg+xml");
}

export function savePng(name: string, drawing: SVGSVGElement): void {
  const image = new Image();
  image.onload = () => {
    const canvas = document.createElement("canvas");
    canvas.width = 2 * image.width;
    canvas.height = 2 * image.height;
    canvas.getContext("2d")!.drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => blob && download(`${name}.png`, blob));
  };
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(written(drawing))}`;
}

/** A row for each step, a column for each curve. */
export function csvOfChart(curves: StoredCurve[], named: (curve: StoredCurve) => string): string {
  const columns = curves.map((curve) => new Map(known(curve.points)));
  const steps = [...new Set(columns.flatMap((column) => [...column.keys()]))].sort((a, b) => a - b);
  return csv([["step", ...curves.map(named)], ...steps.map((step) => [step, ...columns.map((column) => column.get(step) ?? "")])]);
}

/** Rows as a table that every spreadsheet reads. */
export function csv(rows: (string | number)[][]): string {
  const lines = rows.map((row) => row.map((each) => (typeof each === "number" ? String(each) : cell(each))).join(","));
  return `\ufeff${lines.join("\r\n")}\r\n`;
}
