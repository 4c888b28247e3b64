import type { Answers } from "./answers";
import { App } from "./app";
import type { Page, ReadBlock } from "./document";
import { h } from "./dom";
import { lang, setLang, type Lang } from "./i18n";
import { shadesOfText } from "./flow";
import css from "./style.css";
import { Typing } from "./typing";

/** What the page needs to know, whoever hosts it: a file, a notebook, a server. */
export interface Host {
  page: Page;
  read: ReadBlock;
  /** Whether the address of the window is this page's own, to be written into. */
  link: boolean;
  /** Who answers what is typed; nothing can be typed if null. */
  answers?: Answers | null;
  /** Why nothing can be asked. */
  problem?: string;
}

/** The language of a page, or else of its reader. */
export function preferred(wanted = ""): Lang {
  return (wanted || navigator.language).toLowerCase().startsWith("zh") ? "zh" : "en";
}

/** Draw into an element. Several on one page know nothing of each other. */
export function render({ model, el }: { model: Host; el: HTMLElement }): App | null {
  const root = el.shadowRoot ?? el.attachShadow({ mode: "open" });
  const style = document.createElement("style");
  style.textContent = css + shadesOfText();
  root.replaceChildren(style);
  setLang(preferred(model.page.lang));
  const [first] = model.page.documents;
  const typing = model.answers ? new Typing(model.answers, first?.about.title ?? "") : null;
  if (first) return shown(new App(root, model.page, model.read, model.link, typing), el);
  const dark = globalThis.matchMedia?.("(prefers-color-scheme: dark)").matches;
  const empty = h("div", { class: "regard", "data-theme": dark ? "dark" : "light", lang: lang() },
    model.problem ? h("p", { class: "problem", role: "alert", text: model.problem }) : null, typing?.element);
  root.append(empty);
  if (typing) {
    typing.show(-1);
    typing.opens = (stored, read) => {
      empty.remove();
      shown(new App(root, { ...model.page, documents: [stored] }, read, model.link, typing), el);
    };
    typing.focus();
  }
  return null;
}

/** The page can be asked from outside, as tests do. */
function shown(app: App, el: HTMLElement): App {
  (el as unknown as Record<string, unknown>)["regard"] = app;
  return app;
}
