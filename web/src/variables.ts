// The variables of the activation that is looked at: what changed, how sure the model is, and what really was.

import { fill, h, icon } from "./dom";
import { RETURNED } from "./guess";
import type { Store } from "./store";
import type { Change, Value } from "./types";
import { disc, originMark, percent, provenance, shortened, sureness, visible } from "./words";

const MOST = 2000;
const MOST_CHANGES = 30;

/** Return "✦ predicted" with its meaning as title. */
function originLabel(value: Value): HTMLElement {
  return h(
    "span",
    { class: `origin origin-${value.origin}`, title: provenance(value) },
    h("span", { "aria-hidden": "true" }, originMark(value.origin)),
    ` ${value.origin}`,
  );
}

/** Return "◕ 97%"; the disc is fuller the surer, and the text says the number. */
export function confidence(p: number | null, of = "this value"): HTMLElement {
  if (p === null) return h("span", { class: "sure none" });
  return h(
    "span",
    { class: `sure sure-${sureness(p)}`, title: `the model gave ${of} ${percent(p)}` },
    h("span", { class: "disc", "aria-hidden": "true" }, disc(p)),
    h("span", { class: "number" }, percent(p)),
  );
}

export class VariablesView {
  private editing: string | null = null;
  private focusGuess = false;
  private shown = "";
  /** Variables whose history is shown, wherever the session goes. */
  private readonly open = new Set<string>();
  private histories = new Map<string, Change[]>();

  constructor(private readonly store: Store, private readonly body: HTMLElement) {}

  update(): void {
    const { store } = this;
    const key = `${store.place.timeline}:${store.place.position}:${store.level}`;
    if (key !== this.shown) {
      this.editing = null;
      this.histories = new Map();
      for (const [name] of store.frame.locals) if (this.open.has(name)) void this.lookBack(name, key);
      this.focusGuess = store.guessing.hidesAnything;
    } else if (this.body.contains(document.activeElement) && document.activeElement instanceof HTMLInputElement) {
      if (this.editing !== null || store.guessing.hidesAnything) return; // someone is typing here
    }
    this.shown = key;
    this.draw();
  }

  private draw(): void {
    const { store } = this;
    const rows = store.frame.locals.map(([name, value]) => this.row(name, value));
    if (store.isInnermost) {
      if (store.step.value) rows.unshift(this.returnedRow(store.step.value));
      rows.push(...this.missingRows());
      rows.push(...store.step.deleted.map((name) => deletedRow(name)));
    }
    if (!rows.length) rows.push(h("p", { class: "empty" }, "No variables yet."));
    fill(this.body, ...rows);
    if (this.focusGuess && store.guessing.is_on) {
      this.body.querySelector<HTMLInputElement>(".guess input")?.focus();
      this.focusGuess = false;
    }
  }

  private row(name: string, value: Value): HTMLElement {
    const { store } = this;
    if (store.isInnermost && store.guessing.isHidden(name)) return this.guessRow(name);
    const isChanged = store.isInnermost && store.step.changed.includes(name);
    const was = isChanged ? store.was(name) : null;
    const really = store.isInnermost ? store.real?.differences[name] : undefined;
    return h(
      "div",
      { class: `variable${isChanged ? " changed" : ""}${really ? " wrong" : ""}`, "data-name": name },
      h(
        "div",
        { class: "what" },
        h("span", { class: "name" }, isChanged && h("span", { class: "mark", title: "changed by the line before" }, "●"), name),
        this.editing === name ? this.editor(name, value) : this.valueButton(name, value),
      ),
      h("div", { class: "about" }, originLabel(value), confidence(value.p), this.verdict(name), this.historyButton(name), this.changeButton(name)),
      was && was.text !== value.text && h("div", { class: "was" }, "was ", h("code", {}, shortened(visible(was.text), 120))),
      really && h("div", { class: "really" }, "≠ really ", h("code", {}, shortened(visible(really[1] ?? "unbound"), 300))),
      this.open.has(name) && !store.guessing.hidesAnything && this.history(name),
    );
  }

  /** Show or hide the histories of all variables that are here. */
  toggleHistories(): void {
    const names = this.store.frame.locals.map(([name]) => name);
    const isAll = names.every((name) => this.open.has(name));
    for (const name of names) if (isAll || !this.open.has(name)) this.toggleHistory(name);
  }

