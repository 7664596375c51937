// The smaller panels: where we are, how the line was worked out, watches, the stack, and breakpoints.

import { fill, h, icon, iconButton } from "./dom";
import type { Store } from "./store";
import type { Breakpoint, Kind, Timeline } from "./types";
import { returnedWord, confidence } from "./variables";
import { shortened, visible } from "./words";

/** Say in one sentence what the step is. */
function sentence(store: Store): (Node | string)[] {
  const { step } = store;
  const name = h("b", {}, `${visible(step.function)}()`);
  if (step.kind === "call") return [step.flags.includes("resume") ? "Going on in " : "Entering ", name];
  if (step.kind === "line") return [`Line ${step.line} of `, name, " is about to run"];
  if (step.kind === "return" && step.flags.includes("unwind")) return [name, " is left by an exception"];
  return [name, ` ${returnedWord(step.kind, step.flags)}`];
}

/** Whether prediction and real run have gone different ways before this step. */
function parted(store: Store): boolean {
  const { first_divergence: first } = store.timeline;
  return first !== null && store.step.index > first && store.step.real === null && !store.guessing.hidesAnything;
}

const KINDS: Kind[] = ["call", "line", "return", "exception"];

/** Buttons that tell the model what comes next; the models that can be told so are those of the cwm format. */
function steering(store: Store): HTMLElement | null {
  if (!store.canSteer) return null;
  return h(
    "div",
    { class: "steering", role: "group", "aria-label": "Have the next step be" },
    h("span", {}, "next step: a"),
    ...KINDS.map((kind) =>
      h("button", { type: "button", class: "button small", disabled: store.busy !== null,
        title: kind === "return" && store.step.kind === "call" ? "What the call comes to, without its steps" : `Have the next step be a ${kind}, in a timeline of its own`,
        onclick: () => void store.steer(kind) }, kind)),
  );
}

const QUIET = new Set(["entry", "step", "goto"]);

/** Where the session is and why it stopped. */
export function drawNow(store: Store, body: HTMLElement): void {
  const { step, place, stop, real, guessing } = store;
  const isOver = place.is_ended && !guessing.hidesAnything;
  const reason = isOver ? visible(store.timeline.status || stop.reason) : stop.kind === "step" && place.is_ended ? "" : stop.reason;
  const stopped = isOver || !QUIET.has(stop.kind) ? reason : "";
  fill(
    body,
    h(
      "div",
      { class: "sentence" },
      h("p", {}, ...sentence(store)),
      step.control !== null && h("span", { class: "control" }, "this step ", confidence(step.control, "this step")),
    ),
    stopped && h("p", { class: `reason reason-${isOver ? "ended" : stop.kind}` }, isOver ? `The end: ${stopped}` : stopped),
    isOver && store.shared.real_status !== "" && store.timeline.source === "predicted" && store.timeline.forked_at === null
      && h("p", { class: store.shared.real_status === store.timeline.status ? "as-real" : "not-real" },
        `${store.shared.real_status === store.timeline.status ? "✓" : "≠"} the real run: ${visible(store.shared.real_status)}`),
    !isOver && parted(store) && h("p", { class: "not-real" }, "≠ the real run went another way before this step"),
    ...(stop.logs ?? []).map((log) => h("p", { class: "log" }, `line ${log.line}: ${visible(log.text)}`)),
    step.objection !== null && !guessing.hidesAnything && h("p", { class: "not-real objection" }, `✗ not possible: ${visible(step.objection)}`),
    real && (real.agrees
      ? h("p", { class: "as-real" }, "✓ as in the real run")
      : h("p", { class: "not-real" }, `≠ ${visible(real.note)}`)),
    steering(store),
  );
}

/** The sub-expressions that were worked out on the way here. */
export function drawWorkings(store: Store, card: HTMLElement, body: HTMLElement): void {
  const items = store.guessing.hidesAnything ? [] : store.step.evaluations;
  card.hidden = items.length === 0;
  fill(
    body,
    ...items.map((item) =>
      h(
        "li",
        {},
        h("code", {}, shortened(visible(item.text), 160)),
        h("span", { class: "to", "aria-label": "gives" }, "→"),
        h("code", { class: "result" }, shortened(visible(item.value), 160)),
      ),
    ),
  );
}

export function drawStack(store: Store, body: HTMLElement): void {
  const { stack } = store.step;
  fill(
    body,
    ...stack
      .map((frame, index) => {
        const level = index - stack.length;
        const isShown = frame === store.frame;
        return h(
          "li",
          {},
          h(
            "button",
            { type: "button", class: "row", "aria-current": isShown ? "true" : null, onclick: () => store.selectLevel(level) },
            h("span", { class: "pointer", "aria-hidden": "true" }, isShown ? "▸" : ""),
            h("span", { class: "function" }, visible(frame.function)),
            h("span", { class: "at" }, `line ${frame.line}`),
          ),
        );
      })
      .reverse(),
  );
}

