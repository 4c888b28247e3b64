import type { Head } from "./answers";
import { Ask } from "./ask";
import type { Page, ReadBlock, StoredDocument } from "./document";
import { fill, h, icon, said, select } from "./dom";
import { grouped, groupOfEach, merges, type Field, type Level } from "./field";
import { Flow } from "./flow";
import { Grid } from "./grid";
import { Heat } from "./heat";
import { lang, onLang, setLang, t, type Word } from "./i18n";
import { Lines } from "./lines";
import { largest } from "./normalizers";
import { Model, stackNames, type Doc } from "./model";
import { css, headColor, lut, PALETTES, type PaletteName } from "./palette";
import { Picture } from "./picture";
import { provenance } from "./provenance";
import { RowTable } from "./rowtable";
import { csv, download, svgLines, svgMatrix, svgOf } from "./save";
import { searched } from "./search";
import { share } from "./shade";
import { read, START, Store, written, type PanelName, type State, type ViewName } from "./state";
import { Steps } from "./steps";
import { plainText, visible } from "./tokens";
import { Typing } from "./typing";
import { WhatIf } from "./whatif";

const LEFT = "M10 3 5 8l5 5";
const RIGHT = "m6 3 5 5-5 5";

/** The whole page inside an element, and what may be asked of it from outside. */
export class App {
  model: Model;
  readonly store: Store;
  private readonly root: HTMLElement;
  private readonly grid: Grid;
  private readonly lines: Lines;
  private readonly heat: Heat;
  private readonly compare: [Heat, Heat, Heat];
  private readonly flow: Flow;
  private readonly picture: Picture;
  private readonly table: RowTable;
  private readonly steps = new Steps();
  private readonly whatIf: WhatIf;
  private readonly ask = new Ask();
  private readonly live = h("p", { class: "hidden", "aria-live": "polite" });
  private readonly top = h("header", { class: "top" });
  private readonly facts = h("div", { class: "facts" });
  private readonly choose = h("div", { class: "choose" });
  private readonly side = h("aside", { class: "side" });
  private readonly sideTools = h("div", { class: "side-tools" });
  private readonly stage = h("section", { class: "stage" });
  private readonly tabs = h("div", { class: "tabs", role: "tablist" });
  private readonly options = h("div", { class: "options" });
  private readonly viewBox = h("div", { class: "view" });
  private readonly panel = h("aside", { class: "panel" });
  private readonly panelTabs = h("div", { class: "tabs", role: "tablist" });
  private readonly panelBox = h("div", { class: "panel-box" });
  private found: Map<string, number> | null = null;
  private playing: ReturnType<typeof setInterval> | null = null;
  private shown = "";

  constructor(
    private readonly host: HTMLElement | ShadowRoot,
    page: Page,
    readBlock: ReadBlock,
    private readonly link: boolean,
    readonly typing: Typing | null = null,
  ) {
    this.model = new Model(page, readBlock);
    const first = this.model.docs[0];
    const start: State = { ...START, view: first.stored.image ? "picture" : "lines" };
    if (page.kind === "compare" && page.documents.length > 1) {
      start.view = "compare";
      start.other = { doc: 1, layer: "same", head: "same" };
    }
    if (page.kind === "film") start.doc = reel(page, 0).last;
    if (page.inset && page.kind === "film" && !first.stored.image) start.view = first.stored.layers.every((layer) => first.axes[layer.q].tokens.length === 1) ? "text" : "matrix";
    start.q = firstWord(first);
    this.store = new Store(this.model.settled({ ...start, ...(link ? read(location.hash) : {}) }));
    this.grid = new Grid(({ layer, head }) => this.set({ layer: String(layer), head: String(head) }));
    this.lines = new Lines((picked) => this.set(picked));
    this.heat = new Heat((picked) => this.set(picked));
    this.compare = [0, 1, 2].map(() => new Heat((picked) => this.set(picked))) as [Heat, Heat, Heat];
    this.flow = new Flow((picked) => this.set(picked), (toward) => this.set({ toward }));
    this.picture = new Picture((picked) => this.set(picked));
    this.table = new RowTable((k) => this.set({ k }));
    this.whatIf = new WhatIf((change) => this.set({ change }));
    if (typing) {
      typing.opens = (document, read) => this.open(document, read);
      typing.picks = (q) => this.set({ q, k: -1 });
      typing.chosen = () => this.chosen();
    }
    this.root = h("div", { class: page.inset ? "regard inset" : "regard", tabindex: "-1" });
    this.build();
    this.store.listen((_, changed) => void this.update(changed));
    this.keys();
    this.watch();
    void this.update();
  }

