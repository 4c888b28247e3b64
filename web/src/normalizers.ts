// From a row of scores to weights, over the keys that are open; regard/normalizers says what each is.

export type Numbers = Record<string, number>;

export const EXCHANGEABLE = ["softmax", "sparsemax", "entmax", "sigmoid", "softmax_one", "hard"];

/** Weights of scores; closed keys have a score of -Infinity and weigh nothing. */
export function normalize(name: string, scores: Float32Array, numbers: Numbers): Float32Array {
  const temperature = numbers["temperature"] ?? 1;
  if (temperature !== 1) for (let j = 0; j < scores.length; j++) scores[j] /= temperature;
  switch (name) {
    case "sigmoid":
      return scores.map((s) => (s === -Infinity ? 0 : 1 / (1 + Math.exp(-s))));
    case "softmax_one":
      return softmax(scores, 0);
    case "sink":
      return softmax(scores, numbers["sink"] ?? 0);
    case "sparsemax":
      return entmax(scores, 2);
    case "entmax":
    case "learned_entmax":
      return entmax(scores, numbers["alpha"] ?? 1.5);
    case "hard":
      return hard(scores);
    case "top_k":
      return softmax(topK(scores, numbers["k"] ?? 1));
    case "divide_by_sum":
      return divided(scores, "sum");
    case "divide_by_count":
      return divided(scores, "count");
    case "unnormalized":
      return scores.map((s) => (s === -Infinity ? 0 : s));
    default:
      return softmax(scores);
  }
}

/** Names of normalizers that this page computes. */
export const KNOWN = new Set([
  ...EXCHANGEABLE, "sink", "learned_entmax", "top_k", "divide_by_sum", "divide_by_count", "unnormalized",
]);

export function largest(row: Float32Array): number {
  let most = -Infinity;
  for (let j = 0; j < row.length; j++) if (row[j] > most) most = row[j];
  return most;
}

function softmax(scores: Float32Array, extra = -Infinity): Float32Array {
  const most = Math.max(largest(scores), extra);
  if (most === -Infinity) return scores.fill(0);
  let sum = Math.exp(extra - most);
  for (let j = 0; j < scores.length; j++) sum += scores[j] = Math.exp(scores[j] - most);
  const scale = 1 / sum;
  for (let j = 0; j < scores.length; j++) scores[j] *= scale;
  return scores;
}

function hard(scores: Float32Array): Float32Array {
  const most = largest(scores);
  const at = most === -Infinity ? -1 : scores.indexOf(most);
  return scores.map((_, j) => (j === at ? 1 : 0));
}

function topK(scores: Float32Array, k: number): Float32Array {
  if (k >= scores.length) return scores;
  const order = Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a]).slice(0, k);
  const kept = new Float32Array(scores.length).fill(-Infinity);
  for (const j of order) kept[j] = scores[j];
  return kept;
}

function divided(scores: Float32Array, by: "sum" | "count"): Float32Array {
  let total = 0;
  for (const score of scores) if (score !== -Infinity) total += by === "sum" ? score : 1;
  return scores.map((s) => (s === -Infinity || !total ? 0 : s / total));
}

/** weights = max(0, (alpha - 1) s - tau)^(1 / (alpha - 1)), with tau found by halving. */
function entmax(scores: Float32Array, alpha: number): Float32Array {
  if (alpha <= 1) return softmax(scores);
  const most = largest(scores);
  if (most === -Infinity) return scores.fill(0);
  const power = 1 / (alpha - 1);
  const scaled = scores.map((s) => (s - most) * (alpha - 1));
  let low = -1;
  let high = 0;
  const weigh = (tau: number) => scaled.map((s) => (s > tau ? Math.pow(s - tau, power) : 0));
  for (let step = 0; step < 40; step++) {
    const tau = (low + high) / 2;
    let sum = 0;
    for (const s of scaled) if (s > tau) sum += Math.pow(s - tau, power);
    if (sum > 1) low = tau;
    else high = tau;
  }
  const weights = weigh((low + high) / 2);
  let sum = 0;
  for (const w of weights) sum += w;
  return sum ? weights.map((w) => w / sum) : weights;
}
