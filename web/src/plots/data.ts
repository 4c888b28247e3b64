// What a part of a run's report is drawn from, as Python wrote it (regard/view/plots.py).

export type Points = [x: number, y: number | null][];

export interface StoredCurve {
  /** The split or the run that it is of. */
  name: string;
  /** Which of the eight line styles it is drawn in. */
  style: number;
  /** Whether every point is a dot too, where they are few. */
  marked: boolean;
  points: Points;
}

export interface StoredChart {
  metric: string;
  /** What the metric is called where the page has no word for it. */
  name: string;
  /** What the loss is a mean over. */
  unit: "" | "token" | "label";
  /** The data that all curves were measured on, where these are told apart by something else. */
  split: string;
  log: boolean;
  shares: boolean;
  curves: StoredCurve[];
}

export interface StoredCharts {
  format: number;
  kind: "charts";
  charts: StoredChart[];
}

export interface StoredConfusion {
  format: number;
  kind: "confusion";
  step: number;
  labels: string[];
  /** Label, answer, and how often, where it was. */
  cells: [label: number, answer: number, count: number][];
}

export type StoredPlot = StoredCharts | StoredConfusion;