  /** Change what is looked at; what does not exist becomes what is nearest. */
  set(patch: Partial<State>): void {
    const settled = this.model.settled({ ...this.store.state, ...patch });
    this.store.set(settled);
  }

  /** Look at another document in the place of those that are there. */
  open(document: StoredDocument, read: ReadBlock): void {
    this.model = new Model({ ...this.model.page, kind: "one", documents: [document] }, read);
    this.grid.forget();
    this.found = null;
    this.store.state = this.model.settled({ ...this.state, doc: 0, k: -1 });
    void this.update();
  }

  /** The head that is looked at, by what the network calls it; null where it is not one. */
  private chosen(): Head | null {
    const layer = this.model.doc(this.state).layers[Number(this.state.layer)];
    const head = Number(this.state.head);
    return layer && !Number.isNaN(head) && layer.stored.kind !== "gate" ? { layer: layer.stored.name, head, of: layer.heads } : null;
  }

  get state(): State {
    return this.store.state;
  }

  /** The weights that are looked at, one query's. */
  async row(): Promise<number[]> {
    const field = this.model.field(this.state);
    await field.load();
    return Array.from(field.row(this.state.q));
  }

  private build(): void {
    this.side.append(h("h2", { class: "hidden", text: t("all_heads") }), this.sideTools, this.grid.element);
    this.stage.append(h("div", { class: "stage-bar" }, this.tabs, this.options), this.viewBox);
    this.panel.append(this.panelTabs, this.panelBox);
    fill(this.root, this.typing?.element, this.top, this.facts, this.choose, h("div", { class: "main" }, this.side, this.stage, this.panel), this.live);
    this.host.append(this.root);
    this.grid.element.addEventListener("measured", () => {
      this.drawGrid();
      this.drawChoose();
    });
  }

  private get dark(): boolean {
    if (this.state.theme) return this.state.theme === "dark";
    return globalThis.matchMedia?.("(prefers-color-scheme: dark)").matches ?? false;
  }

  private watch(): void {
    globalThis.matchMedia?.("(prefers-color-scheme: dark)").addEventListener("change", () => void this.update());
    onLang(() => void this.update());
    let width = 0;
    new ResizeObserver(() => {
      const now = this.root.clientWidth;
      if (Math.abs(now - width) < 2) return;
      width = now;
      requestAnimationFrame(() => this.resized());
    }).observe(this.root);
    if (this.link) {
      globalThis.addEventListener("hashchange", () => {
        if (location.hash !== written(this.state)) this.set(read(location.hash));
      });
    }
  }

  private resized(): void {
    this.grid.redraw();
    this.lines.redraw();
    this.heat.redraw();
    if (this.state.view === "compare") for (const heat of this.compare) heat.redraw();
  }

  private get fieldKey(): string {
    const { doc, layer, head, stack, merge, byNorm, change } = this.state;
    return JSON.stringify([doc, layer, head, stack, merge, byNorm, change]);
  }

  /** Bring everything on screen to the state. */
  private async update(changed: ReadonlySet<keyof State> | null = null): Promise<void> {
    const { state } = this;
    const on = (...names: (keyof State)[]) => !changed || names.some((name) => changed.has(name));
    this.root.dataset["theme"] = this.dark ? "dark" : "light";
    this.root.lang = lang();
    const [only, ...others] = this.model.doc(state).layers;
    this.root.classList.toggle("single", only.heads === 1 && !others.length);
    if (on("doc", "theme")) this.drawTop();
    this.typing?.show(state.q);
    if (on("doc", "stack", "layer", "head", "change")) this.drawFacts();
    if (on("doc", "stack", "layer", "head", "merge", "byNorm", "change")) this.drawChoose();
    else if (on("q")) this.refreshScrub();
    if (on("doc", "view", "panel", "scale", "norm", "palette")) this.drawTabs();
    if (on("doc", "stack", "layer", "head", "palette", "sort", "search", "theme")) this.drawGrid();
    if (this.link) this.linkSoon();
    const field = this.model.field(state);
    await field.load();
    if (state !== this.state) return;
    this.shown = this.fieldKey;
    await Promise.all([this.drawView(field), this.drawPanel(field)]);
    if (state !== this.state) return;
    this.say(field);
    this.root.dataset["ready"] = this.shown;
  }

  private linking: ReturnType<typeof setTimeout> | null = null;

  /** The address costs a browser several milliseconds: it follows when the reader rests. */
  private linkSoon(): void {
    if (this.linking) clearTimeout(this.linking);
    this.linking = setTimeout(() => this.writeLink(), 150);
  }

