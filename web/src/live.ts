// The host of `regard serve`: questions go to the server that the page came from.

import type { Answered, Answers, Progress, Question } from "./answers";
import { blocksOf } from "./blocks";
import type { StoredDocument } from "./document";
import { said } from "./dom";
import { t } from "./i18n";
import { render } from "./render";

const TOKEN = /(?:^#|&)token=([\w-]+)/;
const KEPT = "regard-token";

interface About {
  name: string;
  takes: "text" | "picture";
  languages: string[];
  examples: string[];
}

interface Found {
  answer: string;
  letters: string[];
  before?: string;
  change?: number;
  document: StoredDocument;
  blocks: string[];
}

/** The token that the address ends in; it is taken out of the address, and kept for this tab. */
function takeToken(): string {
  const found = TOKEN.exec(location.hash);
  if (found) {
    sessionStorage.setItem(KEPT, found[1]);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(KEPT) ?? "";
}

class Server implements Answers {
  readonly atOnce = false;
  readonly changes = true;
  readonly examples: string[];
  readonly languages: string[];
  readonly ofPictures: boolean;

  constructor(
    private readonly token: string,
    readonly about: About,
  ) {
    this.languages = about.languages;
    this.examples = about.examples;
    this.ofPictures = about.takes === "picture";
  }

  async ask(question: Question, progress: Progress): Promise<Answered> {
    const { text, picture, without, effects } = question;
    const body: Record<string, unknown> = { layers: layersOf(question.layers), without, effects };
    if (!this.ofPictures) body["text"] = text;
    else if (picture) body["picture"] = await base64(picture);
    else throw new Error(t("ask_no_picture"));
    const found = await this.send(this.ofPictures ? "/api/picture" : "/api/ask", body, progress);
    const changed = found.change === undefined ? ""
      : t(found.before === found.answer ? "without_same" : "without_other", {
          layer: without!.layer, head: without!.head, before: found.before ?? "", answer: found.answer, change: said(found.change, 4),
        });
    const about = picture && this.ofPictures ? { ...found.document.about, title: picture.name } : found.document.about;
    return {
      document: { ...found.document, about, first_block: 0 },
      read: blocksOf(found.blocks.map((textContent) => ({ textContent }))),
      letters: found.letters.map((each) => ({ text: each, probability: null })),
      note: changed,
    };
  }

  /** Lines of JSON come back: how far it is, and in the end the answer. */
  private async send(path: string, body: unknown, progress: Progress): Promise<Found> {
    const response = await post(path, this.token, body);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      text += value ?? "";
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
        const [at, total] = (JSON.parse(text.slice(0, end)) as { progress: [number, number] }).progress;
        progress(at, total);
        text = text.slice(end + 1);
      }
      if (done) break;
    }
    if (!text) throw new Error(t("ask_cut"));
    const found = JSON.parse(text) as Found & { error?: string };
    if (found.error) throw new Error(found.error);
    return found;
  }
}

async function post(path: string, token: string, body: unknown): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, {
      method: "POST", headers: { "content-type": "application/json", authorization: `Bearer ${token}` }, body: JSON.stringify(body),
    });
  } catch {
    throw new Error(t("ask_gone"));
  }
  if (response.ok) return response;
  const { error } = (await response.json()) as { error: string };
  throw new Error(error);
}

/** `0-3, -1, decoder.*` as numbers and names; null for all. */
export function layersOf(typed: string): (number | string)[] | null {
  const found: (number | string)[] = [];
  for (const part of typed.split(/[,，\s]+/).filter(Boolean)) {
    const range = /^(\d{1,4})-(\d{1,4})$/.exec(part);
    if (range) for (let n = Number(range[1]); n <= Number(range[2]); n++) found.push(n);
    else found.push(/^-?\d{1,4}$/.test(part) ? Number(part) : part);
  }
  return found.length ? found : null;
}

async function base64(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

/** Begin with an empty field; the views come with the first answer. */
export async function live(el: HTMLElement): Promise<void> {
  const token = takeToken();
  let about: About | null = null;
  let problem = "";
  try {
    about = (await (await post("/api/about", token, {})).json()) as About;
    document.title = about.name;
  } catch (error) {
    problem = (error as Error).message;
  }
  const answers = about && new Server(token, about);
  render({ model: { page: { format: 1, kind: "one", lang: "", documents: [] }, read: () => Promise.reject(), link: true, answers, problem }, el });
}
