// The page of `opencwm web`, and of the files it saves.

import { askBreakpoint, askStart } from "./dialogs";
import { byId, fill, h, icon, iconButton } from "./dom";
import { keyName, listen, type Key } from "./keys";
import { LiveBackend } from "./live";
import { drawAssumptions, drawBreakpoints, drawMessage, drawNow, drawStack, drawTimelines, drawWatches, drawWorkings } from "./panels";
import { SavedBackend, type SavedSession } from "./saved";
import { SourceView } from "./source";
import { Store } from "./store";
import { TimelineView } from "./timeline";
import { VariablesView } from "./variables";
import { visible } from "./words";

const THEMES = ["auto", "light", "dark"] as const;

function remembered(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // files and private windows may have no storage
  }
}

function remember(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // see above
  }
}

class Page {
  private readonly source: SourceView;
  private readonly variables: VariablesView;
  private readonly timeline: TimelineView;
  private readonly keys: Key[];
  private readonly guessButton: HTMLButtonElement;
  private shownGuess = "";

  constructor(private readonly store: Store) {
    const nonce = document.querySelector<HTMLMetaElement>("meta[name=style-nonce]")?.content ?? "";
    this.source = new SourceView(store, byId("source"), nonce, (line) => this.askBreakpoint(line));
    this.variables = new VariablesView(store, byId("variables"));
    this.timeline = new TimelineView(store, byId("skyline"), byId("scrubber"), byId("position"));
    this.guessButton = iconButton("guess", "Guess the next value", "g", () => store.toggleGuessing(), "Guess");
    this.keys = this.allKeys();
    this.buttons();
    this.forms();
    listen(this.keys);
    this.theme(remembered("opencwm-theme") ?? "auto");
    store.onChange(() => this.update());
    store.onProgress(() => this.message());
  }

  update(): void {
    const { store } = this;
    this.header();
    this.source.update();
    this.variables.update();
    this.timeline.update();
    drawNow(store, byId("now"));
    drawWorkings(store, byId("workings-card"), byId("workings"));
    drawStack(store, byId("stack"));
    drawWatches(store, byId("watches"));
    drawBreakpoints(store, byId("breakpoints"), (item) => askBreakpoint(store, item.line ?? 0, item));
    drawAssumptions(store, byId("assumptions"));
    drawTimelines(store, byId("timelines"));
    this.message();
    this.score();
    const frame = store.isInnermost ? "" : ` of ${visible(store.frame.function)}`;
    byId("variables-title").textContent = `Variables${frame}`;
    document.documentElement.classList.toggle("busy", store.busy !== null);
  }

  private message(): void {
    drawMessage(this.store, byId("message"), () => void this.store.restartWith());
  }

  private header(): void {
    const { shared, backend, timeline } = this.store;
    byId("file").textContent = visible(shared.file);
    const call = byId<HTMLButtonElement>("call");
    call.textContent = visible(shared.call ?? "main()");
    call.disabled = !backend.is_live;
    const isReal = timeline.source === "real";
    const chip = byId("mode");
    chip.textContent = isReal ? "✓ real run" : "✦ predicted";
    chip.className = `chip ${isReal ? "real" : "predicted"}`;
    chip.title = isReal
      ? "Recorded in the sandbox: these values are facts."
      : "Nothing of the program runs here: a model says what would happen.";
    byId("saved").hidden = backend.is_live;
    const parted = byId<HTMLButtonElement>("parted");
    parted.hidden = timeline.first_divergence === null;
    fill(parted, icon("divergence"), `parts at step ${(timeline.first_divergence ?? 0) + 1}`);
  }

  private score(): void {
    const { guessing } = this.store;
    const text = guessing.is_on ? `Guessing: ${guessing.score}` : "";
    this.guessButton.setAttribute("aria-pressed", String(guessing.is_on));
    if (text === this.shownGuess) return;
    this.shownGuess = text;
    const bar = byId("score");
    bar.hidden = !guessing.is_on;
    fill(bar, text, guessing.is_on && h("span", { class: "tiny" }, "Enter checks, Esc shows the value."));
  }

  private buttons(): void {
    const { store } = this;
    const move = (name: Parameters<typeof iconButton>[0], label: string, keys: string, verb: Parameters<Store["move"]>[0]) =>
      iconButton(name, label, keys, () => void store.move(verb));
    byId("backwards").append(
      move("restart", "To the first step", "Home", "restart"),
      move("continueBack", "Back to the last breakpoint", "C", "continue_back"),
      move("backOver", "Back over", "N", "back_over"),
      move("back", "Back one step", "S", "step_back"),
    );
    byId("forwards").append(
      move("forward", "Step", "s", "step_into"),
      move("over", "Step over calls", "n", "step_over"),
      move("out", "Run until this function returns", "r", "step_out"),
      move("continue", "Continue to a breakpoint or the end", "c", "continue_"),
    );
    const share = h("a", { class: "button", href: "/share", download: "", title: "Save this session as one HTML file  (w)", id: "share" }, icon("share"), "Share");
    byId("tools").append(
      this.guessButton,
      store.backend.is_live ? share : "",
      iconButton("theme", "Light, dark or as the system", "", () => this.nextTheme()),
      iconButton("help", "Keys and marks", "?", () => byId<HTMLDialogElement>("help").showModal()),
    );
    byId("parted").addEventListener("click", () => this.toDivergence());
    byId<HTMLSelectElement>("timelines").addEventListener("change", (event) => {
      void store.selectTimeline(Number((event.target as HTMLSelectElement).value));
    });
    byId("new-breakpoint").addEventListener("click", () => askBreakpoint(store, this.source.line, undefined));
    byId("change-start").addEventListener("click", () => askStart(store));
    byId("new-breakpoint").hidden = byId("change-start").hidden = !store.backend.is_live;
    byId("call").addEventListener("click", () => askStart(store));
  }

