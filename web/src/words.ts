// How confidence and origin read. Each is said by shape and text; colour only repeats it.

import type { Origin, Value } from "./types";

/** Write a probability, never surer than it is, as the terminal does: 97%, 99.4%, >99.9%, <1%. */
export function percent(p: number): string {
  if (p >= 1) return "100%";
  if (p > 0.999) return ">99.9%";
  if (p >= 0.99) return `${Math.floor(p * 1000) / 10}%`;
  return p >= 0.01 ? `${Math.floor(p * 100)}%` : "<1%";
}

/** Return how sure in five steps: 4 for 99 % and more, 0 for less than one in two. */
export function sureness(p: number): 0 | 1 | 2 | 3 | 4 {
  if (p >= 0.99) return 4;
  if (p >= 0.9) return 3;
  if (p >= 0.7) return 2;
  return p >= 0.5 ? 1 : 0;
}

const DISCS = ["○", "◔", "◑", "◕", "●"] as const;

/** Return a disc that is fuller the surer the model was. */
export function disc(p: number): string {
  return DISCS[sureness(p)];
}

const MARKS: Record<Origin, string> = { supplied: "⌨", carried: "↓", predicted: "✦", verified: "✓" };

export function originMark(origin: Origin): string {
  return MARKS[origin];
}

export const ORIGIN_MEANING: Record<Origin, string> = {
  supplied: "given: an argument, or a variable that was set by hand",
  carried: "as it was: nothing was said about it at this step",
  predicted: "predicted by the model at this step",
  verified: "from a real run, or found equal to one",
};

/** Say where a value comes from in one sentence. */
export function provenance(value: Value): string {
  const p = value.p === null ? "" : `, ${percent(value.p)} sure`;
  return `${value.origin}${p}: ${ORIGIN_MEANING[value.origin]}`;
}

/** Cut a long text in its middle. */
export function shortened(text: string, most: number): string {
  if (text.length <= most) return text;
  const half = Math.floor((most - 1) / 2);
  return `${text.slice(0, half)}…${text.slice(-half)}`;
}

/** Return a text with control characters and direction marks made visible, so that it reads as what it is. */
export function visible(text: string): string {
  return text.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Return a literal as Python would write it, as far as telling two guesses apart needs. */
export function normalised(text: string): string {
  let out = "";
  let rest = text.trim();
  while (rest) {
    const string = /^(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")/.exec(rest);
    if (string) {
      const inner = (string[1] ?? string[2] ?? "").replace(/\\(['"])/g, "$1");
      out += JSON.stringify(inner);
      rest = rest.slice(string[0].length);
      continue;
    }
    if (!/\s/.test(rest[0]!)) out += rest[0];
    rest = rest.slice(1);
  }
  out = out.replace(/,([\]}])/g, "$1");
  return /^[-+]?\d[\d_]*$/.test(out) ? out.replace(/_/g, "").replace(/^\+/, "") : out;
}
