// Moves over steps that are all known: what a saved file can do by itself. The server's moves are those of
// opencwm.debugger.session; these are the same in terms of depth and kind (opencwm/traces/state_tree.py).

import type { Breakpoint, Overview, Place, Stop, Verb } from "./types";

interface Origin {
  kind: string;
  depth: number;
}

type Ends = (origin: Origin, later: Origin) => boolean;

const always: Ends = () => true;
const never: Ends = () => false;

const over: Ends = (origin, later) => (origin.kind === "return" ? later.depth < origin.depth : later.depth <= origin.depth);

const out: Ends = (origin, later) => {
  const depth = origin.kind === "return" ? origin.depth - 1 : origin.depth;
  if (later.depth !== depth) return later.depth < depth;
  return later.kind === "return" || (later.kind === "call" && origin.kind !== "return");
};

const backOver: Ends = (origin, earlier) =>
  origin.kind === "call" ? earlier.depth < origin.depth : earlier.depth <= origin.depth;

const backOut: Ends = (origin, earlier) =>
  earlier.kind === "call" && earlier.depth <= (origin.kind === "call" ? origin.depth - 1 : origin.depth);

const FORWARD: Partial<Record<Verb, Ends>> = { step_into: always, step_over: over, step_out: out, continue_: never };
const BACKWARD: Partial<Record<Verb, Ends>> = {
  step_back: always,
  back_over: backOver,
  back_out: backOut,
  continue_back: never,
};

/** Return where a move ends and why. */
export function moved(
  steps: Overview,
  status: string,
  breakpoints: Breakpoint[],
  from: Place,
  verb: Verb,
  line?: number,
): { place: Place; stop: Stop } {
  const last = steps.lines.length - 1;
  const to = (position: number, kind: string, reason: string, is_ended = false) => ({
    place: { ...from, position, is_ended },
    stop: { kind, reason },
  });
  const at = (index: number): Origin => ({ kind: steps.kinds[index]!, depth: steps.depths[index]! });
  const isLine = (index: number, wanted: number) => steps.kinds[index] === "line" && steps.lines[index] === wanted;
  const stops = (index: number) => breakpoints.find((item) => item.is_enabled && item.line !== null && isLine(index, item.line));
  if (verb === "restart") return to(0, "entry", "entry");
  const origin = at(from.position);
  const forward = verb === "run_to" ? never : FORWARD[verb];
  if (forward) {
    for (let index = from.position + 1; index <= last && !from.is_ended; index++) {
      const hit = verb === "step_into" ? undefined : stops(index);
      if (hit) return to(index, "breakpoint", `breakpoint ${hit.number}, ${hit.place}`);
      if (verb === "run_to" && isLine(index, line ?? 0)) return to(index, "goto", `line ${line}`);
      if (forward(origin, at(index))) return to(index, "step", "step");
    }
    return to(last, "ended", status, true);
  }
  const backward = BACKWARD[verb] ?? always;
  if (from.is_ended && verb !== "continue_back") return to(from.position, "step", "step");
  for (let index = from.position - 1; index >= 0; index--) {
    const hit = verb === "continue_back" ? stops(index) : undefined;
    if (hit) return to(index, "breakpoint", `breakpoint ${hit.number}, ${hit.place}`);
    if (backward(origin, at(index))) return to(index, "step", "step");
  }
  return to(0, "start", "the first step");
}
