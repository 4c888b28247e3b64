import type { Answers } from "./answers";
import { App } from "./app";
import type { Page, ReadBlock } from "./document";
import { setLang } from "./i18n";
import css from "./style.css";

/** What the page needs to know, whoever hosts it: a file, a notebook, a server. */
export interface Host {
  page: Page;
  read: ReadBlock;
  /** Whether the address of the window is this page's own, to be written into. */
  link: boolean;
  /** Who answers what is typed; nothing can be typed if null. */
  answers?: Answers | null;
}

/** Draw into an element. Several on one page know nothing of each other. */
export function render({ model, el }: { model: Host; el: HTMLElement }): App {
  const root = el.shadowRoot ?? el.attachShadow({ mode: "open" });
  const style = document.createElement("style");
  style.textContent = css;
  root.replaceChildren(style);
  const wanted = model.page.lang || navigator.language;
  setLang(wanted.toLowerCase().startsWith("zh") ? "zh" : "en");
  return new App(root, model.page, model.read, model.link, model.answers ?? null);
}
