// A server answers. The cookie that the page came with says who we are; nothing is kept here that could leak.

import type {
  Backend, Breakpoint, BreakpointChange, Change, Evaluated, Event, Frame, Kind, Moved, Overview, Place, Shared, Step, Verb, Wish,
} from "./types";
import { Refusal } from "./types";

interface Packed {
  frames: Frame[];
  steps: (Omit<Step, "stack"> & { stack: number[] })[];
}

/** Put the frames, which a batch of steps shares, back into each of its steps. */
export function unpacked(batch: Packed): Step[] {
  return batch.steps.map((step) => ({ ...step, stack: step.stack.map((index) => batch.frames[index]!) }));
}

const BATCH = 64;
const GONE =
  "The server does not answer. Start it again with `opencwm web`; what this page has loaded can still be looked at.";

export class LiveBackend implements Backend {
  readonly is_live = true;
  private readonly steps = new Map<string, Promise<Step>>();
  private listeners: ((event: Event) => void)[] = [];

  shared(): Promise<Shared> {
    return this.get("/api/state");
  }

  overview(timeline: number): Promise<Overview> {
    return this.get(`/api/overview?timeline=${timeline}`);
  }

  /** Steps never change, so each is asked for once, with those around it. */
  step(timeline: number, index: number): Promise<Step> {
    const key = `${timeline}:${index}`;
    const known = this.steps.get(key);
    if (known) return known;
    const start = Math.floor(index / BATCH) * BATCH;
    const batch = this.get<Packed>(`/api/steps?timeline=${timeline}&start=${start}&stop=${start + BATCH}`).then(unpacked);
    for (let at = start; at < start + BATCH; at++) {
      const own = `${timeline}:${at}`;
      if (this.steps.has(own)) continue;
      const promise = batch.then((steps) => {
        const step = steps.find((item) => item.index === at);
        if (!step) throw new Refusal(`step ${at} is not known yet`);
        return step;
      });
      promise.catch(() => this.steps.delete(own));
      this.steps.set(own, promise);
    }
    return this.steps.get(key)!;
  }

  async move(from: Place, verb: Verb, known: number, line?: number): Promise<Moved> {
    return this.keep(await this.post("/api/move", { ...from, move: verb, known, line: line ?? null }));
  }

  async set(at: Place, name: string, value: string): Promise<Moved> {
    return this.keep(await this.post("/api/set", { ...at, name, value }));
  }

  async steer(at: Place, kind: Kind): Promise<Moved> {
    return this.keep(await this.post("/api/steer", { ...at, kind }));
  }

  async restartWith(call: string | null, assumptions: string[] | null): Promise<Moved> {
    return this.keep(await this.post("/api/restart", { call, assumptions }));
  }

  history(at: Place, level: number, name: string): Promise<Change[]> {
    const query = new URLSearchParams({ timeline: `${at.timeline}`, position: `${at.position}`, level: `${level}`, name });
    return this.get(`/api/history?${query}`);
  }

  evaluate(at: Place, level: number, expression: string, ask = false): Promise<Evaluated> {
    return this.post("/api/evaluate", { ...at, level, expression, ask });
  }

  addBreakpoint(wish: Wish): Promise<Breakpoint[]> {
    return this.post("/api/breakpoints", wish);
  }

  changeBreakpoint(number: number, change: BreakpointChange): Promise<Breakpoint[]> {
    return this.post(`/api/breakpoints/${number}`, change);
  }

  removeBreakpoint(number: number): Promise<Breakpoint[]> {
    return this.post(`/api/breakpoints/${number}/remove`, {});
  }

  async cancel(): Promise<void> {
    await this.post("/api/cancel", {});
  }

  subscribe(listener: (event: Event) => void): void {
    this.listeners.push(listener);
    if (this.listeners.length > 1) return;
    let lost = false;
    const source = new EventSource("/api/events");
    source.onopen = () => {
      if (lost) this.tell({ kind: "found" });
      lost = false;
    };
    source.onerror = () => {
      if (!lost) this.tell({ kind: "lost" });
      lost = true;
    };
    source.onmessage = (message) => this.tell(JSON.parse(message.data as string) as Event);
  }

  private tell(event: Event): void {
    for (const listener of this.listeners) listener(event);
  }

  private keep(moved: Moved): Moved {
    this.steps.set(`${moved.place.timeline}:${moved.step.index}`, Promise.resolve(moved.step));
    return moved;
  }

  private get<T>(path: string): Promise<T> {
    return this.ask<T>(path, {});
  }

  private post<T>(path: string, body: unknown): Promise<T> {
    return this.ask<T>(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  }

  private async ask<T>(path: string, options: RequestInit): Promise<T> {
    let response: Response;
    try {
      response = await fetch(path, { ...options, credentials: "same-origin", cache: "no-store" });
    } catch {
      throw new Refusal(GONE);
    }
    const body: unknown = await response.json().catch(() => null);
    if (!response.ok) {
      const said = (body as { error?: string } | null)?.error;
      throw new Refusal(said ?? `the server answered ${response.status}`);
    }
    return body as T;
  }
}
