// What stands between a written date and its numbers, as regard/tasks/dates/coder.py has it.

import { t } from "../i18n";
import { visible } from "../tokens";

/** The characters of both sides, as Python wrote them into the page. */
export interface StoredCoder {
  source: string[];
  target: string[];
  /** The zero of every script that has digits; its nine others follow it. */
  zeros: number[];
  longest: number;
  max_length: number;
}

const UNKNOWN = "<unk>";
const TAGGED = /^<([^<>\s]*)>\s*([^]*)$/u;

export class DateCoder {
  readonly begin: number;
  readonly end: number;
  private readonly numbers: Map<string, number>;

  constructor(readonly stored: StoredCoder) {
    this.numbers = new Map(stored.source.map((token, number) => [token, number]));
    this.begin = stored.target.indexOf("<s>");
    this.end = stored.target.indexOf("</s>");
  }

  /** The tags of the languages that were learned. */
  get languages(): string[] {
    return this.stored.source.slice(4).filter((token) => token.length > 1 && token.startsWith("<")).map((token) => token.slice(1, -1));
  }

  /** The tag and the characters of a text; digits of every script become ASCII ones. */
  tokens(text: string): string[] {
    const match = TAGGED.exec(text.trim());
    if (!match) throw new Error(t("date_untagged"));
    const [, tag, rest] = match;
    if (!this.numbers.has(`<${tag}>`)) throw new Error(t("date_language", { tag: visible(tag, 20), count: this.languages.length }));
    const body = Array.from(rest.normalize("NFC"));
    const { longest } = this.stored;
    if (body.length < 1 || body.length > longest) throw new Error(t("date_length", { longest, length: body.length }));
    return [`<${tag}>`, ...body.map((character) => this.asciiDigit(character))];
  }

  encode(tokens: readonly string[]): number[] {
    const unknown = this.numbers.get(UNKNOWN)!;
    return tokens.map((token) => this.numbers.get(token) ?? unknown);
  }

  /** The distinct tokens that were never learned. */
  unknown(tokens: readonly string[]): string[] {
    return [...new Set(tokens)].filter((token) => !this.numbers.has(token)).sort();
  }

  decode(numbers: readonly number[]): string[] {
    return numbers.map((number) => this.stored.target[number]);
  }

  private asciiDigit(character: string): string {
    const code = character.codePointAt(0)!;
    const zero = this.stored.zeros.find((each) => code >= each && code < each + 10);
    return zero === undefined ? character : String(code - zero);
  }
}
