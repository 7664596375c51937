// The program: where it is, breakpoints in the gutter, and the value of whatever the pointer rests on.


import { HighlightStyle, LRLanguage, syntaxHighlighting, syntaxTree } from "@codemirror/language";
import { EditorState, RangeSet, StateEffect, StateField, type Range } from "@codemirror/state";
import {
  Decoration, EditorView, GutterMarker, closeHoverTooltips, gutter, hoverTooltip, lineNumbers, showTooltip, type DecorationSet, type Tooltip,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { parser } from "@lezer/python";
import { h } from "./dom";
import type { Store } from "./store";
import type { Breakpoint } from "./types";
import { provenance, shortened, visible } from "./words";

const PYTHON = LRLanguage.define({ name: "python", parser });

const HIGHLIGHTING = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.controlKeyword, tags.definitionKeyword], class: "tok-keyword" },
  { tag: [tags.string, tags.special(tags.string)], class: "tok-string" },
  { tag: [tags.number, tags.bool, tags.null], class: "tok-number" },
  { tag: [tags.comment, tags.lineComment], class: "tok-comment" },
  { tag: [tags.function(tags.definition(tags.variableName)), tags.definition(tags.className)], class: "tok-definition" },
]);

interface Marks {
  line: number;
  kind: string;
  caller: number;
  cursor: number;
  wrapper: number;
  breakpoints: Map<number, { title: string; shape: string }>;
  breakable: Set<number>;
  isWrong: boolean;
}

const setMarks = StateEffect.define<Marks>();
const setTip = StateEffect.define<Tooltip | null>();
const NONE: Marks = {
  line: 0, kind: "line", caller: 0, cursor: 0, wrapper: 0, breakpoints: new Map(), breakable: new Set(), isWrong: false,
};

const marks = StateField.define<Marks>({
  create: () => NONE,
  update: (value, transaction) => transaction.effects.reduce((kept, e) => (e.is(setMarks) ? e.value : kept), value),
  provide: (field) => EditorView.decorations.compute([field], (state) => decorations(state, state.field(field))),
});

const tip = StateField.define<Tooltip | null>({
  create: () => null,
  update(value, transaction) {
    for (const effect of transaction.effects) {
      if (effect.is(setTip)) return effect.value;
      if (effect.is(setMarks)) return null;
    }
    return value;
  },
  provide: (field) => showTooltip.from(field),
});

function decorations(state: EditorState, now: Marks): DecorationSet {
  const found: Range<Decoration>[] = [];
  const add = (line: number, name: string, attributes: Record<string, string> = {}) => {
    if (line >= 1 && line <= state.doc.lines) {
      found.push(Decoration.line({ class: name, attributes }).range(state.doc.line(line).from));
    }
  };
  for (let line = now.wrapper; line && line <= state.doc.lines; line++) add(line, "cm-wrapper", { title: "added by OpenCWM to make the call" });
  add(now.line, `cm-now cm-now-${now.kind}${now.isWrong ? " cm-now-wrong" : ""}`, { "aria-current": "step" });
  if (now.caller !== now.line) add(now.caller, "cm-caller");
  add(now.cursor, "cm-cursor-line");
  return Decoration.set(found, true);
}

class Dot extends GutterMarker {
  constructor(readonly shape: string, readonly title: string) {
    super();
  }
  override eq(other: Dot): boolean {
    return this.shape === other.shape && this.title === other.title;
  }
  override toDOM(): Node {
    return h("span", { class: `breakpoint ${this.shape}`, title: this.title });
  }
}

class Arrow extends GutterMarker {
  constructor(readonly kind: string) {
    super();
  }
  override eq(other: Arrow): boolean {
    return this.kind === other.kind;
  }
  override toDOM(): Node {
    const text = { call: "▼", return: "▲", exception: "✕" }[this.kind] ?? "▶";
    return h("span", { class: `arrow arrow-${this.kind}`, title: `${this.kind} step` }, text);
  }
}