  private writeLink(): void {
    const hash = written(this.state);
    if (location.hash === hash) return;
    try {
      history.replaceState(null, "", hash);
    } catch {
      // A frame without an address of its own has no link to write.
    }
  }

  private say(field: Field): void {
    const { q } = this.state;
    const row = field.row(q);
    const j = row.indexOf(largest(row));
    const doc = this.model.doc(this.state);
    this.live.textContent = t("live_row", {
      layer: this.model.layerName(doc, this.state.layer), head: this.model.headName(this.state.head),
      query: visible(field.q.tokens[q] ?? ""), key: visible(field.k.tokens[Math.max(0, j)] ?? ""), weight: said(row[Math.max(0, j)] ?? 0, 3),
    });
  }

  private drawTop(): void {
    const doc = this.model.doc(this.state);
    const { about } = doc.stored;
    const tokens = doc.axes["tokens"]?.tokens ?? [];
    const title = about.title ? visible(about.title, 240) : plainText(tokens);
    const answer = about.answer ? h("p", { class: "answer" }, h("span", { text: `${t("answer")} ` }), h("b", { dir: "auto", text: visible(about.answer, 300) }),
      about.wanted !== undefined && about.wanted !== about.answer ? h("span", { text: ` · ${t("wanted")} ` }) : null,
      about.wanted !== undefined && about.wanted !== about.answer ? h("b", { dir: "auto", text: visible(about.wanted, 300) }) : null) : null;
    const tool = (text: string, label: string, click: () => void, name: string) => h("button", { type: "button", class: "tool", "data-name": name, "aria-label": label, title: label, text, click });
    fill(
      this.top,
      h("div", { class: "title" }, h("h1", { dir: "auto", text: title || t("title") }), answer),
      h("div", { class: "tools" },
        tool("SVG", `${t("export")} SVG`, () => this.save("svg"), "svg"), tool("PNG", `${t("export")} PNG`, () => this.save("png"), "png"), tool("CSV", `${t("export")} CSV`, () => this.save("csv"), "csv"),
        this.link ? tool("#", t("link"), () => this.copyLink(), "link") : null,
        this.model.page.inset ? null : tool(this.dark ? "☀" : "☾", t("theme"), () => this.set({ theme: this.dark ? "light" : "dark" }), "theme"),
        tool(t("language"), t("language"), () => this.speak(lang() === "en" ? "zh" : "en"), "language"),
        tool("?", t("help"), () => this.help(), "help")),
    );
  }

  speak(to: "en" | "zh"): void {
    setLang(to);
  }

  private drawFacts(): void {
    const doc = this.model.doc(this.state);
    const { source, exact, changed } = provenance(doc, this.state);
    fill(
      this.facts,
      ...source.map(([name, value]) => h("span", {}, h("small", { text: name }), h("b", { dir: "auto", text: visible(value, 120) }))),
      h("span", {}, h("small", { text: t("weight") }), h("b", { text: exact })),
      changed ? h("span", { class: "changed", text: t("changed") }) : null,
    );
  }

  private drawChoose(): void {
    const { state } = this;
    const doc = this.model.doc(state);
    const stack = doc.stacks[state.stack];
    const parts: (HTMLElement | null)[] = [];
    if (this.model.docs.length > 1) parts.push(this.film());
    if (doc.stacks.length > 1) {
      const names = stackNames(doc);
      parts.push(h("div", { class: "switch", role: "group" }, ...doc.stacks.map((each, n) =>
        h("button", { type: "button", "aria-pressed": String(n === state.stack), text: visible(names[n], 32), click: () => this.set({ stack: n, layer: String(each.layers[0]) }) }))));
    }
    const layers: [string, string][] = stack.layers.map((layer, n) => [String(layer), `${t("layer")} ${n}`]);
    if (doc.canCombine(stack)) layers.push(["mean", t("mean_layers")], ["max", t("max_layers")]);
    if (doc.canRoll(stack)) layers.push(["rollout", t("rollout")]);
    doc.stored.matrices.forEach((matrix, n) => layers.push([`m${n}`, matrix.name]));
    parts.push(stepper(t("layer"), layers, state.layer, (layer) => this.set({ layer }), "layer"));
    const count = doc.layers[Number(state.layer)]?.heads ?? doc.layers[stack.layers[0]].heads;
    if (!/^(rollout|m\d+)$/.test(state.layer)) {
      const heads: [string, string][] = Array.from({ length: count }, (_, n) => {
        const tags = /^\d+$/.test(state.layer) ? this.grid.tags(doc, Number(state.layer), n) : [];
        return [String(n), `${t("head")} ${n}${tags.length ? ` · ${tags.join(", ")}` : ""}`];
      });
      if (count > 1) heads.push(["mean", t("mean_heads")], ["max", t("max_heads")]);
      parts.push(stepper(t("head"), heads, state.head, (head) => this.set({ head }), "head"));
    }
    parts.push(this.scrub(this.model.field(state)));
    const levels = this.levels(doc);
    if (levels.length > 1) {
      const choice = select("", levels.map((level): [string, string] => [level, t(level)]), state.merge, (level) => this.merge(level as Level));
      choice.title = t("merge_note");
      choice.querySelector("select")!.setAttribute("data-name", "merge");
      parts.push(choice);
    }
    const layer = doc.layers[Number(state.layer)];
    if (layer?.parts?.hasNorms) parts.push(check(t("by_norm"), state.byNorm, (byNorm) => this.set({ byNorm }), "", "norm"));
    if (this.choose.contains(activeElement(this.choose)) && activeElement(this.choose)?.matches("input[type=range]")) {
      // What is dragged stays; only what it says is renewed.
      this.refreshScrub();
      return;
    }
    const name = activeElement(this.choose)?.getAttribute("data-name");
    fill(this.choose, ...parts);
    if (name) this.choose.querySelector<HTMLElement>(`[data-name="${name}"]`)?.focus();
  }

