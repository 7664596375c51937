"use strict";
// Shows trajectories step by step. Everything shown is made of text nodes: nothing is read as HTML.
(() => {
  const at = (id) => document.getElementById(id);
  const held = at("data");
  const saved = held ? JSON.parse(held.textContent) : null;
  let index = [], which = 0, current = 0, trajectory = null;

  function make(tag, { text, kind, ...attributes } = {}, ...children) {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (kind) element.className = kind;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children.filter(Boolean));
    return element;
  }

  async function ask(path) {
    const answer = await fetch(path);
    const data = await answer.json();
    if (!answer.ok) throw new Error(data.error);
    return data;
  }

  const verdict = (entry) => entry.status === "error" ? ["error", "warn"] : entry.reward === null ? ["not graded", ""]
    : entry.reward === 1 ? ["solved", "good"] : [entry.reward === 0 ? "not solved" : `reward ${entry.reward.toFixed(2)}`, "bad"];

  const kindOf = (step) => step.source === "agent" ? (step.calls[0]?.name || (step.problem ? "malformed" : "says"))
    : step.source === "user" ? (step.number <= 2 ? "task" : "told") : step.source;

  function gistOf(step) {
    const call = step.calls[0];
    const text = call ? call.arguments.map(([, value]) => value).join(" ") : step.text;
    return text.trim().split("\n", 1)[0].slice(0, 200);
  }

  function markOf(step) {
    if (step.backtracked_to !== null) return ["↩", "warn", `went back to the state after turn ${step.backtracked_to}`];
    if (step.problem) return ["!", "bad", "problem"];
    if (step.exit_code) return ["✗", "bad", `exit status ${step.exit_code}`];
    if (step.patch) return ["±", "good", "changed the repository"];
    return ["", "", ""];
  }

  function list() {
    at("steps").replaceChildren(...trajectory.steps.map((step, position) => {
      const [mark, kind, title] = markOf(step);
      const button = make("button", { type: "button" },
        make("span", { text: String(step.number), kind: "number" }), make("span", { text: kindOf(step), kind: "kind" }),
        make("span", { text: gistOf(step), kind: "gist" }), make("span", { text: mark, kind, title }));
      button.addEventListener("click", () => show(position));
      return make("li", {}, button);
    }));
  }

  function diffOf(lines) {
    const kinds = { "+": "add", "-": "del", "@": "at" };
    return make("pre", { kind: "diff", tabindex: "0" }, ...lines.map((line) => make("span", {
      text: line || " ", kind: /^(\+\+\+|---|index |new file|deleted|similarity|rename|old mode|new mode)/.test(line) ? "meta" : kinds[line[0]] || "" })));
  }

  const filesOf = (files) => files.flatMap((file) => [make("div", { text: file.name, kind: "file" }), diffOf(file.lines)]);

  function callOf(call) {
    const parts = [];
    if (call.name) parts.push(make("h3", { text: `Call: ${call.name}` }));
    const changes = call.change.length > 0;
    for (const [name, value] of call.arguments) {
      if (changes && name !== "path") continue;
      if (name === "path") parts.push(make("div", { text: value, kind: "file" }));
      else if (value) parts.push(make("pre", { text: value, kind: "wraps" }));
    }
    if (changes) parts.push(diffOf(call.change));
    parts.push(make("h3", { text: "Answer" }), make("pre", { text: call.answer || "(nothing)", kind: "wraps" }));
    if (call.budget) parts.push(make("p", { text: call.budget, kind: "about" }));
    return parts;
  }

  function show(position) {
    current = Math.max(0, Math.min(position, trajectory.steps.length - 1));
    const step = trajectory.steps[current];
    const buttons = at("steps").querySelectorAll("button");
    buttons.forEach((button, number) => number === current ? button.setAttribute("aria-current", "step") : button.removeAttribute("aria-current"));
    buttons[current].scrollIntoView({ block: "nearest" });
    const about = [step.turn !== null && `turn ${step.turn}`, step.exit_code !== null && `exit status ${step.exit_code}`,
      step.seconds !== null && `${step.seconds.toFixed(2)} s`, step.tokens !== null && `${step.tokens} tokens`].filter(Boolean).join(", ");
    const parts = [make("h2", { text: `${step.number}. ${kindOf(step)}` }), make("p", { text: about, kind: "about" })];
    if (step.problem && !step.calls.length) parts.push(make("div", { text: `Not understood: ${step.problem}`, kind: "note bad" }));
    if (step.backtracked_to !== null) parts.push(make("div", { kind: "note warn", text: `The repository is again as it was ` +
      (step.backtracked_to ? `after turn ${step.backtracked_to}` : "at the start") + (step.restored ? ": the box was restored." : ".") }));
    if (step.thought) parts.push(make("details", { open: "" }, make("summary", { text: "Reasoning" }), make("div", { text: step.thought, kind: "said" })));
    if (step.text) parts.push(step.source === "agent" && !step.calls.length && step.problem ? make("pre", { text: step.text, kind: "wraps" })
      : make("div", { text: step.text, kind: "said" }));
    for (const call of step.calls) parts.push(...callOf(call));
    if (step.patch) parts.push(make("details", step.calls[0]?.change.length ? {} : { open: "" },
      make("summary", { text: step.patch.length ? "All changes of the repository so far" : "No changes of the repository are left" }), ...filesOf(step.patch)));
    if (current === trajectory.steps.length - 1) {
      if (trajectory.submitted.length) parts.push(make("details", { open: "" }, make("summary", { text: "Submitted patch" }), ...filesOf(trajectory.submitted)));
      const tests = Object.entries(trajectory.tests);
      if (tests.length) parts.push(make("details", {}, make("summary", { text: `Tests (${tests.length})` }),
        make("pre", { text: tests.map(([name, outcome]) => `${outcome.padEnd(8)} ${name}`).join("\n") })));
      if (trajectory.num_left_out) parts.push(make("p", { text: `${trajectory.num_left_out} more steps are not shown.`, kind: "about" }));
    }
    at("step").replaceChildren(...parts);
    at("step").scrollTop = 0;
    at("place").textContent = `${current + 1} of ${trajectory.steps.length}`;
    at("previous").disabled = current === 0;
    at("next").disabled = current === trajectory.steps.length - 1;
    history.replaceState(null, "", `#${which}/${current + 1}`);
  }

  async function load(number, position = 0) {
    which = Math.max(0, Math.min(number, index.length - 1));
    try {
      trajectory = saved ? saved.trajectories[which] : await ask(`/api/trajectories/${which}`);
    } catch (error) {
      at("step").replaceChildren(make("div", { text: error.message, kind: "note bad" }));
      return;
    }
    const [word, kind] = verdict(trajectory);
    document.title = `${trajectory.title} - OpenCWM`;
    at("title").textContent = trajectory.title;
    at("verdict").textContent = word;
    at("verdict").className = `badge ${kind}`;
    at("verdict").hidden = !trajectory.status;
    at("facts").textContent = [trajectory.model, `${trajectory.num_turns} turns`, trajectory.stop?.replaceAll("_", " "),
      trajectory.tokens !== null && `${trajectory.tokens} tokens`].filter(Boolean).join(" · ");
    at("reason").textContent = trajectory.reason;
    at("reason").hidden = !trajectory.reason;
    at("which").value = String(which);
    list();
    if (trajectory.steps.length) show(position);
    else at("step").replaceChildren(make("p", { text: "There are no steps." }));
  }

  const keys = { j: () => show(current + 1), ArrowDown: () => show(current + 1), k: () => show(current - 1), ArrowUp: () => show(current - 1),
    J: () => load(which + 1), K: () => load(which - 1), g: () => show(0), G: () => show(trajectory.steps.length - 1) };

  document.addEventListener("keydown", (event) => {
    const isChoosing = event.target instanceof HTMLSelectElement;
    if (event.ctrlKey || event.metaKey || event.altKey || isChoosing || !trajectory || !(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  });
  at("previous").addEventListener("click", () => show(current - 1));
  at("next").addEventListener("click", () => show(current + 1));
  at("which").addEventListener("change", (event) => load(Number(event.target.value)));

  (async () => {
    index = saved ? saved.index : await ask("/api/index");
    at("which").replaceChildren(...index.map((entry, number) => make("option", { value: String(number), text: `${entry.title} – ${verdict(entry)[0]}` })));
    at("chooser").hidden = index.length < 2;
    const [, number, position] = /^#(\d+)\/(\d+)$/.exec(location.hash) || [];
    load(Number(number || 0), Number(position || 1) - 1);
  })();
})();