function breakpointTitle(item: Breakpoint): string {
  return [
    item.log_message ? `${item.number} writes: ${item.log_message}` : `breakpoint ${item.number}`,
    item.condition && `if ${item.condition}`,
    item.hit_condition && `at hit ${item.hit_condition}`,
    !item.is_enabled && "off",
  ].filter(Boolean).join(", ");
}

export class SourceView {
  private readonly view: EditorView;
  private text = "";
  private cursor = 0;
  private shown = "";

  constructor(
    private readonly store: Store,
    parent: HTMLElement,
    private readonly nonce: string,
    private readonly askBreakpoint: (line: number) => void,
  ) {
    this.view = new EditorView({ parent, state: this.state("") });
    window.addEventListener("resize", () => this.reveal(this.line));
    parent.addEventListener("keydown", (event) => this.key(event));
    parent.addEventListener("focusout", () => this.moveCursor(0));
  }

  /** Show where the session is now. */
  update(): void {
    const { shared, step, frame } = this.store;
    if (shared.source !== this.text) {
      this.text = shared.source;
      this.view.setState(this.state(this.text));
      this.shown = "";
    }
    const breakpoints = new Map(
      shared.breakpoints.filter((item) => item.line !== null).map((item) => [
        item.line!,
        {
          title: breakpointTitle(item),
          shape: `${item.is_enabled ? "on" : "off"}${item.condition || item.hit_condition ? " conditional" : ""}${item.log_message ? " logs" : ""}`,
        },
      ]),
    );
    const isWrong = this.store.real !== null && !this.store.real.agrees;
    const value: Marks = {
      line: step.line, kind: step.kind, caller: frame.line, cursor: this.cursor, wrapper: shared.wrapper_line ?? 0, breakpoints,
      breakable: new Set(shared.breakable), isWrong,
    };
    const key = JSON.stringify([this.store.place, step.line, frame.line, this.cursor, [...breakpoints], isWrong]);
    if (key === this.shown) return;
    this.shown = key;
    this.view.dispatch({ effects: [setMarks.of(value), closeHoverTooltips] });
    this.reveal(this.cursor || frame.line);
  }

  focus(): void {
    this.moveCursor(this.store.frame.line);
    this.view.contentDOM.focus();
  }

  /** The line that keys act on: the one selected here, else the current one. */
  get line(): number {
    return this.cursor || this.store.frame.line;
  }

  private state(doc: string): EditorState {
    return EditorState.create({
      doc,
      extensions: [
        EditorView.cspNonce.of(this.nonce),
        EditorState.readOnly.of(true),
        EditorView.editable.of(false),
        EditorView.contentAttributes.of({
          tabindex: "0",
          "aria-label": "Program. Up and down select a line, B sets a breakpoint, Enter runs to the line.",
        }),
        PYTHON,
        syntaxHighlighting(HIGHLIGHTING),
        marks,
        tip,
        this.breakpointGutter(),
        lineNumbers(),
        hoverTooltip((_, at) => this.tipAt(at), { hoverTime: 150, hideOnChange: true }),
        EditorView.domEventHandlers({ click: (event) => this.clicked(event) }),
      ],
    });
  }

  private breakpointGutter() {
    return gutter({
      class: "cm-breakpoints",
      renderEmptyElements: true,
      markers: (view) => {
        const now = view.state.field(marks);
        const found: Range<GutterMarker>[] = [];
        for (const [line, { shape, title }] of now.breakpoints) {
          if (line <= view.state.doc.lines) found.push(new Dot(shape, title).range(view.state.doc.line(line).from));
        }
        if (now.line >= 1 && now.line <= view.state.doc.lines) {
          found.push(new Arrow(now.kind).range(view.state.doc.line(now.line).from));
        }
        return RangeSet.of(found, true);
      },
      initialSpacer: () => new Arrow("line"),
      domEventHandlers: {
        mousedown: (view, block, event) => {
          const line = view.state.doc.lineAt(block.from).number;
          if ((event as MouseEvent).altKey || (event as MouseEvent).button === 2) this.askBreakpoint(line);
          else void this.store.toggleBreakpoint(line);
          event.preventDefault();
          return true;
        },
        contextmenu: (_view, _block, event) => {
          event.preventDefault();
          return true;
        },
      },
    });
  }

