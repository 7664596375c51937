// What the page shows now, and every action on it. Views read from here and are told when it changes.

import { Guessing } from "./guess";
import type {
  Backend, Breakpoint, BreakpointChange, Change, Evaluated, Event, Frame, Kind, Moved, Overview, Place, Real, Shared, Step, Stop, Timeline, Value, Verb,
  Wish,
} from "./types";

export interface Watch {
  expression: string;
  result: Evaluated | null;
  problem: string;
}

export interface Message {
  text: string;
  kind: "info" | "problem";
}

const MOST_WAITING = 3;

const EMPTY: Overview = { lines: [], depths: [], kinds: [], sureness: [], agrees: [] };

export class Store {
  shared!: Shared;
  place: Place = { timeline: 0, position: 0, is_ended: false };
  step!: Step;
  before: Step | null = null;
  stop: Stop = { kind: "entry", reason: "entry" };
  level = -1;
  busy: { since: number; from: number; now: number } | null = null;
  /** How many steps the timeline has on which another window predicts; null when none does. */
  others: number | null = null;
  isLost = false;
  message: Message | null = null;
  numWindowsTold = 1;
  private areNotesRead = false;
  watches: Watch[] = [];
  readonly guessing = new Guessing();
  private readonly overviews = new Map<number, Overview>();
  private listeners: (() => void)[] = [];
  private progressListeners: (() => void)[] = [];
  private wanted = 0;
  private moves: Promise<void> = Promise.resolve();
  private showing: Promise<boolean> = Promise.resolve(true);
  private numWaiting = 0;
  private numJumps = 0;
  private isCancelling = false;

  constructor(readonly backend: Backend) {}

  async start(place: Place | null): Promise<void> {
    this.shared = await this.backend.shared();
    const timeline = place?.timeline ?? this.shared.timelines[0]!.id;
    this.overviews.set(timeline, await this.backend.overview(timeline));
    const position = Math.min(place?.position ?? 0, this.overview(timeline).lines.length - 1);
    await this.show({ timeline, position, is_ended: place?.is_ended ?? false });
    this.backend.subscribe((event) => void this.heard(event));
  }

  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Be told how far a long move is, often; nothing else changes then. */
  onProgress(listener: () => void): void {
    this.progressListeners.push(listener);
  }

  tell(): void {
    for (const listener of this.listeners) listener();
  }

  // What is here

  get timeline(): Timeline {
    return this.shared.timelines.find((item) => item.id === this.place.timeline) ?? this.shared.timelines[0]!;
  }

  overview(timeline = this.place.timeline): Overview {
    return this.overviews.get(timeline) ?? EMPTY;
  }

  /** The activation looked at: the innermost one unless the user went up. */
  get frame(): Frame {
    return this.step.stack.at(this.level) ?? this.step.stack.at(-1)!;
  }

  get isInnermost(): boolean {
    return this.frame === this.step.stack.at(-1);
  }

  /** The comparison with the real run, where it may be told. */
  get real(): Real | null {
    return this.guessing.hidesAnything ? null : this.step.real;
  }

  /** What a variable of the innermost activation was at the step before, if that was of the same activation. */
  was(name: string): Value | null {
    const before = this.before;
    if (!before || before.stack.length !== this.step.stack.length) return null;
    return before.stack.at(-1)!.locals.find(([other]) => other === name)?.[1] ?? null;
  }

  // Moves

  /** Make a move after those that were asked for before it; someone who leans on a key gets no further than a few. */
  async move(verb: Verb, line?: number): Promise<void> {
    if (this.numWaiting >= MOST_WAITING) return;
    this.numWaiting += 1;
    const jump = this.numJumps;
    this.moves = this.moves
      .then(() => (jump === this.numJumps ? this.moveNow(verb, line) : undefined))
      .finally(() => (this.numWaiting -= jump === this.numJumps ? 1 : 0));
    await this.moves;
  }

  private async moveNow(verb: Verb, line?: number): Promise<void> {
    await this.showing;
    if (this.isCancelling) return;
    if (this.guessing.hidesAnything) this.guessing.reveal();
    const before = this.step;
    this.begin();
    const ticket = this.wanted;
    await this.attempt(async () => {
      const moved = await this.backend.move(this.place, verb, this.overview().lines.length, line);
      await this.arrived(moved, before, () => ticket === this.wanted);
    });
    this.busy = null;
    this.tell();
    void this.look();
  }

  /** Forget the moves that wait for a place that is left now. */
  private forgetMoves(): void {
    this.numJumps += 1;
    this.numWaiting = 0;
  }

  /** Go to a step that is known, as the scrubber does: nothing is predicted. */
  async goTo(position: number): Promise<void> {
    this.forgetMoves();
    const last = this.overview().lines.length - 1;
    const wanted = Math.max(0, Math.min(last, position));
    this.showing = this.attempt(() => this.show({ ...this.place, position: wanted, is_ended: false }));
    await this.showing;
  }

