import type { Answered, Answers } from "./answers";
import type { ReadBlock, StoredDocument } from "./document";
import { fill, h, percent } from "./dom";
import { lang, t } from "./i18n";
import { visible } from "./tokens";

const PAUSE = 120;
const TAG = /^\s*<([^<>\s]*)>\s*/;

/** A field to type in, and the answer beside it, each token to be chosen as the query. */
export class Typing {
  readonly element = h("form", { class: "typing", autocomplete: "off" });
  private readonly input = h("input", { type: "text", name: "text", spellcheck: "false", dir: "auto" });
  private readonly languages = h("select", { name: "language" });
  private readonly letters = h("div", { class: "letters", role: "group" });
  private readonly problem = h("p", { class: "problem", role: "status" });
  private answered: Answered | null = null;
  private said = "";
  private run = 0;
  private example = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly answers: Answers,
    first: StoredDocument,
    private readonly open: (document: StoredDocument, read: ReadBlock) => void,
    private readonly pick: (q: number) => void,
  ) {
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.ask();
    });
    this.input.addEventListener("input", () => {
      this.retag();
      if (answers.atOnce) this.soon();
    });
    this.languages.addEventListener("change", () => void this.ask());
    this.type(first.about.title ?? answers.examples[0] ?? "");
    if (answers.atOnce) void this.ask();
  }

  /** Put a text into the field, its tag into the choice of languages. */
  type(text: string): void {
    this.input.value = text;
    this.retag();
  }

  /** What is asked: the text in the field, behind the tag that is chosen. */
  get text(): string {
    const { value } = this.input;
    return this.answers.languages.length && !TAG.test(value) ? `<${this.languages.value}> ${value}` : value;
  }

  /** A tag that was typed is chosen, if it is one that there is. */
  private retag(): void {
    const found = TAG.exec(this.input.value);
    if (!found || !this.answers.languages.includes(found[1])) return;
    this.fillLanguages();
    this.languages.value = found[1];
    this.input.value = this.input.value.slice(found[0].length);
  }

  private soon(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.ask(), PAUSE);
  }

  /** Ask, and show what comes back; of several questions the last one's. */
  async ask(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    const run = ++this.run;
    let problem = "";
    let answered: Answered | null = null;
    try {
      answered = await this.answers.ask(this.text);
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    if (run !== this.run) return;
    this.answered = answered;
    this.problem.textContent = answered?.note ?? problem;
    this.element.classList.toggle("failed", !answered);
    if (answered) this.open(answered.document, answered.read);
    else this.drawLetters(-1);
    this.element.dataset["answered"] = String(run);
  }

  private fillLanguages(): void {
    if (this.said === lang()) return;
    this.said = lang();
    const { value } = this.languages;
    const own = new Intl.DisplayNames([lang()], { type: "language", fallback: "code" });
    fill(this.languages, ...this.answers.languages.map((tag) => h("option", { value: tag, text: `${tag} · ${named(own, tag)}` })));
    if (value) this.languages.value = value;
  }

  /** Bring the words to the language of the page, and mark the letter of the chosen query. */
  show(q: number): void {
    const { answers } = this;
    const many = answers.languages.length > 0;
    if (many) this.fillLanguages();
    if (this.element.lang !== lang()) {
      // What was said of the answer is said anew.
      if (answers.atOnce && this.element.lang) void this.ask();
      this.element.lang = lang();
      this.input.setAttribute("aria-label", t(many ? "ask_label" : "ask_server"));
      this.input.placeholder = t(many ? "ask_label" : "ask_server");
      this.languages.setAttribute("aria-label", t("ask_language"));
      this.letters.setAttribute("aria-label", t("answer"));
      const focused = this.element.getRootNode() as ShadowRoot;
      const typing = focused.activeElement === this.input;
      fill(
        this.element,
        many ? this.languages : null,
        this.input,
        h("button", { type: "submit", text: t("ask") }),
        answers.examples.length > 1 ? h("button", { type: "button", class: "quiet", "data-name": "example", text: t("ask_another"), click: () => this.another() }) : null,
        this.letters,
        this.problem,
      );
      if (typing) this.input.focus();
    }
    this.drawLetters(q);
  }

  private another(): void {
    this.example = (this.example + 1) % this.answers.examples.length;
    this.type(this.answers.examples[this.example]);
    void this.ask();
  }

  private drawLetters(q: number): void {
    const letters = this.answered?.letters ?? [];
    fill(this.letters, ...letters.map(({ text, probability }, n) => {
      const likely = probability === null ? "" : t("ask_probability", { value: percent(probability) });
      return h("button", {
        type: "button", class: probability !== null && probability < 0.5 ? "letter unsure" : "letter", "aria-pressed": String(n === q),
        title: likely || null, "aria-label": `${visible(text, 24)} ${likely}`.trim(), click: () => this.pick(n),
      }, h("b", { dir: "auto", text: visible(text, 24) }), probability === null ? null : h("small", { text: percent(probability) }));
    }));
  }
}

function named(names: Intl.DisplayNames, tag: string): string {
  try {
    return names.of(tag.replaceAll("_", "-")) ?? tag;
  } catch {
    return tag;
  }
}
