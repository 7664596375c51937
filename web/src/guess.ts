// "Guess the next value": what a step changed stays hidden until it has been guessed or given up.

import type { Step, Value } from "./types";
import { normalised } from "./words";

/** The name under which a returned or raised value is hidden; no variable is called so. */
export const RETURNED = "return";

export type Outcome = "right" | "wrong";

export class Guessing {
  is_on = false;
  right = 0;
  asked = 0;
  private hidden = new Map<string, { answer: string; tried: boolean }>();
  private readonly farthest = new Map<number, number>(); // by timeline, the last step that was come to
  private results = new Map<string, Outcome>();

  /** Start at a step, or stop. What was hidden is shown again. */
  toggle(timeline: number, position: number): void {
    this.is_on = !this.is_on;
    this.farthest.clear();
    this.farthest.set(timeline, position);
    this.hidden.clear();
    this.results.clear();
  }

  /** Hide what a step changed, the first time one gets that far; what the user gave is no riddle. */
  arrive(timeline: number, step: Step): void {
    const farthest = this.farthest.get(timeline) ?? -1;
    const isNew = step.index > farthest;
    this.farthest.set(timeline, Math.max(farthest, step.index));
    this.hidden.clear();
    this.results.clear();
    if (!this.is_on || !isNew) return;
    const locals = new Map(step.stack.at(-1)?.locals ?? []);
    for (const name of step.changed) this.hide(name, locals.get(name));
    if (step.value) this.hide(RETURNED, step.value);
  }

  private hide(name: string, value: Value | undefined): void {
    if (value && value.origin !== "supplied") this.hidden.set(name, { answer: value.text, tried: false });
  }

  isHidden(name: string): boolean {
    return this.hidden.has(name);
  }

  get hidesAnything(): boolean {
    return this.hidden.size > 0;
  }

  /** The first hidden name: the one to guess next. */
  get next(): string | undefined {
    return this.hidden.keys().next().value;
  }

  resultOf(name: string): Outcome | undefined {
    return this.results.get(name);
  }

  /** Judge a guess; only the first one counts. A right one shows the value. */
  check(name: string, guess: string): boolean {
    const riddle = this.hidden.get(name);
    if (!riddle) return true;
    const isRight = normalised(guess) === normalised(riddle.answer);
    if (!riddle.tried) {
      this.asked += 1;
      this.right += isRight ? 1 : 0;
    }
    riddle.tried = true;
    this.results.set(name, isRight ? "right" : "wrong");
    if (isRight) this.hidden.delete(name);
    return isRight;
  }

  /** Give up on a value, or on all. */
  reveal(name?: string): void {
    const names = name === undefined ? [...this.hidden.keys()] : [name];
    for (const each of names) {
      const riddle = this.hidden.get(each);
      if (riddle && !riddle.tried) this.asked += 1;
      if (riddle) this.results.set(each, "wrong");
      this.hidden.delete(each);
    }
  }

  get score(): string {
    return this.asked ? `${this.right} of ${this.asked} right at the first try` : "no guess yet";
  }
}