  async selectTimeline(id: number): Promise<void> {
    this.forgetMoves();
    this.showing = this.attempt(async () => {
      this.overviews.set(id, await this.backend.overview(id));
      const last = this.overview(id).lines.length - 1;
      await this.show({ timeline: id, position: Math.min(this.place.position, last), is_ended: false });
    });
    await this.showing;
  }

  selectLevel(level: number): void {
    this.level = Math.max(-this.step.stack.length, Math.min(-1, level));
    this.tell();
    void this.look();
  }

  /** End the move under way; those that wait are forgotten. */
  async cancel(): Promise<void> {
    this.isCancelling = true;
    await this.attempt(() => this.backend.cancel());
    await this.moves;
    this.isCancelling = false;
  }

  // Changes

  async set(name: string, value: string): Promise<boolean> {
    return this.attempt(async () => {
      const before = this.before;
      const moved = await this.backend.set(this.place, name, value);
      await this.refresh();
      this.overviews.set(moved.place.timeline, await this.backend.overview(moved.place.timeline));
      await this.arrived(moved, before);
      this.say(`${name} is set. What follows is predicted anew in a timeline of its own; the old one is kept.`);
      void this.look();
    });
  }

  /** Have the next step be of a kind, in a timeline of its own. */
  async steer(kind: Kind): Promise<void> {
    if (this.busy || !this.canSteer) return;
    const { step, place } = this;
    this.begin();
    const ticket = this.wanted;
    await this.attempt(async () => {
      const moved = await this.backend.steer(place, kind);
      await this.refresh();
      this.overviews.set(moved.place.timeline, await this.backend.overview(moved.place.timeline));
      await this.arrived(moved, step, () => ticket === this.wanted);
      this.say(`The model was told that a ${kind} comes next. What follows is a timeline of its own; the old one is kept.`);
    });
    this.busy = null;
    this.tell();
    void this.look();
  }

  get canSteer(): boolean {
    return this.backend.is_live && this.timeline.can_steer && !this.place.is_ended && !this.guessing.hidesAnything;
  }

  /** Start again from the file as it is now; see `Backend.restartWith`. */
  async restartWith(call: string | null = null, assumptions: string[] | null = null): Promise<boolean> {
    return this.attempt(async () => {
      const moved = await this.backend.restartWith(call, assumptions);
      await this.refresh();
      this.overviews.set(moved.place.timeline, await this.backend.overview(moved.place.timeline));
      await this.arrived(moved, null);
      const { length } = this.shared.start.assumptions;
      const assuming = length ? `, assuming ${length} thing${length > 1 ? "s" : ""}` : "";
      this.say(`Started again at the first step${assuming}. The steps and timelines from before are gone.`);
      void this.look();
    });
  }

  async toggleBreakpoint(line: number): Promise<boolean> {
    return this.attempt(async () => {
      const there = this.shared.breakpoints.filter((item) => item.line === line);
      for (const item of there) this.breakpoints(await this.backend.removeBreakpoint(item.number));
      if (!there.length) this.breakpoints(await this.backend.addBreakpoint({ line }));
    });
  }

  async addBreakpoint(wish: Wish): Promise<boolean> {
    return this.attempt(async () => this.breakpoints(await this.backend.addBreakpoint(wish)));
  }

  /** Stop where a variable changes, or no longer. */
  async toggleDataBreakpoint(variable: string): Promise<boolean> {
    return this.attempt(async () => {
      const there = this.dataBreakpoint(variable);
      const wish = { variable, function: this.frame.function };
      this.breakpoints(await (there ? this.backend.removeBreakpoint(there.number) : this.backend.addBreakpoint(wish)));
    });
  }

  dataBreakpoint(variable: string): Breakpoint | undefined {
    const places = [`change of ${variable}`, `change of ${variable} in ${this.frame.function}`];
    return this.shared.breakpoints.find((item) => item.variable === variable && places.includes(item.place));
  }

  /** The breakpoint at whatever exception is raised. */
  get anyException(): Breakpoint | undefined {
    return this.shared.breakpoints.find((item) => item.place === "any exception raised" && !item.condition && !item.log_message);
  }

  async toggleExceptions(): Promise<boolean> {
    return this.attempt(async () => {
      const there = this.anyException;
      this.breakpoints(
        await (there ? this.backend.removeBreakpoint(there.number) : this.backend.addBreakpoint({ exceptions: "raised" })),
      );
    });
  }

  async changeBreakpoint(number: number, change: BreakpointChange): Promise<boolean> {
    return this.attempt(async () => this.breakpoints(await this.backend.changeBreakpoint(number, change)));
  }

  async removeBreakpoint(number: number): Promise<boolean> {
    return this.attempt(async () => this.breakpoints(await this.backend.removeBreakpoint(number)));
  }

  // Watches

  async watch(expression: string): Promise<void> {
    const text = expression.trim();
    if (!text || this.watches.some((item) => item.expression === text)) return;
    this.watches.push({ expression: text, result: null, problem: "" });
    await this.look();
  }

  unwatch(expression: string): void {
    this.watches = this.watches.filter((item) => item.expression !== expression);
    this.tell();
  }

