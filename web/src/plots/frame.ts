import type { Points, StoredChart, StoredCurve } from "./data";
import { logTicks, namesOf, shareOf, short, ticks } from "./ticks";

export const HEIGHT = 250;
const TOP = 10;
const BOTTOM = 34;
const RIGHT = 14;
const LETTER = 7;
/** Values that differ by a smaller part of themselves are drawn as one. */
const CONSTANT = 1e-6;

/** A point that is drawn. */
export type Point = [x: number, y: number];

export function known(points: Points): Point[] {
  return points.filter((point): point is Point => point[1] !== null);
}

interface Mark {
  at: number;
  name: string;
}

/** The numbers at the edges of a chart, and where a point falls between them. */
export class Frame {
  readonly log: boolean;
  readonly across: Mark[];
  readonly up: Mark[];
  readonly left: number;
  readonly right: number;
  readonly bottom = HEIGHT - BOTTOM;
  private readonly shares: boolean;
  private readonly xs: [number, number];
  private readonly ys: [number, number];

  constructor(chart: StoredChart, curves: StoredCurve[], width: number) {
    const points = curves.flatMap((curve) => curve.points);
    const drawn = known(points);
    const [low, high] = range(drawn.map(([, y]) => y));
    this.log = chart.log && low > 0 && high / low >= 8;
    this.shares = chart.shares && low >= 0 && high <= 1;
    const single = new Set(drawn.map(([x]) => x)).size === 1;
    this.ys = this.log ? [low / 1.1, high * 1.1] : bounds(low, high, this.shares, single);
    this.xs = range(points.map(([x]) => x));
    if (this.xs[0] === this.xs[1]) {
      // One step stands in the middle.
      const beside = Math.max(0.5, Math.abs(this.xs[0]) * CONSTANT);
      this.xs = [this.xs[0] - beside, this.xs[1] + beside];
    }
    const marks = this.log ? logTicks(...this.ys) : ticks(...this.ys);
    const names = namesOf(marks, this.shares);
    this.left = Math.max(44, 14 + LETTER * Math.max(...names.map((name) => name.length)));
    this.right = width - RIGHT;
    this.up = marks.map((mark, n) => ({ at: this.y(mark), name: names[n] }));
    const steps = ticks(...this.xs, width < 360 ? 3 : 4, true);
    const written = namesOf(steps);
    this.across = steps.map((mark, n) => ({ at: this.x(mark), name: written[n] }));
  }

  x(value: number): number {
    const [left, right] = this.xs;
    return this.left + ((value - left) / (right - left)) * (this.right - this.left);
  }

  y(value: number): number {
    const [low, high] = this.ys;
    // Halves, because the whole of very large numbers has no number.
    const share = this.log ? Math.log10(value / low) / Math.log10(high / low) : (value / 2 - low / 2) / (high / 2 - low / 2);
    return this.bottom - share * (this.bottom - TOP);
  }

  /** A value as the legend has it. */
  said(value: number): string {
    return this.shares ? shareOf(value) : short(value);
  }
}

function range(values: number[]): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}

/** The range with a little air, but not across zero, and from zero where it is near. */
function bounds(low: number, high: number, shares: boolean, single: boolean): [number, number] {
  if (shares && (single || high === low)) return [0, 1];
  if (!(high - low > CONSTANT * Math.max(Math.abs(low), Math.abs(high)))) {
    const margin = Math.abs(low) / 10;
    return margin ? [low - margin, high + margin] : [0, 1];
  }
  const air = (high - low) * 0.05;
  const bottom = low >= 0 && low < (high - low) * 0.5 ? 0 : low - air;
  return [bottom, shares ? Math.min(high + air, 1) : high + air];
}
