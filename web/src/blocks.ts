import type { Half, ReadBlock } from "./document";

/** Read the blocks that stand in a file, each when it is wanted. */
export function blocksOf(elements: ArrayLike<{ textContent: string | null }>): ReadBlock {
  return (number) => inflate(bytesOf(elements[number].textContent ?? ""));
}

function bytesOf(base64: string): Uint8Array {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
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

export async function readHalf(read: ReadBlock, half: Half): Promise<Float32Array> {
  const bytes = await read(half.block);
  const bits = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 1);
  const table = halfTable();
  const numbers = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) numbers[i] = table[bits[i]] * half.factor;
  return numbers;
}