export function drawWatches(store: Store, body: HTMLElement): void {
  fill(
    body,
    ...store.watches.map((item) => {
      const isHidden = store.guessing.hidesAnything;
      const shown = isHidden ? "hidden while you guess" : item.result ? visible(item.result.text) : item.problem || "…";
      return h(
        "li",
        { class: "watch" },
        h("span", { class: "watched" }, h("code", { class: "expression" }, shortened(visible(item.expression), 80)),
        h("code", { class: item.result?.is_known && !isHidden ? "value" : "unknown" }, shortened(shown, 400)),
        item.result && !isHidden && h("span", { class: "how" }, item.result.how),
        item.result?.can_ask && !isHidden && h("button", { type: "button", class: "button small", onclick: () => void store.ask(item.expression) }, "✦ Ask the model")),
        iconButton("close", `Stop watching ${item.expression}`, "", () => store.unwatch(item.expression)),
      );
    }),
  );
}

export function drawBreakpoints(store: Store, body: HTMLElement, change: (item: Breakpoint) => void): void {
  const any = store.anyException;
  const others = store.shared.breakpoints.filter((item) => item !== any);
  fill(
    body,
    store.backend.is_live && h(
      "li",
      { class: "breakpoint-row" },
      h("label", {}, h("input", { type: "checkbox", checked: any !== undefined, onchange: () => void store.toggleExceptions() }), " any exception that is raised"),
    ),
    ...(others.length
      ? others.map((item) => breakpointRow(store, item, change))
      : [h("li", { class: "empty" }, "None. Click beside a line number, or press b; B for more.")]),
  );
}

function breakpointRow(store: Store, item: Breakpoint, change: (item: Breakpoint) => void): HTMLElement {
  const said = [
    item.condition && `if ${visible(item.condition)}`,
    item.hit_condition && `at hit ${item.hit_condition.replace("== ", "")}`,
    item.log_message && `✎ ${visible(item.log_message)}`,
  ].filter(Boolean);
  const text = item.line === null ? "" : (store.shared.source.split("\n")[item.line - 1] ?? "").trim();
  return h(
    "li",
    { class: "breakpoint-row" },
    h("input", {
      type: "checkbox",
      checked: item.is_enabled,
      "aria-label": `Breakpoint: ${item.place}, is on`,
      onchange: () => void store.changeBreakpoint(item.number, { is_enabled: !item.is_enabled }),
    }),
    h(
      "button",
      { type: "button", class: "row", disabled: !store.backend.is_live, title: "Change its condition, hits and message", onclick: () => change(item) },
      h("span", { class: "at" }, visible(item.place)),
      h("code", {}, shortened(said.length ? said.join(", ") : text, 80)),
      item.num_hits > 0 && h("span", { class: "hits" }, `×${item.num_hits}`),
    ),
    iconButton("close", `Remove the breakpoint: ${item.place}`, "", () => void store.removeBreakpoint(item.number)),
  );
}

/** What was assumed where it cannot be known. */
export function drawAssumptions(store: Store, body: HTMLElement): void {
  const { assumptions } = store.shared.start;
  fill(
    body,
    ...(assumptions.length
      ? assumptions.map((text) => h("li", {}, h("code", {}, shortened(visible(text), 160))))
      : [h("li", { class: "empty" }, "None.")]),
  );
}

/** The timelines: one for each variable that was set, and the real run. */
export function drawTimelines(store: Store, select: HTMLSelectElement): void {
  const { timelines } = store.shared;
  select.hidden = timelines.length < 2;
  fill(select, ...timelines.map((item) => h("option", { value: String(item.id), selected: item.id === store.place.timeline }, timelineName(item))));
}

function timelineName(item: Timeline): string {
  return visible(shortened(item.label, 60));
}

/** One line of news across the top, and the state of a long move. */
export function drawMessage(store: Store, bar: HTMLElement, retry: () => void): void {
  const { message, busy, shared } = store;
  const isSlow = busy !== null && performance.now() - busy.since > 150;
  if (isSlow) {
    const made = Math.max(0, busy.now - busy.from);
    fill(bar, h("span", { class: "spinner", "aria-hidden": "true" }), `Predicting… ${made} steps so far`,
      h("button", { type: "button", class: "button small", onclick: () => void store.cancel() }, icon("cancel"), "Cancel (Esc)"));
  } else if (store.isLost) {
    fill(bar, "The connection to the server is lost. What is loaded can be looked at; ",
      "it goes on when the server is back. If it ended, start it again with `opencwm web`.");
  } else if (store.others !== null) {
    fill(bar, h("span", { class: "spinner", "aria-hidden": "true" }), `Another window is predicting… ${store.others} steps are known.`,
      h("button", { type: "button", class: "button small", onclick: () => void store.cancel() }, icon("cancel"), "Cancel (Esc)"));
  } else if (message) {
    fill(bar, message.text, iconButton("close", "Dismiss", "", () => store.dismiss()));
  } else if (shared.is_stale) {
    fill(bar, "The file has changed since this session began.", h("button", { type: "button", class: "button small", onclick: retry }, "Start again from the file"));
  } else if (shared.num_windows > store.numWindowsTold) {
    fill(bar, `${shared.num_windows} windows are open on this session. They share breakpoints and timelines; each has its own place.`,
      iconButton("close", "Dismiss", "", () => store.knowWindows()));
  } else if (store.notes) {
    fill(bar, visible(store.notes), iconButton("close", "Dismiss", "", () => store.readNotes()));
  } else {
    fill(bar);
  }
  const isProblem = !isSlow && (store.isLost || message?.kind === "problem");
  bar.className = `message${isProblem ? " problem" : ""}${isSlow ? " working" : ""}`;
  bar.hidden = bar.childNodes.length === 0;
}
