// The page's own file answers: every step is in it, and nothing can be predicted any more.

import { moved } from "./moves";
import { unpacked } from "./live";
import type {
  Backend, Breakpoint, BreakpointChange, Change, Evaluated, Frame, Moved, Overview, Place, Shared, Step, Verb, Wish,
} from "./types";
import { Refusal } from "./types";

interface SavedTimeline {
  id: number;
  overview: Overview;
  steps: (Omit<Step, "stack"> & { stack: number[] })[];
}

export interface SavedSession {
  shared: Shared;
  frames: Frame[];
  timelines: SavedTimeline[];
  place: Place;
}

const FIXED = "This page is a saved session: it can be stepped through and searched, but predicts nothing new.";

export class SavedBackend implements Backend {
  readonly is_live = false;
  private readonly steps = new Map<number, Step[]>();
  private breakpoints: Breakpoint[];

  constructor(private readonly saved: SavedSession) {
    this.breakpoints = saved.shared.breakpoints;
    for (const timeline of saved.timelines) {
      this.steps.set(timeline.id, unpacked({ frames: saved.frames, steps: timeline.steps }));
    }
  }

  async shared(): Promise<Shared> {
    return { ...this.saved.shared, breakpoints: this.breakpoints };
  }

  async overview(timeline: number): Promise<Overview> {
    return this.timeline(timeline).overview;
  }

  async step(timeline: number, index: number): Promise<Step> {
    const step = this.steps.get(timeline)?.[index];
    if (!step) throw new Refusal(`step ${index} is not in this file`);
    return step;
  }

  async move(from: Place, verb: Verb, _known: number, line?: number): Promise<Moved> {
    const info = this.saved.shared.timelines.find((item) => item.id === from.timeline)!;
    const { overview } = this.timeline(from.timeline);
    const end = moved(overview, info.status, this.breakpoints, from, verb, line);
    return {
      ...end,
      step: await this.step(from.timeline, end.place.position),
      timeline: info,
      overview: { start: overview.lines.length, lines: [], depths: [], kinds: [], sureness: [], agrees: [] },
    };
  }

  async evaluate(at: Place, level: number, expression: string): Promise<Evaluated> {
    const step = await this.step(at.timeline, at.position);
    const found = step.stack.at(level)?.locals.find(([name]) => name === expression.trim());
    if (!found) throw new Refusal("In a saved session only variables can be watched.");
    return { text: found[1].text, how: found[1].origin, is_known: true, can_ask: false };
  }

  async set(): Promise<Moved> {
    throw new Refusal(FIXED);
  }

  async steer(): Promise<Moved> {
    throw new Refusal(FIXED);
  }

  async restartWith(): Promise<Moved> {
    throw new Refusal(FIXED);
  }

  /** As opencwm.debugger.activations.changes_of, from the steps in this file. */
  async history(at: Place, level: number, name: string): Promise<Change[]> {
    const steps = this.steps.get(at.timeline) ?? [];
    const own: Step[] = [];
    for (let index = at.position; index >= 0; index--) {
      const step = steps[index]!;
      if (step.depth > level) continue;
      if (step.depth < level) break;
      own.unshift(step);
      if (step.kind === "call") break;
    }
    return own.flatMap((step, place): Change[] => {
      const before = place ? own[place - 1]! : step;
      const how = place ? ("line" as const) : ("argument" as const);
      const told = { position: step.index, made_at: before.index, line: before.line, how };
      if (step.deleted.includes(name)) return [{ ...told, value: null }];
      const local = (of: Step) => of.stack.at(level)?.locals.find(([other]) => other === name)?.[1] ?? null;
      const value = local(step);
      const isSame = place > 0 && value?.text === local(before)?.text;
      return value && step.changed.includes(name) && !isSame ? [{ ...told, value }] : [];
    });
  }

  async addBreakpoint({ line, condition }: Wish): Promise<Breakpoint[]> {
    if (line === undefined || condition) throw new Refusal("A saved session has breakpoints on lines only, without conditions.");
    if (!this.saved.shared.breakable.includes(line)) throw new Refusal(`no function has code on line ${line}`);
    const number = Math.max(0, ...this.breakpoints.map((item) => item.number)) + 1;
    const made = {
      number, kind: "breakpoint", place: `line ${line}`, line, variable: null, condition: null, hit_condition: null, log_message: null,
      is_enabled: true, num_hits: 0,
    };
    this.breakpoints = [...this.breakpoints, made];
    return this.breakpoints;
  }

  async changeBreakpoint(number: number, change: BreakpointChange): Promise<Breakpoint[]> {
    this.breakpoints = this.breakpoints.map((item) => (item.number === number ? { ...item, ...change } : item));
    return this.breakpoints;
  }

  async removeBreakpoint(number: number): Promise<Breakpoint[]> {
    this.breakpoints = this.breakpoints.filter((item) => item.number !== number);
    return this.breakpoints;
  }

  async cancel(): Promise<void> {}

  subscribe(): void {}

  private timeline(id: number): SavedTimeline {
    const found = this.saved.timelines.find((item) => item.id === id);
    if (!found) throw new Refusal("there is no such timeline");
    return found;
  }
}