  private forms(): void {
    const watch = byId<HTMLFormElement>("watch-form");
    watch.addEventListener("submit", (event) => {
      event.preventDefault();
      const input = byId<HTMLInputElement>("watch-input");
      void this.store.watch(input.value);
      input.value = "";
    });
    for (const dialog of document.querySelectorAll("dialog")) {
      dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    }
    const groups = ["Forwards", "Backwards", "Places", "The rest"] as const;
    fill(
      byId("keys"),
      ...groups.map((group) =>
        h(
          "section",
          {},
          h("h3", {}, group),
          h("dl", {}, ...this.keys.filter((key) => key.group === group).flatMap((key) => [
            h("dt", {}, ...key.keys.map((name) => h("kbd", {}, keyName(name)))), h("dd", {}, key.does),
          ])),
        ),
      ),
    );
  }

  private allKeys(): Key[] {
    const { store } = this;
    const up = (by: number) => () => store.selectLevel(store.level + by);
    const move = (verb: Parameters<Store["move"]>[0]) => () => void store.move(verb);
    return [
      { group: "Forwards", keys: ["s", "ArrowRight"], does: "step, into calls", run: move("step_into") },
      { group: "Forwards", keys: ["n", "Shift+ArrowRight"], does: "step over calls", run: move("step_over") },
      { group: "Forwards", keys: ["r"], does: "run until this function returns", run: move("step_out") },
      { group: "Forwards", keys: ["c"], does: "continue to a breakpoint or the end", run: move("continue_") },
      { group: "Backwards", keys: ["S", "ArrowLeft"], does: "back one step", run: move("step_back") },
      { group: "Backwards", keys: ["N", "Shift+ArrowLeft"], does: "back over calls", run: move("back_over") },
      { group: "Backwards", keys: ["R"], does: "back to where this function was called", run: move("back_out") },
      { group: "Backwards", keys: ["C"], does: "back to the last breakpoint", run: move("continue_back") },
      { group: "Places", keys: ["Home"], does: "the first step", run: move("restart") },
      { group: "Places", keys: ["End"], does: "the last step known", run: () => void store.goTo(Infinity) },
      { group: "Places", keys: ["x"], does: "where prediction and real run part", run: () => this.toDivergence() },
      { group: "Places", keys: ["u"], does: "look at the caller", run: up(-1) },
      { group: "Places", keys: ["d"], does: "look at the called function again", run: up(1) },
      { group: "Places", keys: ["l"], does: "to the program; ↑ ↓ select a line, Enter runs to it", run: () => this.source.focus() },
      { group: "Places", keys: ["t"], does: "to the timeline; ← → scrub", run: () => this.timeline.focus() },
      { group: "Places", keys: ["v"], does: "to the variables; Enter sets one", run: () => document.querySelector<HTMLElement>("#variables button, #variables input")?.focus() },
      { group: "The rest", keys: ["b"], does: "breakpoint at the selected or current line", run: () => void store.toggleBreakpoint(this.source.line) },
      { group: "The rest", keys: ["B"], does: "breakpoint of any kind: condition, hits, message", run: () => this.askBreakpoint(this.source.line) },
      { group: "The rest", keys: ["e"], does: "evaluate and watch an expression", run: () => byId("watch-input").focus() },
      { group: "The rest", keys: ["a"], does: "start with other arguments and assumptions", run: () => askStart(store) },
      { group: "The rest", keys: ["h"], does: "history of each variable", run: () => this.variables.toggleHistories() },
      { group: "The rest", keys: ["g"], does: "guess the next value", run: () => store.toggleGuessing() },
      { group: "The rest", keys: ["w"], does: "save the session as one HTML file", run: () => document.getElementById("share")?.click() },
      { group: "The rest", keys: ["Escape"], does: "cancel a long move, dismiss a message", run: () => (store.busy || store.others !== null ? void store.cancel() : store.dismiss()) },
      { group: "The rest", keys: ["?"], does: "this help", run: () => byId<HTMLDialogElement>("help").showModal() },
    ];
  }

  private toDivergence(): void {
    const { first_divergence: parted } = this.store.timeline;
    if (parted === null) this.store.say("No step is known to differ from a real run.");
    else void this.store.goTo(parted);
  }

  private askBreakpoint(line: number): void {
    askBreakpoint(this.store, line, this.store.shared.breakpoints.find((item) => item.line === line));
  }

  private nextTheme(): void {
    const now = document.documentElement.dataset.theme ?? "auto";
    const next = THEMES[(THEMES.indexOf(now as (typeof THEMES)[number]) + 1) % THEMES.length]!;
    remember("opencwm-theme", next);
    this.theme(next);
    this.store.say(`Colours: ${next === "auto" ? "as the system" : next}.`);
  }

  private theme(name: string): void {
    document.documentElement.dataset.theme = name;
    if (this.store.shared) this.timeline.paint();
  }
}

async function start(): Promise<void> {
  const data = document.getElementById("session")?.textContent;
  const saved = data ? (JSON.parse(data) as SavedSession) : null;
  const store = new Store(saved ? new SavedBackend(saved) : new LiveBackend());
  try {
    await store.start(saved?.place ?? null);
    new Page(store).update();
    document.documentElement.classList.add("ready");
  } catch (error) {
    const bar = byId("message");
    bar.hidden = false;
    bar.className = "message problem";
    bar.textContent = (error as Error).message;
  }
}

void start();
