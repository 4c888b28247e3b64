import type { Page, ReadBlock, StoredDocument } from "./document";
import { Combined, Difference, HeadField, Merged, merges, Plain, Rollout, type Axis, type Field } from "./field";
import { tableOf } from "./codes";
import { t } from "./i18n";
import { Layer } from "./layer";
import { AS_IT_RAN, type Change } from "./parts";
import type { State } from "./state";

/** Layers of one kind on the same tokens: an encoder, a decoder, what is between them. */
export interface Stack {
  kind: string;
  layers: number[];
  q: string;
  k: string;
  module: string;
}

export class Doc {
  readonly layers: Layer[];
  readonly axes: Record<string, Axis>;
  readonly stacks: Stack[];
  private readonly fields = new Map<string, Field>();

  constructor(
    readonly stored: StoredDocument,
    private readonly read: ReadBlock,
  ) {
    this.axes = Object.fromEntries(
      Object.entries(stored.axes).map(([name, { tokens, words, running }]) => [name, { name, tokens, words, running: running ?? null }]),
    );
    this.layers = stored.layers.map(
      (layer) => new Layer(layer, this.axes[layer.q].tokens.length, this.axes[layer.k].tokens.length, read),
    );
    this.stacks = stacksOf(stored);
  }

  stackOf(layer: number): number {
    return Math.max(0, this.stacks.findIndex((stack) => stack.layers.includes(layer)));
  }

  /** The layers that are combined where a stack is looked at as one. */
  private combined(stack: Stack, head: string, change: Change, byNorm: boolean): Field[] {
    return stack.layers.map((layer) => this.ofLayer(layer, head, change, byNorm));
  }

  private ofLayer(layer: number, head: string, change: Change, byNorm: boolean): Field {
    const found = this.layers[layer];
    const q = this.axes[found.stored.q];
    const k = this.axes[found.stored.k];
    if (head !== "mean" && head !== "max") {
      return new HeadField(found, Math.min(Number(head), found.heads - 1), q, k, change, byNorm);
    }
    const heads = Array.from({ length: found.heads }, (_, n) => new HeadField(found, n, q, k, change, byNorm));
    return heads.length === 1 ? heads[0] : new Combined(heads, head);
  }

  /** The matrix of a choice of layer and head. Equal choices give the same one. */
  field(layer: string, head: string, stack: number, change: Change = AS_IT_RAN, byNorm = false): Field {
    const key = JSON.stringify([layer, head, stack, change, byNorm]);
    let field = this.fields.get(key);
    if (!field) {
      if (this.fields.size > 64) this.fields.clear();
      this.fields.set(key, (field = this.made(layer, head, this.stacks[stack], change, byNorm)));
    }
    return field;
  }

  private made(layer: string, head: string, stack: Stack, change: Change, byNorm: boolean): Field {
    if (layer === "rollout") return new Rollout(this.combined(stack, "mean", change, byNorm));
    if (layer === "mean" || layer === "max") return new Combined(this.combined(stack, head, change, byNorm), layer);
    if (layer.startsWith("m") && layer !== "mean" && layer !== "max") {
      const matrix = this.stored.matrices[Number(layer.slice(1))];
      if (matrix) {
        const table = tableOf(matrix, 0);
        const read = async () => Float32Array.from(await this.read(matrix.block), (code) => table[code]);
        return new Plain(this.axes[matrix.q], this.axes[matrix.k], matrix.signed, read);
      }
    }
    return this.ofLayer(Math.min(Number(layer) || 0, this.layers.length - 1), head, change, byNorm);
  }

  /** Whether a rollout of this stack means something and is affordable here. */
  canRoll(stack: Stack): boolean {
    const layers = stack.layers.map((n) => this.layers[n]);
    return layers.length > 1 && stack.kind === "self" && stack.q === stack.k && layers.every((each) => each.isWhole || each.isComputed);
  }

  canCombine(stack: Stack): boolean {
    return stack.layers.length > 1 && stack.layers.every((n) => this.layers[n].hasRows);
  }
}

export class Model {
  readonly docs: Doc[];

  constructor(
    readonly page: Page,
    read: ReadBlock,
  ) {
    this.docs = page.documents.map((stored) => new Doc(stored, (block) => read(stored.first_block + block)));
  }