  /** What tokens can be taken together to, here. */
  private levels(doc: Doc): Level[] {
    const { q, k } = doc.stacks[this.state.stack];
    return (["tokens", "words", "sentences"] as const).filter((level) => level === "tokens" || merges(doc.axes[q], doc.axes[k], level));
  }

  /** Take tokens together, or apart, and stay at the same place. */
  private merge(level: Level): void {
    const doc = this.model.doc(this.state);
    const axis = doc.axes[doc.stacks[this.state.stack].q];
    const token = grouped(axis, this.state.merge)[this.state.q]?.[0] ?? 0;
    this.set({ merge: level, k: -1, q: groupOfEach(axis, level)?.[token] ?? token });
  }

  private film(): HTMLElement {
    const { docs, page } = this.model;
    if (page.kind !== "film") {
      return h("div", { class: "switch", role: "group" }, ...this.names().map((name, n) =>
        h("button", { type: "button", "aria-pressed": String(n === this.state.doc), text: visible(name, 30), click: () => this.set({ doc: n }) })));
    }
    const { first, last } = reel(page, this.state.doc);
    const films = page.films ?? [0];
    const titles = films.map((at, n): [string, string] => [String(at), `${n + 1} · ${visible(docs[at].stored.about.title ?? "", 40)}`]);
    const slider = h("input", { type: "range", "data-name": "film", min: 0, max: last - first, step: 1, "aria-label": t("epoch"), input: () => this.set({ doc: first + Number(slider.value) }) });
    slider.value = String(this.state.doc - first);
    const example = films.length > 1 ? select(t("example"), titles, String(first), (at) => this.set({ doc: reel(page, Number(at)).last, q: 0, k: -1 })) : null;
    example?.querySelector("select")?.setAttribute("data-name", "example");
    return h("div", { class: "scrub film" }, example,
      ...(last > first ? [this.playButton("doc", first, last), slider] : []), h("output", { name: "film", text: this.look(this.state.doc) }));
  }

  /** What tells documents apart: their titles or, of the same text, their networks. */
  private names(): string[] {
    const about = this.model.docs.map((doc) => doc.stored.about);
    const alike = about.every(({ title }) => title === about[0].title);
    return about.map(({ title, model }, n) => (alike ? model : title) || title || model || String(n + 1));
  }

  /** When a document of a film was seen. */
  private look(doc: number): string {
    const { epoch, step } = this.model.docs[doc].stored.about;
    const said1 = epoch === undefined ? String(doc + 1) : `${t("epoch")} ${said(epoch, Number.isInteger(epoch) ? 0 : 1)}`;
    return step === undefined ? said1 : `${said1} · ${t("step", { step: step.toLocaleString("en") })}`;
  }

  private scrub(field: Field): HTMLElement {
    const { q } = this.state;
    const last = field.q.tokens.length - 1;
    const slider = h("input", { type: "range", "data-name": "query", min: 0, max: Math.max(0, last), step: 1, "aria-label": t("query"), input: () => this.set({ q: Number(slider.value) }) });
    slider.value = String(q);
    return h("div", { class: "scrub" },
      h("span", { class: "name", text: t("query") }), this.playButton("q", 0, last), slider,
      h("output", { name: "query" }, h("b", { dir: "auto", text: visible(field.q.tokens[q] ?? "", 16) }), h("small", { text: `${q} / ${last}` })));
  }

