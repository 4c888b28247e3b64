// Colors that read the same to every eye: lightness alone tells the weight.

const STOPS: Record<string, string> = {
  cividis:
    "00224e00285b002e6a0533711a386f273e6e32436d3b496c434e6c4b546c535a6d5a5f6e61656f686a716f70737676767d7c788482798c8878938e789b9476a39a74aba072b4a76fbcae6cc4b468cdbb63d5c25edec958e7d150f0d846f9e03afee838",
  viridis:
    "440154470d6048186a482374472d7b4537814240863e49893b528b375b8d33638d2f6b8e2c728e297a8e26828e23898e21918c1f988b1fa08822a78528ae8032b67a3fbc734ec36b5ec96270cf5784d44b98d83eaddc30c2df23d8e219ece51bfde725",
};
const INK = { light: "f7f9fce3ecf6c9dcefa8c8e683aedb5d92cd3f75b82a5a9d1a417c0f2b5a081a3a", dark: "14171a1a2430203550294a743667964a86b66aa5cf93c1e0bad8ecdceaf5f4f9fd" };

export type PaletteName = "ink" | "cividis" | "viridis";
export const PALETTES: PaletteName[] = ["ink", "cividis", "viridis"];

/** 256 colors as the bytes of a canvas have them. */
export type Lut = Uint32Array;

const made = new Map<string, Lut>();

export function lut(name: PaletteName, dark: boolean): Lut {
  const key = `${name} ${dark}`;
  let table = made.get(key);
  if (!table) made.set(key, (table = interpolated(name === "ink" ? INK[dark ? "dark" : "light"] : STOPS[name])));
  return table;
}

function interpolated(hex: string): Lut {
  const stops = hex.match(/.{6}/g)!.map((stop) => [0, 2, 4].map((at) => parseInt(stop.slice(at, at + 2), 16)));
  const table = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (stops.length - 1);
    const low = Math.min(Math.floor(at), stops.length - 2);
    const [r, g, b] = [0, 1, 2].map((c) => Math.round(stops[low][c] + (at - low) * (stops[low + 1][c] - stops[low][c])));
    table[i] = (255 << 24) | (b << 16) | (g << 8) | r;
  }
  return table;
}

export function css(color: number): string {
  return `rgb(${color & 255},${(color >> 8) & 255},${(color >> 16) & 255})`;
}

/** A color for each of several heads, told apart by lightness too. */
export function headColor(head: number, heads: number, dark: boolean): string {
  const hue = (head * 137.508 + 210) % 360;
  const step = heads > 1 ? (head % 3) / 2 : 0.5;
  return `hsl(${hue.toFixed(0)} 62% ${dark ? 58 + 18 * step : 30 + 20 * step}%)`;
}