  doc(state: State): Doc {
    return this.docs[Math.min(state.doc, this.docs.length - 1)];
  }

  /** What is chosen, as it shall be looked at. */
  field(state: State): Field {
    const doc = this.doc(state);
    const field = doc.field(state.layer, state.head, state.stack, state.change, state.byNorm);
    return merges(field.q, field.k, state.merge) ? new Merged(field, state.merge) : field;
  }

  otherField(state: State): Field {
    const { doc } = state.other;
    const layer = state.other.layer === "same" ? state.layer : state.other.layer;
    const head = state.other.head === "same" ? state.head : state.other.head;
    const found = this.docs[Math.min(doc, this.docs.length - 1)];
    const number = Number(layer);
    const stack = Number.isNaN(number) ? state.stack : found.stackOf(number);
    const field = found.field(layer, head, stack);
    return merges(field.q, field.k, state.merge) ? new Merged(field, state.merge) : field;
  }

  difference(state: State): Field | null {
    const one = this.field(state);
    const other = this.otherField(state);
    return Difference.fits(one, other) ? new Difference(one, other) : null;
  }

  /** The numbers of a state made to exist, whatever a link said. */
  settled(state: State): State {
    const doc = Math.max(0, Math.min(state.doc, this.docs.length - 1));
    const found = this.docs[doc];
    let { layer, head, stack } = state;
    stack = Math.max(0, Math.min(stack, found.stacks.length - 1));
    if (/^\d+$/.test(layer)) {
      const number = Math.min(Number(layer), found.layers.length - 1);
      layer = String(number);
      stack = found.stackOf(number);
      if (/^\d+$/.test(head)) head = String(Math.min(Number(head), found.layers[number].heads - 1));
    } else if (layer === "rollout" && !found.canRoll(found.stacks[stack])) layer = String(found.stacks[stack].layers[0]);
    else if (/^m\d+$/.test(layer) && !found.stored.matrices[Number(layer.slice(1))]) layer = "0";
    const settled = { ...state, doc, layer, head, stack };
    const field = this.field(settled);
    const q = Math.max(0, Math.min(state.q, field.q.tokens.length - 1));
    const k = Math.max(-1, Math.min(state.k, field.k.tokens.length - 1));
    return { ...settled, q, k };
  }

  layerName(doc: Doc, layer: string): string {
    if (layer === "mean") return t("mean_layers");
    if (layer === "max") return t("max_layers");
    if (layer === "rollout") return t("rollout");
    if (/^m\d+$/.test(layer)) return doc.stored.matrices[Number(layer.slice(1))]?.name ?? layer;
    const stack = doc.stacks[doc.stackOf(Number(layer))];
    return `${t("layer")} ${stack.layers.indexOf(Number(layer))}`;
  }

  headName(head: string): string {
    if (head === "mean") return t("mean_heads");
    if (head === "max") return t("max_heads");
    return `${t("head")} ${head}`;
  }
}

function stacksOf(stored: StoredDocument): Stack[] {
  const found = new Map<string, Stack>();
  stored.layers.forEach((layer, number) => {
    const module = /decoder/i.test(layer.name) ? "decoder" : /encoder/i.test(layer.name) ? "encoder" : "";
    const key = JSON.stringify([layer.kind, module, layer.q, layer.k]);
    const stack = found.get(key) ?? { kind: layer.kind, layers: [], q: layer.q, k: layer.k, module };
    stack.layers.push(number);
    found.set(key, stack);
  });
  return [...found.values()];
}

/** What the stacks are called; those of one name by the end of their first layer's, too. */
export function stackNames(doc: Doc): string[] {
  const names = doc.stacks.map(stackName);
  return names.map((name, n) => {
    if (names.indexOf(name) === n && names.lastIndexOf(name) === n) return name;
    return `${name} · ${doc.stored.layers[doc.stacks[n].layers[0]].name.split(".").slice(-2).join(".")}`;
  });
}

function stackName(stack: Stack): string {
  if (stack.kind === "cross") return t("stack_cross");
  if (stack.kind === "pool") return t("stack_pool");
  if (stack.kind === "gate") return t("stack_gate");
  if (stack.module === "decoder") return t("stack_decoder");
  if (stack.module === "encoder") return t("stack_encoder");
  return t("stack_self");
}
