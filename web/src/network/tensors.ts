// The few products that a small network is made of, in float32 as in Python.

/** Numbers of a matrix, row after row. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly numbers: Float32Array;
}

/** `y + x W` for W stored [inputs, outputs], as the recurrences have it; changes and returns `y`. */
export function addProduct(y: Float32Array, x: Float32Array, weight: Matrix): Float32Array {
  const { rows, columns, numbers } = weight;
  for (let i = 0; i < rows; i++) {
    const factor = x[i];
    const at = i * columns;
    for (let o = 0; o < columns; o++) y[o] += factor * numbers[at + o];
  }
  return y;
}

/** `W x + b` for W stored [outputs, inputs], as linear layers have it. */
export function linear(x: Float32Array, weight: Matrix, bias?: Float32Array): Float32Array {
  const { rows, columns, numbers } = weight;
  const y = new Float32Array(rows);
  for (let o = 0; o < rows; o++) {
    let sum = bias ? bias[o] : 0;
    const at = o * columns;
    for (let i = 0; i < columns; i++) sum += numbers[at + i] * x[i];
    y[o] = sum;
  }
  return y;
}

/** One row of a matrix. */
export function row(matrix: Matrix, number: number): Float32Array {
  const at = number * matrix.columns;
  return matrix.numbers.subarray(at, at + matrix.columns);
}

/** Vectors behind one another. */
export function joined(...parts: Float32Array[]): Float32Array {
  const y = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    y.set(part, at);
    at += part.length;
  }
  return y;
}

/** `exp(x_i) / sum_j exp(x_j)`, the greatest taken off first. */
export function softmax(x: Float32Array): Float32Array {
  const most = x.reduce((a, b) => Math.max(a, b), -Infinity);
  const y = x.map((each) => Math.exp(each - most));
  const sum = y.reduce((a, b) => a + b, 0);
  return y.map((each) => each / sum);
}

/** The place of the greatest number, the first of several. */
export function greatest(x: Float32Array): number {
  let best = 0;
  for (let i = 1; i < x.length; i++) if (x[i] > x[best]) best = i;
  return best;
}
