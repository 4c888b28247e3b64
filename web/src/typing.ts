import type { Answered, Answers, Head, Question } from "./answers";
import type { ReadBlock, StoredDocument } from "./document";
import { fill, h, percent } from "./dom";
import { lang, t } from "./i18n";
import { visible } from "./tokens";

const PAUSE = 120;
const TAG = /^\s*<([^<>\s]*)>\s*/;
const MOST_BYTES = 8 * 2 ** 20;

/** A field to type in or a place for a picture, and the answer, each token to be chosen as query. */
export class Typing {
  readonly element = h("form", { class: "typing", autocomplete: "off" });
  /** Set by whoever shows documents. */
  opens: (document: StoredDocument, read: ReadBlock) => void = () => undefined;
  picks: (q: number) => void = () => undefined;
  chosen: () => Head | null = () => null;
  private readonly input = h("input", { type: "text", name: "text", spellcheck: "false", dir: "auto" });
  private readonly file = h("input", { type: "file", name: "picture", accept: "image/*" });
  private readonly layers = h("input", { type: "text", name: "layers", spellcheck: "false" });
  private readonly languages = h("select", { name: "language" });
  private readonly letters = h("div", { class: "letters", role: "group" });
  private readonly problem = h("p", { class: "problem", role: "status" });
  private readonly progress = h("progress", { hidden: true });
  private answered: Answered | null = null;
  private picture: File | null = null;
  private said = "";
  private run = 0;
  private example = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly answers: Answers,
    first: string,
  ) {
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.ask();
    });
    this.input.addEventListener("input", () => {
      this.retag();
      if (answers.atOnce) this.soon();
    });
    this.languages.addEventListener("change", () => {
      if (this.input.value.trim()) void this.ask();
    });
    if (answers.ofPictures) this.takePictures();
    this.type(first || (answers.examples[0] ?? ""));
    if (answers.atOnce) void this.ask();
  }

  private takePictures(): void {
    this.file.addEventListener("change", () => this.take(this.file.files?.[0]));
    for (const name of ["dragenter", "dragover"]) {
      this.element.addEventListener(name, (event) => {
        event.preventDefault();
        this.element.classList.add("over");
      });
    }
    this.element.addEventListener("dragleave", () => this.element.classList.remove("over"));
    this.element.addEventListener("drop", (event) => {
      event.preventDefault();
      this.element.classList.remove("over");
      this.take(event.dataTransfer?.files[0]);
    });
  }

  private take(file: File | undefined): void {
    if (!file) return;
    if (file.size > MOST_BYTES) {
      this.problem.textContent = t("ask_large", { most: MOST_BYTES / 2 ** 20 });
      return;
    }
    this.picture = file;
    void this.ask();
  }

  /** Put a text into the field, its tag into the choice of languages. */
  type(text: string): void {
    this.input.value = text;
    this.retag();
  }

  focus(): void {
    (this.answers.ofPictures ? this.file : this.input).focus();
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
  async ask(more: Partial<Question> = {}): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    const run = ++this.run;
    const question: Question = {
      text: this.text, picture: this.picture, layers: this.layers.value, without: null, effects: false, ...more,
    };
    let problem = "";
    let answered: Answered | null = null;
    this.wait(!this.answers.atOnce);
    try {
      answered = await this.answers.ask(question, (done, total) => run === this.run && this.far(done, total));
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    if (run !== this.run) return;
    this.wait(false);
    if (answered) this.answered = answered;
    else if (this.answers.atOnce) this.answered = null;
    this.problem.textContent = answered?.note ?? problem;
    this.element.classList.toggle("failed", !answered);
    if (answered) this.opens(answered.document, answered.read);
    else this.drawLetters(-1);
    this.element.dataset["answered"] = String(run);
  }

  private wait(waiting: boolean): void {
    this.progress.hidden = !waiting;
    this.progress.removeAttribute("value");
    if (waiting) this.problem.textContent = "";
    for (const button of this.element.querySelectorAll<HTMLButtonElement>("button:not(.letter)")) button.disabled = waiting;
  }

  private far(done: number, total: number): void {
    if (!total) return;
    this.progress.max = total;
    this.progress.value = done;
    this.problem.textContent = t("ask_far", { done, total });
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
    if (answers.languages.length) this.fillLanguages();
    if (this.element.lang !== lang()) {
      // What was said of the answer is said anew.
      if (answers.atOnce && this.element.lang) void this.ask();
      this.element.lang = lang();
      this.build();
    }
    const head = this.chosen();
    const without = this.element.querySelector<HTMLButtonElement>("[data-name=without]");
    if (without) {
      without.hidden = !head;
      if (head) without.textContent = t("ask_without", { layer: visible(head.layer, 40), head: head.head });
    }
    this.element.querySelectorAll<HTMLElement>("[data-name=effects]").forEach((each) => (each.hidden = !this.answered));
    this.drawLetters(q);
  }

  private build(): void {
    const { answers } = this;
    const many = answers.languages.length > 0;
    const label = t(answers.ofPictures ? "ask_picture" : answers.changes ? "ask_server" : "ask_label");
    this.input.setAttribute("aria-label", label);
    this.input.placeholder = label;
    this.languages.setAttribute("aria-label", t("ask_language"));
    this.layers.setAttribute("aria-label", t("ask_layers"));
    this.layers.placeholder = t("ask_layers");
    this.letters.setAttribute("aria-label", t("answer"));
    const focused = (this.element.getRootNode() as ShadowRoot).activeElement;
    const quiet = (name: string, text: string, click: () => void) => h("button", { type: "button", class: "quiet", "data-name": name, text, click });
    fill(
      this.element,
      many ? this.languages : null,
      answers.ofPictures ? h("label", { class: "drop" }, h("span", { text: label }), this.file) : this.input,
      answers.changes ? this.layers : null,
      h("button", { type: "submit", text: t("ask") }),
      answers.examples.length > 1 ? quiet("example", t("ask_another"), () => this.another()) : null,
      this.letters,
      answers.changes ? h("div", { class: "changes" },
        quiet("without", "", () => void this.ask({ without: this.chosen() })),
        quiet("effects", t("ask_effects"), () => void this.ask({ effects: true }))) : null,
      this.progress,
      this.problem,
    );
    for (const each of [this.input, this.layers]) if (focused === each) each.focus();
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
        title: likely || null, "aria-label": `${visible(text, 24)} ${likely}`.trim(), click: () => this.picks(n),
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