  private refreshScrub(): void {
    const field = this.model.field(this.state);
    const out = this.choose.querySelector("output[name=query]");
    const slider = this.choose.querySelector<HTMLInputElement>("[data-name=query]");
    if (slider && slider.value !== String(this.state.q)) slider.value = String(this.state.q);
    if (out) fill(out, h("b", { dir: "auto", text: visible(field.q.tokens[this.state.q] ?? "", 16) }), h("small", { text: `${this.state.q} / ${field.q.tokens.length - 1}` }));
    const film = this.choose.querySelector("output[name=film]");
    if (film) film.textContent = this.look(this.state.doc);
  }

  private playButton(what: "q" | "doc", first: number, last: number): HTMLElement {
    return h("button", {
      type: "button", class: "play", "aria-label": t(this.playing ? "pause" : "play"), title: t(this.playing ? "pause" : "play"), text: this.playing ? "❚❚" : "▶",
      click: () => this.play(what, first, last),
    });
  }

  private play(what: "q" | "doc", first: number, last: number): void {
    if (this.playing) {
      clearInterval(this.playing);
      this.playing = null;
      void this.update();
      return;
    }
    if (this.state[what] >= last) this.set({ [what]: first });
    this.playing = setInterval(() => {
      if (this.state[what] >= last) this.play(what, first, last);
      else this.set({ [what]: this.state[what] + 1 });
    }, what === "q" ? 450 : 700);
    void this.update();
  }

  private drawTabs(): void {
    const { state } = this;
    const doc = this.model.doc(state);
    const views: ViewName[] = ["lines", "matrix", "text", ...(doc.stored.image ? ["picture" as const] : []), "compare"];
    fill(this.tabs, ...views.map((view) => tab(t(`view_${view}`), view === state.view, () => this.set({ view }), view)));
    // A run's report has weights and nothing that they are made of.
    const panels: PanelName[] = this.model.page.inset ? ["row", "ask"] : ["row", "steps", "if", "ask"];
    fill(this.panelTabs, ...panels.map((panel) => tab(t(`panel_${panel}`), panel === state.panel, () => this.openPanel(panel), panel)));
    const scales = (["linear", "sqrt", "log", "rank"] as const).map((name): [string, string] => [name, t(name)]);
    const norms = (["none", "row", "column"] as const).map((name): [string, string] => [name, t(name)]);
    const dense = state.view === "matrix" || state.view === "compare";
    fill(
      this.options,
      dense || state.view === "picture" ? select(t("scale"), scales, state.scale, (value) => this.set({ scale: value as State["scale"] })) : null,
      state.view === "matrix" ? select(t("normalize"), norms, state.norm, (value) => this.set({ norm: value as State["norm"] })) : null,
      dense ? select(t("colors"), PALETTES.map((name): [string, string] => [name, name]), state.palette, (value) => this.set({ palette: value as PaletteName })) : null,
      dense ? h("div", { class: "zoom" },
        h("button", { type: "button", text: "−", "aria-label": "zoom out", click: () => this.zoom(1.5) }),
        h("button", { type: "button", text: "+", "aria-label": "zoom in", click: () => this.zoom(1 / 1.5) }),
        h("button", { type: "button", text: "⤢", "aria-label": "zoom reset", click: () => this.zoom(0) })) : null,
    );
  }

  /** On a small screen the panel is a sheet: a second tap on its tab lets it down again. */
  private openPanel(panel: PanelName): void {
    this.panel.classList.toggle("up", panel !== this.state.panel || !this.panel.classList.contains("up"));
    this.set({ panel });
  }

  private zoom(factor: number): void {
    for (const heat of this.state.view === "compare" ? this.compare : [this.heat]) {
      if (factor) heat.zoom(factor);
      else heat.reset();
    }
  }

  private drawGrid(): void {
    const { state } = this;
    const doc = this.model.doc(state);
    const sorts: [string, string][] = [["layer", t("by_layer")], ["entropy", t("by_entropy")], ["distance", t("by_distance")], ["sink", t("by_sink")]];
    if (doc.stored.effects) sorts.push(["effect", t("by_effect")]);
    if (this.found && [...this.found.values()].some((v) => v >= 0)) sorts.push(["found", t("by_found")]);
    if (!this.sideTools.contains(activeElement(this.sideTools))) {
      const input = h("input", { type: "search", placeholder: t("search"), "aria-label": t("search"), value: state.search, change: () => void this.search(input.value), keydown: (event: KeyboardEvent) => event.key === "Enter" && void this.search(input.value) });
      fill(this.sideTools, input, select(t("sort"), sorts, state.sort, (sort) => this.set({ sort })), h("small", { class: "problem", role: "status", text: this.problem }));
    }
    this.grid.show(doc, state, this.dark, this.found);
  }