  private toggleHistory(name: string): void {
    if (this.open.delete(name)) return this.draw();
    this.open.add(name);
    this.draw();
    void this.lookBack(name, this.shown);
  }

  private async lookBack(name: string, key: string): Promise<void> {
    const found = await this.store.history(name).catch(() => []); // the place is gone: another is coming
    if (key !== this.shown) return;
    this.histories.set(name, found);
    if (this.editing === null) this.keepingFocus(() => this.draw());
  }

  /** Draw anew, and leave the keyboard where it was. */
  private keepingFocus(draw: () => void): void {
    const held = document.activeElement;
    const label = held && this.body.contains(held) ? held.getAttribute("aria-label") : null;
    draw();
    if (label) this.body.querySelector<HTMLElement>(`[aria-label="${CSS.escape(label)}"]`)?.focus();
  }

  private historyButton(name: string): HTMLElement {
    const isOpen = this.open.has(name);
    return h(
      "button",
      { type: "button", class: "history-toggle", "aria-expanded": String(isOpen), "aria-label": `History of ${name}`,
        title: `Every value that ${name} had, and the step it came from`, onclick: () => this.keepingFocus(() => this.toggleHistory(name)) },
      isOpen ? "▾ history" : "▸ history",
    );
  }

  /** Every value of a variable with the step that made it, oldest first; a click goes there. */
  private history(name: string): HTMLElement {
    const changes = this.histories.get(name);
    if (!changes) return h("p", { class: "empty" }, "…");
    const shown = changes.slice(-MOST_CHANGES);
    return h(
      "ol",
      { class: "history", "aria-label": `Values of ${name}, oldest first` },
      changes.length > shown.length && h("li", { class: "empty" }, `${changes.length - shown.length} earlier ones`),
      ...shown.map((change) => this.changeRow(name, change)),
    );
  }

