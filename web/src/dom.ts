type Child = Node | string | null | undefined | false;

interface Props {
  class?: string;
  text?: string;
  style?: string;
  [name: string]: string | number | boolean | null | undefined | ((event: never) => void);
}

/** An element. What stands in it is text, whatever it looks like. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value as EventListener);
    else if (name === "text") element.textContent = String(value);
    else if (name === "value" || name === "checked") (element as unknown as Record<string, unknown>)[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  put(element, ...children);
  return element;
}

export function put(element: Element, ...children: Child[]): void {
  for (const child of children) if (child) element.append(child);
}

export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren(...children.filter((child): child is Node | string => Boolean(child)));
}

const SVG = "http://www.w3.org/2000/svg";

/** A shape or a text of a drawing. */
export function svg<K extends keyof SVGElementTagNameMap>(tag: K, props: Record<string, string | number | null> = {}, ...children: (Node | string)[]): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props)) if (value !== null) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

export function icon(path: string): SVGSVGElement {
  return svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true", class: "icon" }, svg("path", { d: path }));
}

/** A choice of one of several words. */
export function select(
  label: string,
  options: [value: string, text: string][],
  value: string,
  change: (value: string) => void,
): HTMLLabelElement {
  const element = h("select", { change: () => change(element.value) });
  for (const [name, text] of options) element.append(h("option", { value: name, text }));
  element.value = value;
  return h("label", { class: "field" }, h("span", { text: label }), element);
}

export interface Drawing {
  canvas: HTMLCanvasElement;
  pen: CanvasRenderingContext2D;
  width: number;
  height: number;
  ratio: number;
}

/** A canvas of this size in the pixels of the screen; drawing is in those of the page. */
export function sized(canvas: HTMLCanvasElement, width: number, height: number): Drawing {
  const ratio = Math.min(2, globalThis.devicePixelRatio || 1);
  const wide = Math.max(1, Math.round(width * ratio));
  const high = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== wide) canvas.width = wide;
  if (canvas.height !== high) canvas.height = high;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d")!;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { canvas, pen, width, height, ratio };
}

/** A number as it is read beside a picture. */
export function said(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return value === -Infinity ? "−∞" : String(value);
  const size = Math.abs(value);
  const text = size !== 0 && (size < 10 ** -digits || size >= 1e5) ? value.toExponential(1) : value.toFixed(digits);
  return text.replace("-", "−");
}

export function percent(value: number): string {
  return `${(100 * value).toFixed(value > 0.995 ? 1 : 0)} %`;
}
