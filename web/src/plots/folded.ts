import { h } from "../dom";
import { t } from "../i18n";
import { readable } from "../tokens";
import { grouped } from "./ticks";

/** Characters that are shown without being asked for. */
const MOST_OPEN = 280;

/** A text that runs its own way; a long one shows its beginning and opens on request. */
export function folded(content: string): HTMLElement {
  const letters = Array.from(content);
  if (letters.length <= MOST_OPEN) return h("span", { dir: "auto", text: readable(content) });
  return h("details", { class: "fold" },
    h("summary", {}, h("span", { class: "start", dir: "auto", text: `${readable(letters.slice(0, 210).join(""))} …` }), " ",
      h("span", { class: "more", text: t("show_all", { count: grouped(letters.length) }) })),
    h("div", { dir: "auto", text: readable(content) }));
}