  /** Evaluate in the activation that is looked at. */
  evaluate(expression: string): Promise<Evaluated> {
    return this.backend.evaluate(this.place, this.level, expression);
  }

  /** The values that a variable of the activation that is looked at had up to here, oldest first. */
  history(name: string): Promise<Change[]> {
    return this.backend.history(this.place, this.step.stack.indexOf(this.frame), name);
  }

  /** Ask the model for a watched expression that cannot be computed. */
  async ask(expression: string): Promise<void> {
    const item = this.watches.find((watch) => watch.expression === expression);
    if (!item || this.busy) return;
    const { place, level } = this;
    this.begin();
    await this.attempt(async () => {
      const result = await this.backend.evaluate(place, level, expression, true);
      if (place === this.place) item.result = result;
    });
    this.busy = null;
    this.tell();
  }

  private begin(): void {
    this.busy = { since: performance.now(), from: this.timeline.num_steps, now: this.timeline.num_steps };
    window.setTimeout(() => this.busy && this.tell(), 200);
  }

  private async look(): Promise<void> {
    const place = this.place;
    await Promise.all(
      this.watches.map(async (item) => {
        try {
          const result = await this.evaluate(item.expression);
          if (place === this.place) [item.result, item.problem] = [result, ""];
        } catch (error) {
          [item.result, item.problem] = [null, (error as Error).message];
        }
      }),
    );
    if (this.watches.length) this.tell();
  }

  // The rest

  say(text: string, kind: Message["kind"] = "info"): void {
    this.message = { text, kind };
    this.tell();
  }

  /** The user knows how many windows are open. */
  knowWindows(): void {
    this.numWindowsTold = this.shared.num_windows;
    this.tell();
  }

  /** What the user should know of the session as a whole, until it was read. */
  get notes(): string {
    return this.areNotesRead ? "" : this.shared.notes.join(" · ");
  }

  readNotes(): void {
    this.areNotesRead = true;
    this.tell();
  }

  dismiss(): void {
    this.message = null;
    this.tell();
  }

  toggleGuessing(): void {
    this.guessing.toggle(this.place.timeline, this.step.index);
    this.tell();
  }

  private breakpoints(items: Breakpoint[]): void {
    this.shared.breakpoints = items;
    this.tell();
  }

  private async attempt(action: () => Promise<void>): Promise<boolean> {
    try {
      this.message = null;
      await action();
      return true;
    } catch (error) {
      this.say((error as Error).message, "problem");
      return false;
    }
  }

  /** Take in what a move brought, and go there unless the user has gone elsewhere meanwhile. */
  private async arrived(moved: Moved, before: Step | null, isWanted: () => boolean = () => true): Promise<void> {
    const known = this.overview(moved.place.timeline);
    const { start, ...tail } = moved.overview;
    if (start === known.lines.length) {
      known.lines.push(...tail.lines);
      known.depths.push(...tail.depths);
      known.kinds.push(...tail.kinds);
      known.sureness.push(...tail.sureness);
      known.agrees.push(...tail.agrees);
    } else {
      this.overviews.set(moved.place.timeline, await this.backend.overview(moved.place.timeline));
    }
    this.shared.timelines = this.shared.timelines.map((item) => (item.id === moved.timeline.id ? moved.timeline : item));
    const index = moved.step.index;
    if (before?.index !== index - 1) {
      before = index ? await this.backend.step(moved.place.timeline, index - 1) : null;
    }
    if (!isWanted()) return;
    this.stop = moved.stop;
    this.put(moved.place, moved.step, before);
    if (moved.stop.kind.endsWith("breakpoint")) this.shared = await this.backend.shared();
  }

  private async show(place: Place): Promise<void> {
    const ticket = ++this.wanted;
    const step = await this.backend.step(place.timeline, place.position);
    const before = place.position ? await this.backend.step(place.timeline, place.position - 1) : null;
    if (ticket !== this.wanted) return; // the user has scrubbed on meanwhile
    this.stop = { kind: "step", reason: "step" };
    this.put(place, step, before);
    this.tell();
    void this.look();
  }

  private put(place: Place, step: Step, before: Step | null): void {
    const isElsewhere = place.timeline !== this.place.timeline || step !== this.step;
    [this.place, this.step, this.before, this.level] = [place, step, before, -1];
    if (isElsewhere) this.guessing.arrive(place.timeline, step);
  }

  private async heard(event: Event): Promise<void> {
    if (event.kind === "progress") {
      if (this.busy) this.busy.now = event.num_steps;
      else this.others = event.num_steps;
      for (const listener of this.progressListeners) listener();
    } else if (event.kind === "lost") {
      this.isLost = true;
      this.tell();
    } else {
      this.isLost = false;
      this.others = null;
      await this.refresh();
    }
  }

  private async refresh(): Promise<void> {
    try {
      this.shared = await this.backend.shared();
      if (!this.shared.timelines.some((item) => item.id === this.place.timeline)) {
        await this.selectTimeline(this.shared.timelines[0]!.id);
      }
    } catch (error) {
      this.say((error as Error).message, "problem");
    }
    this.tell();
  }
}
