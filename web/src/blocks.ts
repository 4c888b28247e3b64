import type { Bytes, Half, ReadBlock, Single } from "./document";

/** Read the blocks that stand in a file, each when it is wanted. */
export function blocksOf(elements: ArrayLike<{ textContent: string | null }>): ReadBlock {
  return (number) => inflate(bytesOf(elements[number].textContent ?? ""));
}

const DIGITS = new Uint8Array(128);
Array.from({ length: 94 }, (_, n) => n + 33)
  .filter((code) => !"<>&".includes(String.fromCharCode(code)))
  .forEach((code, digit) => (DIGITS[code] = digit));

/** 13 bits in two characters, the first character before them all the number of zeros at the end. */
export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(((text.length - 1) / 16) * 13);
  let held = 0;
  let bits = 0;
  let at = 0;
  for (let i = 1; i < text.length; i += 2) {
    held = (held << 13) | (DIGITS[text.charCodeAt(i)] * 91 + DIGITS[text.charCodeAt(i + 1)]);
    for (bits += 13; bits >= 8; ) {
      bits -= 8;
      bytes[at++] = held >> bits;
    }
    held &= (1 << bits) - 1;
  }
  return bytes.subarray(0, bytes.length - DIGITS[text.charCodeAt(0)]);
}

async function inflate(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes as BlobPart]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const halves: Float32Array[] = [];

/** Every number of half precision, by its bits. */
function halfTable(): Float32Array {
  if (halves.length) return halves[0];
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 0) table[bits] = sign * fraction * 2 ** -24;
    else if (exponent === 31) table[bits] = fraction ? NaN : sign * Infinity;
    else table[bits] = sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
  }
  halves.push(table);
  return table;
}

export async function readHalf(read: ReadBlock, half: { kind?: unknown; block: number; factor: number }): Promise<Float32Array> {
  const bytes = await read(half.block);
  if (half.kind === "single") return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  const bits = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 1);
  const table = halfTable();
  const numbers = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) numbers[i] = table[bits[i]] * half.factor;
  return numbers;
}

/** Vectors as they were computed with, `[groups, rows, width]`, whichever way they are stored. */
export async function readVectors(read: ReadBlock, stored: Half | Single | Bytes): Promise<Float32Array> {
  if (stored.kind !== "bytes") return readHalf(read, stored);
  const [bytes, steps, factors] = await Promise.all([
    read(stored.block), readHalf(read, stored.steps), readHalf(read, stored.factors),
  ]);
  const codes = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [groups, rows, width] = stored.shape;
  const vectors = new Float32Array(codes.length);
  for (let group = 0, at = 0; group < groups; group++) {
    for (let row = 0; row < rows; row++) {
      const step = steps[group * rows + row];
      for (let d = 0; d < width; d++, at++) vectors[at] = (codes[at] * step) / factors[group * width + d];
    }
  }
  return vectors;
}