  private problem = "";

  async search(text: string): Promise<void> {
    this.problem = "";
    const problem = () => {
      const place = this.sideTools.querySelector(".problem");
      if (place) place.textContent = this.problem;
    };
    if (!text.trim()) {
      this.found = null;
      this.set({ search: "", sort: this.state.sort === "found" ? "layer" : this.state.sort });
    } else {
      const doc = this.model.doc(this.state);
      const found = await searched(text, doc, this.grid, this.state.stack);
      this.problem = found.problem ? t(found.problem === "token" ? "search_token" : "search_none") : "";
      this.found = found.heads.size ? found.heads : null;
      const patch: Partial<State> = { search: text };
      if (found.q !== null && this.state.merge === "tokens") Object.assign(patch, { q: found.q, k: found.k ?? -1 });
      const best = [...found.heads].sort((a, b) => b[1] - a[1])[0];
      if (best) [patch.layer, patch.head] = best[0].split(" ");
      this.set(patch);
    }
    problem();
    this.grid.show(this.model.doc(this.state), this.state, this.dark, this.found);
  }

  private async drawView(field: Field): Promise<void> {
    const { state, dark } = this;
    const doc = this.model.doc(state);
    if (state.view === "lines") {
      const count = doc.layers[Number(state.layer)]?.heads ?? 1;
      const heads = state.heads.filter((head) => head < count);
      const several = heads.length > 0 && /^\d+$/.test(state.layer);
      const shown = several
        ? heads.map((head) => ({ head, field: this.model.field({ ...state, head: String(head) }) }))
        : [{ head: 0, field }];
      fill(this.viewBox, count > 1 && /^\d+$/.test(state.layer) ? this.chips(count, heads) : null, this.lines.element);
      await this.lines.show(shown, state, dark, count);
    } else if (state.view === "matrix") {
      const bar = h("div", { class: "scale-box" });
      fill(this.viewBox, this.heat.element, bar);
      await this.heat.show(field, state, dark);
      fill(bar, this.heat.scaleBar());
      this.heat.reveal(state.q, state.k);
    } else if (state.view === "text") {
      fill(this.viewBox, this.flow.element);
      await this.flow.show(field, state);
    } else if (state.view === "picture" && doc.stored.image) {
      fill(this.viewBox, this.picture.element);
      await this.picture.show(field, state, doc.stored.image, dark);
    } else if (state.view === "compare") await this.drawCompare(field);
  }

  /** Which heads are drawn together: a click adds or removes one, a double click leaves one alone. */
  private chips(count: number, heads: number[]): HTMLElement {
    const { head } = this.state;
    const all = h("button", { type: "button", class: "chip", "aria-pressed": String(heads.length === count), text: t("all_heads"), click: () => this.set({ heads: heads.length === count ? [] : Array.from({ length: count }, (_, n) => n) }) });
    return h("div", { class: "chips", title: t("only_this") }, all, ...Array.from({ length: count }, (_, n) => {
      const on = heads.length ? heads.includes(n) : String(n) === head;
      const chip = h("button", {
        type: "button", class: "chip head-chip", "aria-pressed": String(on), "aria-label": `${t("head")} ${n}`, text: String(n),
        click: () => this.set(heads.length ? { heads: on ? heads.filter((each) => each !== n) : [...heads, n].sort((a, b) => a - b) } : { head: String(n) }),
        dblclick: () => this.set({ heads: [], head: String(n) }),
      });
      chip.style.setProperty("--chip", headColor(n, count, this.dark));
      return chip;
    }));
  }

