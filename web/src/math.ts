import { h } from "./dom";

/** A formula: letters in italics, `_x` below the line, `^x` above it, all of it text. */
export function formula(source: string): HTMLElement {
  const box = h("span", { class: "formula" });
  const pattern = /([_^])(\{[^}]*\}|.)|([A-Za-zα-ωΑ-Ωℓ]+)|([^_^A-Za-zα-ωΑ-Ωℓ]+)/gu;
  for (const [, level, part, word, other] of source.matchAll(pattern)) {
    if (level) box.append(h(level === "_" ? "sub" : "sup", { text: part.replace(/^\{|\}$/g, "") }));
    else if (word) box.append(h(word.length === 1 ? "i" : "span", { text: word }));
    else box.append(other);
  }
  return box;
}

const SCORE: Record<string, string> = {
  dot: "s_{ij} = q_i · k_j",
  scaled_dot: "s_{ij} = (q_i · k_j) / √d",
  general: "s_{ij} = q_i^⊤ W k_j",
  cosine: "s_{ij} = (q_i · k_j) / (‖q_i‖ ‖k_j‖) · scale",
  additive: "s_{ij} = v^⊤ tanh(W q_i + U k_j)",
  luong_concat: "s_{ij} = v^⊤ tanh(W [q_i; k_j])",
  concat_tanh_sum: "s_{ij} = Σ tanh(W [q_i; k_j] + b)",
  concat_relu: "s_{ij} = relu(w · [q_i; k_j])",
  gatv2: "s_{ij} = v^⊤ LeakyReLU(W_q q_i + W_k k_j)",
  location: "s_{ij} = w_j · q_i",
  squared_distance: "s_{ij} = −‖q_i − k_j‖^2",
  inverse_distance: "s_{ij} = 1 / (1 + ‖q_i − k_j‖)",
  feature_map_dot: "s_{ij} = φ(q_i) · φ(k_j)",
  mlp: "s_{ij} = w^⊤ f(W_n … f(W_1 [q_i; k_j; …]))",
  concat_linear: "s_{ij} = w_j · [q_i; k_j] + b_j",
};

const NORMALIZER: Record<string, string> = {
  softmax: "w_{ij} = exp(s_{ij}) / Σ_ℓ exp(s_{iℓ})",
  softmax_one: "w_{ij} = exp(s_{ij}) / (1 + Σ_ℓ exp(s_{iℓ}))",
  sink: "w_{ij} = exp(s_{ij}) / (exp(sink) + Σ_ℓ exp(s_{iℓ}))",
  sparsemax: "w_{ij} = max(0, s_{ij} − τ_i)",
  entmax: "w_{ij} = max(0, (α − 1) s_{ij} − τ_i)^{1/(α−1)}",
  learned_entmax: "w_{ij} = max(0, (α − 1) s_{ij} − τ_i)^{1/(α−1)}",
  sigmoid: "w_{ij} = 1 / (1 + exp(−s_{ij}))",
  hard: "w_{ij} = 1 if j = argmax_ℓ s_{iℓ}, else 0",
  top_k: "w_{ij} = softmax over the k largest s_{iℓ}",
  local_gaussian: "w_{ij} = softmax(s_i)_j · exp(−(j − p_i)^2 / 2σ^2)",
  divide_by_sum: "w_{ij} = s_{ij} / Σ_ℓ s_{iℓ}",
  divide_by_count: "w_{ij} = s_{ij} / n",
  unnormalized: "w_{ij} = s_{ij}",
};

export function scoreFormula(name: string): HTMLElement {
  return formula(SCORE[name] ?? `s_{ij} = ${name}(q_i, k_j)`);
}

export function normalizerFormula(name: string): HTMLElement {
  return formula(NORMALIZER[name] ?? `w_i = ${name}(s_i)`);
}
