// All steps at a glance: depth as height, doubt as shade, the parting from the real run as a line; and a
// range input over it, which is what hands and keyboards move.

import type { Store } from "./store";
import { sureness } from "./words";

const WIDEST = 26; // pixels from step to step, of a run with few of them

export class TimelineView {
  private readonly observer: ResizeObserver;
  private readonly look = window.matchMedia("(prefers-color-scheme: dark)");

  constructor(
    private readonly store: Store,
    private readonly canvas: HTMLCanvasElement,
    private readonly range: HTMLInputElement,
    private readonly label: HTMLElement,
  ) {
    this.observer = new ResizeObserver(() => this.paint());
    this.observer.observe(canvas);
    this.look.addEventListener("change", () => this.paint());
    range.addEventListener("input", () => void this.store.goTo(Number(range.value)));
    range.addEventListener("keydown", (event) => event.stopPropagation());
  }

  focus(): void {
    this.range.focus();
  }

  update(): void {
    const { place, step } = this.store;
    const { lines } = this.store.overview();
    const last = Math.max(0, lines.length - 1);
    const { is_ended } = this.store.timeline;
    this.range.parentElement!.style.width = `${18 + Math.max(1, last) * WIDEST}px`;
    this.range.max = String(last);
    this.range.value = String(place.position);
    const where = `step ${place.position + 1} of ${lines.length}${is_ended ? "" : " known so far"}`;
    this.range.setAttribute("aria-valuetext", `${where}, line ${step.line} in ${step.function}`);
    this.label.textContent = `${place.position + 1} / ${lines.length}${is_ended ? "" : "+"}`;
    this.label.title = is_ended ? where : `${where}; more is predicted as you go`;
    this.paint();
  }

  paint(): void {
    const { width, height } = this.canvas.getBoundingClientRect();
    if (!width || !height) return;
    const scale = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    const pen = this.canvas.getContext("2d")!;
    pen.scale(scale, scale);
    this.bars(pen, width, height);
    this.markers(pen, width, height);
  }

  private x(index: number, width: number): number {
    const last = Math.max(1, this.store.overview().lines.length - 1);
    return 9 + (index / last) * (width - 18); // 9: half the thumb of the range input
  }

  private colour(name: string): string {
    return getComputedStyle(this.canvas).getPropertyValue(name).trim();
  }

  private bars(pen: CanvasRenderingContext2D, width: number, height: number): void {
    const { depths, kinds, sureness: sure, lines } = this.store.overview();
    const deepest = Math.max(2, ...depths.map((depth) => depth + 1));
    const room = height - 12;
    const step = lines.length > 1 ? (width - 18) / (lines.length - 1) : 12;
    const bar = Math.max(1, Math.min(14, step - (step > 4 ? 1.5 : 0)));
    const shades = [0, 1, 2, 3, 4].map((level) => this.colour(`--bar-${level}`));
    const plain = this.colour("--bar-plain");
    for (let index = 0; index < lines.length; index++) {
      const top = 8 + room - ((depths[index]! + 1) / deepest) * (room - 4);
      const p = sure[index] ?? null;
      pen.fillStyle = p === null ? plain : shades[sureness(p)]!;
      const x = this.x(index, width) - bar / 2;
      pen.fillRect(x, top, bar, height - top);
      if (p !== null && sureness(p) < 3 && bar >= 2) {
        pen.fillStyle = this.colour("--doubt"); // a cap, so that doubt shows without colour too
        pen.fillRect(x, top - 3, bar, 2);
      }
      if (kinds[index] === "exception") {
        pen.fillStyle = this.colour("--bad");
        pen.fillRect(x, 1, Math.max(2, bar), 3);
      }
    }
  }

  private markers(pen: CanvasRenderingContext2D, width: number, height: number): void {
    const { first_divergence: parted } = this.store.timeline;
    if (parted !== null && parted < this.store.overview().lines.length) {
      const x = this.x(parted, width);
      pen.fillStyle = this.colour("--bad");
      pen.fillRect(x - 0.75, 0, 1.5, height);
      pen.beginPath();
      pen.moveTo(x - 5, 0);
      pen.lineTo(x + 5, 0);
      pen.lineTo(x, 7);
      pen.fill();
    }
    const x = this.x(this.store.place.position, width);
    pen.fillStyle = this.colour("--accent");
    pen.fillRect(x - 1, 0, 2, height);
  }
}