  private async drawCompare(field: Field): Promise<void> {
    const { state, dark } = this;
    const other = this.model.otherField(state);
    const [one, two, minus] = this.compare;
    const found = this.model.docs[Math.min(state.other.doc, this.model.docs.length - 1)];
    const set = (patch: Partial<State["other"]>) => this.set({ other: { ...state.other, ...patch } });
    const layers: [string, string][] = [["same", t("same_layer")], ...found.stored.layers.map((_, n): [string, string] => [String(n), this.model.layerName(found, String(n))])];
    for (const name of ["mean", "rollout"] as const) layers.push([name, t(name === "mean" ? "mean_layers" : "rollout")]);
    const heads: [string, string][] = Array.from({ length: found.layers[Number(state.other.layer)]?.heads ?? found.layers[0].heads }, (_, n) => [String(n), `${t("head")} ${n}`]);
    heads.unshift(["same", t("same_head")]);
    heads.push(["mean", t("mean_heads")], ["max", t("max_heads")]);
    const docs: [string, string][] = this.names().map((name, n) => [String(n), visible(name, 30)]);
    const choice = h("div", { class: "options" },
      docs.length > 1 ? select("", docs, String(state.other.doc), (doc) => set({ doc: Number(doc) })) : null,
      select("", layers, state.other.layer, (layer) => set({ layer })), select("", heads, state.other.head, (head) => set({ head })));
    const difference = this.model.difference(state);
    const title = `${this.model.layerName(this.model.doc(state), state.layer)} · ${this.model.headName(state.head)}`;
    const bar = h("div", { class: "scale-box" });
    fill(
      this.viewBox,
      h("div", { class: "compare" },
        h("figure", {}, h("figcaption", {}, h("small", { text: t("this_one") }), h("b", { text: title })), one.element),
        h("figure", {}, h("figcaption", {}, h("small", { text: t("other") }), choice), two.element),
        difference
          ? h("figure", { class: "wide" }, h("figcaption", {}, h("b", { text: t("difference") })), minus.element, bar)
          : h("p", { class: "soft", text: t("not_comparable") })),
    );
    await Promise.all([one.show(field, state, dark), two.show(other, state, dark)]);
    if (difference && state === this.state) {
      const signed: State = { ...state, palette: state.palette === "ink" ? "cividis" : state.palette, norm: "none" };
      await minus.show(difference, signed, dark);
      fill(bar, minus.scaleBar());
    }
  }

  private async drawPanel(field: Field): Promise<void> {
    const { state, dark } = this;
    const doc = this.model.doc(state);
    if (state.panel === "row") {
      fill(this.panelBox, this.table.element);
      this.table.show(field, state.q, state.k);
    } else if (state.panel === "steps") {
      fill(this.panelBox, this.steps.element);
      await this.steps.show(doc, field, state, dark);
    } else if (state.panel === "if") {
      if (!this.panelBox.contains(this.whatIf.element)) fill(this.panelBox, this.whatIf.element);
      this.whatIf.show(doc.layers[Number(state.layer)], state.change);
    } else {
      fill(this.panelBox, this.ask.element);
      this.ask.show(doc, field, state);
    }
  }

  private help(): void {
    const dialog = h("dialog", { class: "help" },
      h("h3", { text: t("help") }), h("p", { text: t("keys_move") }), h("p", { text: t("keys_zoom") }),
      h("button", { type: "button", text: t("close"), click: () => dialog.close() }));
    dialog.addEventListener("close", () => dialog.remove());
    this.root.append(dialog);
    dialog.showModal();
  }

  private copyLink(): void {
    this.writeLink();
    const button = this.top.querySelector<HTMLElement>('[data-name="link"]');
    void navigator.clipboard?.writeText(location.href).then(() => {
      if (button) button.textContent = t("copied");
    }, () => undefined);
  }

  /** What is on screen as a file. */
  save(kind: "svg" | "png" | "csv"): void {
    const { state } = this;
    const field = this.model.field(state);
    const name = `attention-layer-${state.layer}-head-${state.head}`;
    if (kind === "csv") return download(`${name}.csv`, new Blob([csv(field, state.q)], { type: "text/csv" }));
    const canvas = this.viewBox.querySelector("canvas");
    const style = getComputedStyle(this.root);
    const color = (word: string) => style.getPropertyValue(word).trim();
    if (kind === "png" && canvas) {
      const whole = h("canvas", { width: canvas.width, height: canvas.height });
      const pen = whole.getContext("2d")!;
      pen.fillStyle = color("--paper");
      pen.fillRect(0, 0, whole.width, whole.height);
      pen.drawImage(canvas, 0, 0);
      whole.toBlob((blob) => blob && download(`${name}.png`, blob));
      return;
    }
    const shownAs = (token: string) => visible(token, 18);
    let text: string | null = null;
    if (state.view === "matrix") {
      const table = lut(state.palette, this.dark);
      const most = this.heat.largest || 1;
      text = svgMatrix(field, shownAs, (w) => css(table[Math.round(255 * share(Math.abs(w) / most, state.scale === "rank" ? "sqrt" : state.scale))]), color("--ink"), color("--paper"));
    } else if (state.view === "lines" || !canvas) text = svgLines(field, state.q, shownAs, color("--ink"), color("--paper"), color("--heat-line"));
    text ??= svgOf(canvas!, name, color("--paper"));
    download(`${name}.${kind === "png" ? "svg" : kind}`, new Blob([text], { type: "image/svg+xml" }));
  }