  private reveal(line: number): void {
    if (line < 1 || line > this.view.state.doc.lines) return;
    const { from } = this.view.state.doc.line(line);
    this.view.dispatch({ effects: EditorView.scrollIntoView(from, { y: "nearest", yMargin: 60 }) });
  }

  private moveCursor(line: number): void {
    this.cursor = Math.max(0, Math.min(this.view.state.doc.lines, line));
    this.update();
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      this.moveCursor(Math.max(1, this.line + (event.key === "ArrowUp" ? -1 : 1)));
    } else if (event.key === "Enter" && this.cursor) {
      void this.store.move("run_to", this.cursor);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** Touch has no hover: a tap shows the same. */
  private clicked(event: MouseEvent): boolean {
    const at = this.view.posAtCoords({ x: event.clientX, y: event.clientY });
    if (at === null) return false;
    void this.tipAt(at).then((found) => this.view.dispatch({ effects: setTip.of(found) }));
    return false;
  }

  /** The smallest expression around a place, and its value. */
  private async tipAt(at: number): Promise<Tooltip | null> {
    if (this.store.guessing.hidesAnything) return null;
    for (let node = syntaxTree(this.view.state).resolveInner(at, 0); node.parent; node = node.parent) {
      const isCallee = node.parent.name === "CallExpression" && node.parent.firstChild?.from === node.from;
      if (!EXPRESSIONS.has(node.name) || (isCallee && node.name === "MemberExpression" && at > node.from + 1)) continue;
      const shown = await this.valueOf(node.from, node.to);
      if (!shown) return null;
      const text = this.text.slice(node.from, node.to);
      return { pos: node.from, end: node.to, above: true, create: () => ({ dom: card(text, shown) }) };
    }
    return null;
  }

  private async valueOf(from: number, to: number): Promise<{ value: string; how: string } | null> {
    const text = this.text.slice(from, to);
    const frame = this.store.frame;
    const local = frame.locals.find(([name]) => name === text);
    if (local) return { value: local[1].text, how: provenance(local[1]) };
    const line = this.view.state.doc.lineAt(from);
    const known = this.store.isInnermost
      ? this.store.step.expressions.find(
          (item) => item.line === line.number && item.from === from - line.from && item.to === to - line.from,
        )
      : undefined;
    if (known) return { value: known.value, how: known.how };
    if (/^\w+$/.test(text)) return null; // a name that is no local variable
    try {
      const found = await this.store.evaluate(text.replace(/\s*\n\s*/g, " "));
      return { value: found.text, how: found.can_ask ? `${found.how}; watch it to ask the model` : found.how };
    } catch (error) {
      return { value: "not known", how: (error as Error).message };
    }
  }
}

const EXPRESSIONS = new Set([
  "VariableName", "MemberExpression", "CallExpression", "BinaryExpression", "UnaryExpression", "ParenthesizedExpression",
  "ConditionalExpression", "FormatString", "ArrayExpression", "DictionaryExpression", "SetExpression", "TupleExpression",
  "ArrayComprehensionExpression", "DictionaryComprehensionExpression", "SetComprehensionExpression", "ComprehensionExpression",
]);

function card(text: string, shown: { value: string; how: string }): HTMLElement {
  return h(
    "div",
    { class: "tip", role: "tooltip" },
    h("code", { class: "tip-name" }, shortened(visible(text), 60)),
    h("code", { class: "tip-value" }, shortened(visible(shown.value), 600)),
    h("span", { class: "tip-how" }, shown.how),
  );
}
