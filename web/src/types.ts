// What the server tells the page, and what a saved file holds. The same names as in frontends/web/wire.py.

export type Origin = "supplied" | "carried" | "predicted" | "verified";

/** A value as shown: its text is never anything but text. */
export interface Value {
  text: string;
  origin: Origin;
  /** The model's probability of this text, or null where it is not the model's. */
  p: number | null;
}

export interface Frame {
  function: string;
  line: number;
  locals: [name: string, value: Value][];
}

/** A sub-expression of the line that is about to run, by columns from 0. */
export interface Expression {
  line: number;
  from: number;
  to: number;
  value: string;
  /** Where the value comes from, in words. */
  how: string;
}

/** The same step compared with the real run. */
export interface Real {
  agrees: boolean;
  /** What differs, in words; empty when nothing does. */
  note: string;
  differences: Record<string, [said: string | null, was: string | null]>;
  value: string | null;
}

export type Kind = "call" | "line" | "return" | "exception";

export interface Step {
  index: number;
  kind: Kind;
  flags: string[];
  line: number;
  depth: number;
  function: string;
  stack: Frame[];
  changed: string[];
  deleted: string[];
  value: Value | null;
  control: number | null;
  /** Why the program does not allow this step; null where it does, or where nobody looked. */
  objection: string | null;
  evaluations: { text: string; value: string }[];
  expressions: Expression[];
  real: Real | null;
}

/** A few numbers about each step, for all steps that are known. */
export interface Overview {
  lines: number[];
  depths: number[];
  kinds: Kind[];
  /** The least probability of anything the model said at the step; null where it said nothing. */
  sureness: (number | null)[];
  /** Whether the step is as in the real run; null where that is not known. */
  agrees: (boolean | null)[];
}

export interface Timeline {
  id: number;
  label: string;
  source: "predicted" | "real";
  num_steps: number;
  is_ended: boolean;
  status: string;
  first_divergence: number | null;
  forked_at: number | null;
  /** Whether the model can be told which kind of step comes next. */
  can_steer: boolean;
}

export interface Breakpoint {
  number: number;
  kind: string;
  /** What it waits for, in words. */
  place: string;
  line: number | null;
  variable: string | null;
  condition: string | null;
  /** Which hits stop: "== 5", ">= 3", "% 2". */
  hit_condition: string | null;
  /** What is written instead of stopping. */
  log_message: string | null;
  is_enabled: boolean;
  num_hits: number;
}

/** What may be changed of a breakpoint; an empty text takes it away. */
export interface BreakpointChange {
  is_enabled?: boolean;
  condition?: string;
  hit_condition?: string;
  log_message?: string;
}

/** A value that a variable got. */
export interface Change {
  /** The step at which it is seen first, and the one that made it. */
  position: number;
  made_at: number;
  line: number;
  how: "line" | "argument" | "set";
  /** Null where the variable was deleted. */
  value: Value | null;
}

/** What the user said of how the program starts. */
export interface Start {
  call: string | null;
  entry: string | null;
  assumptions: string[];
}

/** What all windows on a session share. */
export interface Shared {
  file: string;
  source: string;
  call: string | null;
  start: Start;
  /** The first line of what was added to the program to make the call. */
  wrapper_line: number | null;
  mode: "predicted" | "real" | "compare";
  version: string;
  breakable: number[];
  timelines: Timeline[];
  breakpoints: Breakpoint[];
  notes: string[];
  /** How the real run ended, where there is one beside a prediction. */
  real_status: string;
  num_windows: number;
  is_stale: boolean;
}

export interface Place {
  timeline: number;
  position: number;
  is_ended: boolean;
}

export interface Stop {
  kind: string;
  reason: string;
  /** What breakpoints wrote on the way. */
  logs?: { line: number; text: string }[];
}

/** What to stop at: before a line, at calls of a function, when a variable changes, or at exceptions. */
export interface Wish {
  line?: number;
  called?: string;
  variable?: string;
  function?: string;
  exceptions?: "raised" | "uncaught";
  types?: string[];
  condition?: string;
  hit_condition?: string;
  log_message?: string;
}

export interface Moved {
  place: Place;
  stop: Stop;
  step: Step;
  timeline: Timeline;
  overview: { start: number } & Overview;
}

export type Verb =
  | "step_into"
  | "step_over"
  | "step_out"
  | "continue_"
  | "step_back"
  | "back_over"
  | "back_out"
  | "continue_back"
  | "restart"
  | "run_to";

export interface Evaluated {
  text: string;
  /** Where it comes from, in words. */
  how: string;
  is_known: boolean;
  /** Whether the model could be asked. */
  can_ask: boolean;
}

export type Event =
  | { kind: "shared" }
  | { kind: "progress"; timeline: number; num_steps: number }
  | { kind: "lost" }
  | { kind: "found" };

/** Who answers: a server, or the file the page was saved in. */
export interface Backend {
  readonly is_live: boolean;
  shared(): Promise<Shared>;
  overview(timeline: number): Promise<Overview>;
  step(timeline: number, index: number): Promise<Step>;
  move(from: Place, verb: Verb, known: number, line?: number): Promise<Moved>;
  evaluate(at: Place, level: number, expression: string, ask?: boolean): Promise<Evaluated>;
  set(at: Place, name: string, value: string): Promise<Moved>;
  steer(at: Place, kind: Kind): Promise<Moved>;
  addBreakpoint(wish: Wish): Promise<Breakpoint[]>;
  changeBreakpoint(number: number, change: BreakpointChange): Promise<Breakpoint[]>;
  removeBreakpoint(number: number): Promise<Breakpoint[]>;
  /** Start again: with another call and assumptions, or, given null, as before from the file as it is now. */
  restartWith(call: string | null, assumptions: string[] | null): Promise<Moved>;
  /** The values a variable of an activation had, oldest first; `level` from 0, the outermost. */
  history(at: Place, level: number, name: string): Promise<Change[]>;
  cancel(): Promise<void>;
  subscribe(listener: (event: Event) => void): void;
}

/** Something went wrong that the user can read. */
export class Refusal extends Error {}