  private keys(): void {
    this.host.addEventListener("keydown", ((event: KeyboardEvent) => {
      const target = event.composedPath()[0] as HTMLElement;
      if (target.closest?.("input:not([type=range]), select, textarea, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
      if (target.matches?.("input[type=range]") && event.key.startsWith("Arrow")) return;
      if (this.key(event.key)) event.preventDefault();
    }) as EventListener);
    const page = this.root.getRootNode() instanceof ShadowRoot && this.link;
    if (page) {
      document.addEventListener("keydown", (event) => {
        if (event.target === document.body && !event.ctrlKey && !event.metaKey && !event.altKey && this.key(event.key)) event.preventDefault();
      });
    }
  }

  /** Do what a key says; false for a key that says nothing here. */
  key(key: string): boolean {
    const { state } = this;
    const doc = this.model.doc(state);
    const stack = doc.stacks[state.stack];
    const views: ViewName[] = ["lines", "matrix", "text", ...(doc.stored.image ? ["picture" as const] : []), "compare"];
    const head = Number(state.head);
    const place = stack.layers.indexOf(Number(state.layer));
    const moves: Record<string, () => void> = {
      ArrowLeft: () => this.set({ q: state.q - 1 }),
      ArrowRight: () => this.set({ q: state.q + 1 }),
      ArrowUp: () => this.set({ head: String(Math.max(0, (Number.isNaN(head) ? 0 : head) - 1)) }),
      ArrowDown: () => this.set({ head: String((Number.isNaN(head) ? -1 : head) + 1) }),
      PageUp: () => this.set({ layer: String(stack.layers[Math.max(0, place - 1)]) }),
      PageDown: () => this.set({ layer: String(stack.layers[Math.min(stack.layers.length - 1, place + 1)]) }),
      "[": () => this.set({ k: Math.max(0, state.k - 1) }),
      "]": () => this.set({ k: state.k + 1 }),
      w: () => {
        const levels = this.levels(doc);
        this.merge(levels[(levels.indexOf(state.merge) + 1) % levels.length]);
      },
      "+": () => this.zoom(1 / 1.5),
      "=": () => this.zoom(1 / 1.5),
      "-": () => this.zoom(1.5),
      "0": () => this.zoom(0),
      "?": () => this.help(),
      Escape: () => this.set({ k: -1, heads: [] }),
    };
    views.forEach((view, n) => (moves[String(n + 1)] = () => this.set({ view })));
    moves[key]?.();
    return key in moves;
  }
}

/** The documents of the film that one belongs to. */
function reel(page: Page, doc: number): { first: number; last: number } {
  const films = page.films ?? [0];
  const at = films.filter((first) => first <= doc).length - 1;
  return { first: films[at], last: (films[at + 1] ?? page.documents.length) - 1 };
}

function firstWord(doc: Doc): number {
  const axis = doc.axes[doc.stored.layers[0]?.q ?? "tokens"];
  return axis && axis.tokens.length > 2 ? 1 : 0;
}

function activeElement(element: HTMLElement): HTMLElement | null {
  const root = element.getRootNode() as ShadowRoot | Document;
  const active = root.activeElement;
  return active && element.contains(active) ? (active as HTMLElement) : null;
}

function tab(text: string, on: boolean, click: () => void, name: string): HTMLElement {
  return h("button", { type: "button", role: "tab", "aria-selected": String(on), "data-name": name, text, click });
}

function stepper(label: string, options: [string, string][], value: string, change: (value: string) => void, name: string): HTMLElement {
  const at = options.findIndex(([each]) => each === value);
  const go = (by: number) => () => change(options[Math.max(0, Math.min(options.length - 1, at + by))][0]);
  const button = (path: string, word: Word, by: number) => {
    const element = h("button", { type: "button", class: "step-button", "data-name": `${name}${by}`, "aria-label": `${label}: ${t(word)}`, disabled: at + by < 0 || at + by >= options.length, click: go(by) });
    element.append(icon(path));
    return element;
  };
  const choice = select(label, options, value, change);
  choice.querySelector("select")!.setAttribute("data-name", name);
  return h("div", { class: "stepper" }, choice, button(LEFT, "previous", -1), button(RIGHT, "next", 1));
}

function check(text: string, on: boolean, change: (on: boolean) => void, title: string, name: string): HTMLElement {
  const box = h("input", { type: "checkbox", "data-name": name, change: () => change(box.checked) });
  box.checked = on;
  return h("label", { class: "check", title: title || null }, box, h("span", { text }));
}