  private changeRow(name: string, change: Change): HTMLElement {
    const { store } = this;
    const by = { line: `line ${change.line}`, argument: "passed", set: "set by hand" }[change.how];
    const value = change.value;
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: "row", "aria-label": `${name}: step ${change.made_at + 1}, ${by}, ${value?.text.slice(0, 80) ?? "deleted"}`,
          title: `Go to step ${change.made_at + 1}`, onclick: () => void store.goTo(change.made_at) },
        h("span", { class: "at" }, `step ${change.made_at + 1}`),
        h("span", { class: "at" }, by),
        value ? h("code", { class: "value" }, shortened(visible(value.text), 120)) : h("span", { class: "unbound" }, "deleted"),
        value && h("span", { class: "at", title: provenance(value) }, originMark(value.origin)),
        value && confidence(value.p),
      ),
    );
  }

  /** A data breakpoint: continuing back from here finds who changed the variable last. */
  private changeButton(name: string): HTMLElement | null {
    const { store } = this;
    if (!store.backend.is_live) return null;
    const isOn = store.dataBreakpoint(name) !== undefined;
    return h(
      "button",
      { type: "button", class: "on-change", "aria-pressed": String(isOn), "aria-label": `Stop when ${name} changes`,
        title: `Stop when ${name} changes; going back (C) finds the line that changed it last`,
        onclick: () => void store.toggleDataBreakpoint(name) },
      isOn ? "◉ stops on change" : "○ stop on change",
    );
  }

  private valueButton(name: string, value: Value): HTMLElement {
    const { store } = this;
    const shade = value.p === null ? "" : ` shade-${sureness(value.p)}`;
    const text = h("code", { class: `value${shade}` }, shortened(visible(value.text), MOST));
    const canSet = store.backend.is_live && store.isInnermost && store.timeline.source === "predicted"
      && (store.step.kind === "line" || store.step.kind === "call") && !store.place.is_ended;
    if (!canSet) return text;
    return h(
      "button",
      { type: "button", class: "set", title: `Set ${name}: what follows is predicted anew`, "aria-label": `Set ${name}, now ${value.text.slice(0, 80)}`,
        onclick: () => this.edit(name) },
      text,
      icon("edit"),
    );
  }

  private edit(name: string | null): void {
    this.editing = name;
    this.draw();
    const input = this.body.querySelector<HTMLInputElement>("input.editing");
    input?.focus();
    input?.select();
  }

  private editor(name: string, value: Value): HTMLElement {
    const input = h("input", {
      class: "editing", value: value.text, "aria-label": `New value of ${name}`, spellcheck: "false", autocapitalize: "off", autocomplete: "off",
    });
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") this.edit(null);
      if (event.key === "Enter") {
        void this.store.set(name, input.value).then((done) => {
          if (done) this.edit(null);
          else input.select();
        });
      }
    });
    return input;
  }

  private guessRow(name: string): HTMLElement {
    const { store } = this;
    const label = name === RETURNED ? returnedWord(store.step.kind) : name;
    const isWrong = store.guessing.resultOf(name) === "wrong";
    const input = h("input", {
      placeholder: "your guess", "aria-label": `Guess ${label}`, spellcheck: "false", autocapitalize: "off", autocomplete: "off",
    });
    const reveal = () => {
      store.guessing.reveal(name);
      this.afterGuess();
    };
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") reveal();
    });
    const check = (event: Event) => {
      event.preventDefault();
      if (!input.value.trim()) return;
      if (store.guessing.check(name, input.value)) return this.afterGuess();
      row.classList.add("wrong-guess");
      hint.textContent = "✗ not that. Try again, or show it.";
      input.select();
      store.tell();
    };
    const hint = h("span", { class: "hint", role: "status" }, isWrong ? "✗ not that. Try again, or show it." : "");
    const row = h(
      "form",
      { class: "variable guess changed", "data-name": name, onsubmit: check },
      h("div", { class: "what" }, h("span", { class: "name" }, h("span", { class: "mark" }, "?"), label), input),
      h(
        "div",
        { class: "about" },
        h("button", { type: "submit", class: "button small primary" }, "Check"),
        h("button", { type: "button", class: "button small", onclick: reveal }, "Show"),
        hint,
      ),
    );
    return row;
  }

  private afterGuess(): void {
    this.focusGuess = true;
    this.draw();
    this.store.tell();
  }

  private verdict(name: string): HTMLElement | null {
    const result = this.store.isInnermost ? this.store.guessing.resultOf(name) : undefined;
    if (!result) return null;
    return h("span", { class: `verdict ${result}` }, result === "right" ? "✓ guessed" : "✗ not guessed");
  }

  private returnedRow(value: Value): HTMLElement {
    const { store } = this;
    if (store.guessing.isHidden(RETURNED)) return this.guessRow(RETURNED);
    const really = store.real?.value;
    const isWrong = really !== undefined && really !== null && really !== value.text;
    return h(
      "div",
      { class: `variable returned${isWrong ? " wrong" : ""}`, "data-name": RETURNED },
      h(
        "div",
        { class: "what" },
        h("span", { class: "name word" }, returnedWord(store.step.kind, store.step.flags)),
        h("code", { class: `value${value.p === null ? "" : ` shade-${sureness(value.p)}`}` }, shortened(visible(value.text), MOST)),
      ),
      h("div", { class: "about" }, originLabel(value), confidence(value.p), this.verdict(RETURNED)),
      isWrong && h("div", { class: "really" }, "≠ really ", h("code", {}, shortened(visible(really), 300))),
    );
  }

  /** Variables that the real run has here and the prediction lacks. */
  private missingRows(): HTMLElement[] {
    const names = new Set(this.store.frame.locals.map(([name]) => name));
    return Object.entries(this.store.real?.differences ?? {})
      .filter(([name]) => !names.has(name))
      .map(([name, [, was]]) =>
        h(
          "div",
          { class: "variable wrong", "data-name": name },
          h("div", { class: "what" }, h("span", { class: "name" }, name), h("span", { class: "unbound" }, "unbound")),
          h("div", { class: "really" }, "≠ really ", h("code", {}, shortened(visible(was ?? "unbound"), 300))),
        ),
      );
  }
}

function deletedRow(name: string): HTMLElement {
  return h(
    "div",
    { class: "variable changed deleted", "data-name": name },
    h("div", { class: "what" }, h("span", { class: "name" }, h("span", { class: "mark" }, "●"), h("s", {}, name)), h("span", { class: "unbound" }, "deleted")),
  );
}

export function returnedWord(kind: string, flags: string[] = []): string {
  if (kind === "exception") return "raises";
  return flags.includes("yield") ? "yields" : "returns";
}
