import { h } from "./dom";
import type { Field } from "./field";

/** Give a file to the reader. */
export function download(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 2000);
}

/** A cell that no spreadsheet takes for a formula. */
export function cell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r;]/.test(safe) || safe !== text ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const MOST_CELLS = 4_000_000;

/** The matrix as a table: keys across, queries down. Of a very large one the chosen row alone. */
export function csv(field: Field, q: number): string {
  const { tokens } = field.k;
  const all = field.q.tokens.length * tokens.length <= MOST_CELLS;
  const rows = all ? Array.from(field.q.tokens.keys()) : [q];
  const lines = [["", ...tokens.map(cell)].join(",")];
  for (const i of rows) lines.push([cell(field.q.tokens[i]), ...Array.from(field.row(i), number)].join(","));
  return "\ufeff" + lines.join("\r\n") + "\r\n";
}

function number(value: number): string {
  // A leading minus is a number's here: what is written is nothing but digits.
  return String(Number(value.toPrecision(5)));
}

function escaped(text: string): string {
  const safe = text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd");
  const whole = safe.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
  return whole.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** A drawn canvas within an SVG, with what it shows said in its title. */
export function svgOf(canvas: HTMLCanvasElement, title: string, background: string): string {
  const { width, height } = canvas;
  const ratio = width / (parseFloat(canvas.style.width) || width);
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width / ratio}" height="${height / ratio}" viewBox="0 0 ${width} ${height}">` +
    `<title>${escaped(title)}</title><rect width="100%" height="100%" fill="${escaped(background)}"/>` +
    `<image width="${width}" height="${height}" href="${canvas.toDataURL("image/png")}"/></svg>`
  );
}

const MOST_SHAPES = 20_000;

/** A matrix as shapes and text, where it has few enough cells; null where it has not. */
export function svgMatrix(field: Field, shownAs: (token: string) => string, color: (w: number, i: number, j: number) => string, ink: string, paper: string): string | null {
  const rows = field.q.tokens.length;
  const columns = field.k.tokens.length;
  if (rows * columns > MOST_SHAPES) return null;
  const size = 16;
  const long = (tokens: string[]) => 12 + 7.2 * Math.min(18, Math.max(1, ...tokens.map((token) => Array.from(shownAs(token)).length)));
  const left = long(field.q.tokens);
  const top = long(field.k.tokens);
  const shapes: string[] = [];
  for (let i = 0; i < rows; i++) {
    const row = field.row(i);
    shapes.push(`<text x="${left - 5}" y="${top + i * size + 12}" text-anchor="end">${escaped(shownAs(field.q.tokens[i]))}</text>`);
    for (let j = 0; j < columns; j++) {
      shapes.push(`<rect x="${left + j * size}" y="${top + i * size}" width="${size}" height="${size}" fill="${color(row[j], i, j)}"><title>${number(row[j])}</title></rect>`);
    }
  }
  field.k.tokens.forEach((token, j) => {
    shapes.push(`<text transform="translate(${left + j * size + 12} ${top - 5}) rotate(-90)">${escaped(shownAs(token))}</text>`);
  });
  const width = left + columns * size + 4;
  const height = top + rows * size + 4;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="${escaped(ink)}">` +
    `<rect width="100%" height="100%" fill="${escaped(paper)}"/>${shapes.join("")}</svg>`
  );
}

/** Lines between tokens as shapes and text. */
export function svgLines(field: Field, q: number, shownAs: (token: string) => string, ink: string, paper: string, line: string): string {
  const size = 22;
  const width = 640;
  const most = 400;
  const begin = Math.max(0, Math.min(q - most / 2, field.q.tokens.length - most));
  const shapes: string[] = [];
  const middle = (width - 360) * 0.45;
  const end = (tokens: string[]) => Math.min(tokens.length, begin + most);
  for (let i = begin; i < end(field.q.tokens); i++) {
    const row = field.row(i);
    const y = (i - begin + 0.5) * size;
    shapes.push(`<text x="172" y="${y + 4}" text-anchor="end"${i === q ? ' font-weight="700"' : ""}>${escaped(shownAs(field.q.tokens[i]))}</text>`);
    for (let j = begin; j < end(field.k.tokens); j++) {
      const weight = Math.abs(row[j]);
      if (weight < (i === q ? 0.012 : 0.05)) continue;
      const to = (j - begin + 0.5) * size;
      const strong = i === q;
      shapes.push(`<path d="M180 ${y}C${180 + middle} ${y} ${width - 180 - middle} ${to} ${width - 180} ${to}" fill="none" stroke="${escaped(line)}" stroke-width="${(strong ? 0.8 + 5 * weight : 0.5 + 1.5 * weight).toFixed(2)}" opacity="${(strong ? 0.2 + 0.8 * Math.sqrt(weight) : 0.08 + 0.2 * Math.sqrt(weight)).toFixed(3)}"/>`);
    }
  }
  for (let j = begin; j < end(field.k.tokens); j++) {
    shapes.push(`<text x="${width - 172}" y="${(j - begin + 0.5) * size + 4}">${escaped(shownAs(field.k.tokens[j]))}</text>`);
  }
  const height = (Math.max(end(field.q.tokens), end(field.k.tokens)) - begin) * size;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13" fill="${escaped(ink)}">` +
    `<rect width="100%" height="100%" fill="${escaped(paper)}"/>${shapes.join("")}</svg>`
  );
}
