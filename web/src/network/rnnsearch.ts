// RNNsearch (Bahdanau, Cho & Bengio 2015) as regard/models/rnnsearch/model.py has it, step by step:
//
//   h_j = [->h_j ; <-h_j]                             two GRUs
//   e_ij = v^T tanh(W s_{i-1} + U h_j)
//   c_i = sum_j softmax_j(e_ij) h_j
//   s_i = GRU(s_{i-1}, [E y_{i-1} ; c_i])
//   p(y_i) = softmax(W_o maxout(s_{i-1}, E y_{i-1}, c_i))

import { addProduct, greatest, joined, linear, row, softmax, type Matrix } from "./tensors";

/** The network's tensors by their names in Python; of a stack of matrices the one of a cell. */
export interface Weights {
  matrix(name: string, cell?: number): Matrix;
  vector(name: string, cell?: number): Float32Array;
}

/** One token that was written, and where the network looked for it. */
export interface Step {
  readonly token: number;
  readonly probability: number;
  readonly weights: Float32Array;
  /** `W s`, the query's part of the sum inside the tanh. */
  readonly query: Float32Array;
}

export interface Written {
  readonly steps: Step[];
  /** `U h_j` of every token that was read. */
  readonly keys: Float32Array[];
  readonly values: Float32Array[];
  /** The vector `v` of the score. */
  readonly v: Float32Array;
}

/** The gated recurrent unit whose reset gate acts before the product. */
class GRU {
  readonly width: number;
  private readonly gateInput: Matrix;
  private readonly candidateInput: Matrix;
  private readonly gateBias: Float32Array;
  private readonly candidateBias: Float32Array;
  private readonly gateWeight: Matrix;
  private readonly candidateWeight: Matrix;

  constructor(weights: Weights, name: string, cell = 0) {
    this.gateInput = weights.matrix(`${name}.gate_input`, cell);
    this.candidateInput = weights.matrix(`${name}.candidate_input`, cell);
    this.gateBias = weights.vector(`${name}.gate_bias`, cell);
    this.candidateBias = weights.vector(`${name}.candidate_bias`, cell);
    this.gateWeight = weights.matrix(`${name}.gate_weight`, cell);
    this.candidateWeight = weights.matrix(`${name}.candidate_weight`, cell);
    this.width = this.candidateWeight.columns;
  }

  /** The state after `state`; `more` is what else than the input comes to gates and candidate. */
  after(
    state: Float32Array,
    input: Float32Array,
    more?: { gates: Float32Array; candidate: Float32Array },
  ): Float32Array {
    const width = this.width;
    const gates = addProduct(this.gateBias.slice(), input, this.gateInput);
    const candidate = addProduct(this.candidateBias.slice(), input, this.candidateInput);
    if (more) {
      more.gates.forEach((each, i) => (gates[i] += each));
      more.candidate.forEach((each, i) => (candidate[i] += each));
    }
    addProduct(gates, state, this.gateWeight);
    const open = gates.map((each) => 1 / (1 + Math.exp(-each)));
    const reset = state.map((each, i) => open[i] * each);
    addProduct(candidate, reset, this.candidateWeight);
    return state.map((each, i) => each + open[width + i] * (Math.tanh(candidate[i]) - each));
  }

  states(inputs: Float32Array[]): Float32Array[] {
    let state: Float32Array = new Float32Array(this.width);
    return inputs.map((input) => (state = this.after(state, input)));
  }
}

export class RNNsearch {
  private readonly forwards: GRU;
  private readonly backwards: GRU;
  private readonly decoder: GRU;

  constructor(private readonly weights: Weights) {
    this.forwards = new GRU(weights, "encoder", 0);
    this.backwards = new GRU(weights, "encoder", 1);
    this.decoder = new GRU(weights, "decoder");
  }

  /** Writes the most probable token after another until one is `end`, `longest` at most. */
  write(source: readonly number[], begin: number, end: number, longest: number): Written {
    const weights = this.weights;
    const words = source.map((token) => row(weights.matrix("source_embedding.weight"), token));
    const there = this.forwards.states(words);
    const back = this.backwards.states([...words].reverse()).reverse();
    const values = there.map((each, j) => joined(each, back[j]));
    const keys = values.map((each) => linear(each, weights.matrix("key.weight")));
    const steps: Step[] = [];
    let state = linear(back[0], weights.matrix("initial.weight"), weights.vector("initial.bias"));
    state = state.map(Math.tanh);
    for (let token = begin; steps.length < longest; ) {
      const query = linear(state, weights.matrix("attend.score.query_weight"));
      const looked = softmax(this.scores(query, keys));
      const context = new Float32Array(values[0].length);
      values.forEach((value, j) => value.forEach((each, i) => (context[i] += looked[j] * each)));
      const embedded = row(weights.matrix("target_embedding.weight"), token);
      const logits = this.logits(state, context, embedded);
      token = greatest(logits);
      if (token === end) break;
      steps.push({ token, probability: softmax(logits)[token], weights: looked, query });
      state = this.decoder.after(state, embedded, {
        gates: linear(context, weights.matrix("context_gate.weight")),
        candidate: linear(context, weights.matrix("context_candidate.weight")),
      });
    }
    return { steps, keys, values, v: weights.vector("attend.score.v") };
  }

  private scores(query: Float32Array, keys: Float32Array[]): Float32Array {
    const v = this.weights.vector("attend.score.v");
    return Float32Array.from(keys, (key) => {
      let sum = 0;
      for (let d = 0; d < v.length; d++) sum += v[d] * Math.tanh(query[d] + key[d]);
      return sum;
    });
  }

  private logits(state: Float32Array, context: Float32Array, embedded: Float32Array): Float32Array {
    const weights = this.weights;
    const read = joined(state, context, embedded);
    const pairs = linear(read, weights.matrix("readout.weight"), weights.vector("readout.bias"));
    const most = new Float32Array(pairs.length / 2);
    for (let i = 0; i < most.length; i++) most[i] = Math.max(pairs[2 * i], pairs[2 * i + 1]);
    return linear(most, weights.matrix("output.weight"), weights.vector("output.bias"));
  }
}
