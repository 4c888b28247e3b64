import type { Answered, Answers, Question } from "../answers";
import type { ReadBlock, Single, StoredDocument, StoredLayer } from "../document";
import { t } from "../i18n";
import { norm } from "../parts";
import { visible } from "../tokens";
import { DateCoder } from "./coder";
import { RNNsearch, type Written } from "./rnnsearch";
import { readWeights, type StoredNetwork } from "./stored";
import { joined } from "./tensors";

/** A network inside the page: what is typed is answered here, and what it attended to is a document. */
export class Carried implements Answers {
  readonly atOnce = true;
  readonly ofPictures = false;
  readonly changes = false;
  readonly coder: DateCoder;
  private network: Promise<RNNsearch> | null = null;

  constructor(
    private readonly stored: StoredNetwork,
    private readonly first: StoredDocument,
    private readonly read: ReadBlock,
  ) {
    this.coder = new DateCoder(stored.coder);
  }

  get languages(): string[] {
    return this.coder.languages;
  }

  get examples(): string[] {
    return this.stored.examples;
  }

  /** What the network writes, step by step. */
  async write(tokens: readonly string[]): Promise<Written> {
    this.network ??= readWeights(this.stored, this.read).then((weights) => new RNNsearch(weights));
    const { begin, end, stored } = this.coder;
    return (await this.network).write(this.coder.encode(tokens), begin, end, stored.max_length);
  }

  async ask({ text }: Question): Promise<Answered> {
    const tokens = this.coder.tokens(text);
    const written = await this.write(tokens);
    if (!written.steps.length) throw new Error(t("date_nothing"));
    const letters = this.coder.decode(written.steps.map(({ token }) => token));
    const unknown = this.coder.unknown(tokens).map((each) => visible(each, 12));
    const blocks = new Held();
    const document: StoredDocument = {
      ...this.first,
      about: { ...this.first.about, title: text, answer: letters.join("") },
      axes: { tokens: { tokens, words: null }, queries: { tokens: letters, words: null } },
      layers: [this.layer(written, blocks)],
      first_block: 0,
    };
    return {
      document,
      read: blocks.read,
      letters: written.steps.map(({ probability }, n) => ({ text: letters[n], probability })),
      note: unknown.length ? t("date_unknown", { characters: unknown.join(" ") }) : "",
    };
  }

  /** The attention of all steps as one map, with query, key and value in single precision. */
  private layer({ steps, keys, values, v }: Written, blocks: Held): StoredLayer {
    const shape = [1, steps.length, keys.length];
    const codes = Uint8Array.from(steps.flatMap(({ weights }) => Array.from(weights, (w) => Math.round(255 * Math.sqrt(w)))));
    const lengths = Float32Array.from(values, (value) => norm(value));
    return {
      ...this.first.layers[0],
      provenance: t("network_here"),
      weights: { kind: "computed", thumb: { block: blocks.add(codes), shape, peaks: [1], levels: 255, signed: false } },
      parts: {
        score: "additive", scale: 1, normalizer: "softmax", numbers: {}, bits: 32, error: null,
        mask: { kind: "all" }, bias: { kind: "none" },
        query: blocks.single([1, steps.length, v.length], joined(...steps.map(({ query }) => query))),
        key: blocks.single([1, keys.length, v.length], joined(...keys)),
        value: blocks.single([1, values.length, values[0].length], joined(...values)),
        value_norms: blocks.single([1, values.length], lengths),
        parameters: { v: blocks.single([v.length], v) },
      },
    };
  }
}

/** Blocks of a document that was made here and is in no file. */
class Held {
  private readonly all: Uint8Array[] = [];

  add(bytes: Uint8Array): number {
    return this.all.push(bytes) - 1;
  }

  single(shape: number[], numbers: Float32Array): Single {
    return { kind: "single", block: this.add(new Uint8Array(numbers.slice().buffer)), shape, factor: 1 };
  }

  readonly read: ReadBlock = (number) => Promise.resolve(this.all[number]);
}
