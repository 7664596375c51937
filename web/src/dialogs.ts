// Questions that the page asks: what a breakpoint is to do, and with what the session is to start.

import { byId, fill, h, iconButton } from "./dom";
import type { Store } from "./store";
import type { Breakpoint, Wish } from "./types";
import { visible } from "./words";

const PLAIN = { spellcheck: "false", autocapitalize: "off", autocomplete: "off" };

function field(label: string, value: string, example: string): { row: HTMLElement; input: HTMLInputElement } {
  const input = h("input", { value, placeholder: example, ...PLAIN });
  return { input, row: h("label", { class: "field" }, h("span", {}, label), input) };
}

/** Show a form; it stays open, and says why, until the answer is taken. */
function ask(store: Store, title: string, content: HTMLElement[], accept: string, use: () => Promise<boolean>): void {
  const dialog = byId<HTMLDialogElement>("ask");
  const problem = h("p", { class: "problem-text", role: "alert" });
  const button = h("button", { type: "submit", class: "button primary" }, accept);
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", { id: "ask-title" }, title),
    ...content,
    problem,
    h("div", { class: "choices" }, h("button", { type: "button", class: "button", onclick: () => dialog.close() }, "Cancel"), button),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    void use().then((done) => {
      button.disabled = false;
      if (done) return dialog.close();
      problem.textContent = store.message?.text ?? "";
      store.dismiss(); // it is said here
    });
  });
  fill(dialog, form);
  dialog.showModal();
  dialog.querySelector<HTMLInputElement>("input")?.select();
}

const KINDS = {
  line: ["before a line", "line number"],
  called: ["at calls of a function", "name of the function"],
  variable: ["when a variable changes", "its name"],
  raised: ["at exceptions raised", "any, or types: KeyError, ValueError"],
  uncaught: ["at exceptions that are not caught", "any, or types: KeyError, ValueError"],
} as const;
type KindOfStop = keyof typeof KINDS;

function wishOf(kind: KindOfStop, place: string): Wish {
  if (kind === "line") return { line: Number(place) || 0 };
  if (kind === "called") return { called: place };
  if (kind === "variable") return { variable: place };
  return { exceptions: kind, types: place.split(",").map((name) => name.trim()).filter(Boolean) };
}

/** Make a breakpoint of any kind, at first at a line, or change what there is. */
export function askBreakpoint(store: Store, line: number, there: Breakpoint | undefined): void {
  if (!store.backend.is_live) {
    void store.toggleBreakpoint(line);
    return;
  }
  const condition = field("only if", there?.condition ?? "", "total > 3");
  const hits = field("only at hits", there?.hit_condition ?? "", "5, >= 3, % 2");
  const log = field("write this, and go on", there?.log_message ?? "", "total is {total}");
  const place = field("where", String(line), KINDS.line[1]);
  const kind = h(
    "select",
    { "aria-label": "Stop" },
    ...Object.entries(KINDS).map(([value, [label]]) => h("option", { value }, label)),
  );
  const chosen = () => kind.value as KindOfStop;
  kind.addEventListener("change", () => {
    place.input.value = chosen() === "line" ? String(line) : "";
    place.input.placeholder = KINDS[chosen()][1];
  });
  const options = () => ({
    condition: condition.input.value, hit_condition: hits.input.value, log_message: log.input.value,
  });
  const parts = [condition.row, hits.row, log.row];
  if (there) {
    ask(store, `Breakpoint ${there.number}: ${visible(there.place)}`, parts, "Change", () => store.changeBreakpoint(there.number, options()));
    return;
  }
  const where = [h("label", { class: "field" }, h("span", {}, "stop"), kind), place.row];
  ask(store, "A new breakpoint", [...where, ...parts], "Add", () =>
    store.addBreakpoint({ ...wishOf(chosen(), place.input.value.trim()), ...options() }));
  condition.input.focus();
}

const EXAMPLES = "n = 3, df: list of 3 dicts with keys 'a', 'b', requests.get(...) -> 'text', open(...) raises OSError()";

/** Ask for another call and other assumptions; the session starts again with them. */
export function askStart(store: Store): void {
  if (!store.backend.is_live) return;
  const { start, call: shown } = store.shared;
  const call = field("call", start.call ?? "", start.call === null ? visible(shown ?? "main()") : "f('a', 3)");
  const list = h("ul", { class: "assumptions" });
  const add = (text: string) => {
    const input = h("input", { value: text, placeholder: "x = [1, 2]", "aria-label": "Assumption", ...PLAIN });
    const row = h("li", {}, input, iconButton("close", "Remove this assumption", "", () => {
      row.remove();
      another.focus();
    }));
    list.append(row);
    return input;
  };
  start.assumptions.forEach(add);
  const another = h("button", { type: "button", class: "button small", onclick: () => add("").focus() }, "+ Another assumption");
  const texts = () => [...list.querySelectorAll("input")].map((input) => input.value.trim()).filter(Boolean);
  const content = [
    call.row,
    h("h3", {}, "Assume, where it cannot be known"),
    list,
    another,
    h("p", {}, "For example: ", h("code", {}, EXAMPLES), ". Arguments that the call leaves out can be assumed by name; left open, they are invented."),
    h("p", {}, "The session starts again from the first step. Breakpoints and watches stay; timelines made before are gone."),
  ];
  ask(store, "Start again with", content, "Start again", () => store.restartWith(call.input.value.trim(), texts()));
}
