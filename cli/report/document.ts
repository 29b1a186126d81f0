/**
 * A report as data: sections of text, tables and figures, before anything decides how they look.
 * HTML, Markdown, CSV and LaTeX are made of the same document.
 */
export interface ReportDocument {
  readonly title: string;
  /** What was run, where and when: `["Adapter", "llvmpipe …"]`. */
  readonly facts: readonly (readonly [label: string, value: string])[];
  readonly sections: readonly Section[];
}

/** A part of a report under a heading. */
export interface Section {
  /** Names files and anchors: lower case, words joined by "-". */
  readonly id: string;
  readonly title: string;
  /** Paragraphs of plain text. */
  readonly text: readonly string[];
  readonly tables: readonly Table[];
  readonly figures: readonly Figure[];
}

/** A table; the same becomes `<id>.csv`, `<id>.md` and `<id>.tex`. */
export interface Table {
  readonly id: string;
  readonly title: string;
  readonly columns: readonly Column[];
  /** One cell a column. */
  readonly rows: readonly (readonly Cell[])[];
  /** What a reader must know to read it: units, what the brackets are. */
  readonly note?: string;
}

/** A column of a table. */
export interface Column {
  readonly label: string;
  /** @default {"right" for numbers, "left" for text} */
  readonly align?: "left" | "right";
  /** Digits after the point. @default {3} */
  readonly digits?: number;
}

/** Text, a number, a number with its standard error, or nothing. */
export type Cell = string | number | Estimate | null;

/** A number with its standard error, where it has one. */
export interface Estimate {
  readonly value: number;
  readonly error?: number;
  /** Whether to mark it as the best of its column: renderers never guess which one is. */
  readonly best?: boolean;
}

/** A plot. Every figure has a caption; its data are written beside it as CSV. */
export type Figure =
  | CalibrationFigure
  | CurvesFigure
  | HeatMapFigure
  | DifferencesFigure
  | BarsFigure;

interface FigureText {
  readonly id: string;
  readonly title: string;
  readonly caption?: string;
}

/** Share observed against probability predicted, by group, with the diagonal. */
export interface CalibrationFigure extends FigureText {
  readonly kind: "calibration";
  readonly series: readonly {
    readonly name: string;
    readonly points: readonly {
      readonly predicted: number;
      readonly observed: number;
      readonly count: number;
      /** Standard error of `observed`. */
      readonly error?: number;
    }[];
  }[];
}

/** Lines over a numeric axis: ROC curves, learning curves, gains by length of history. */
export interface CurvesFigure extends FigureText {
  readonly kind: "curves";
  readonly xLabel: string;
  readonly yLabel: string;
  readonly xScale?: "linear" | "log";
  readonly yScale?: "linear" | "log";
  /** Draws y = x. */
  readonly diagonal?: boolean;
  readonly series: readonly {
    readonly name: string;
    readonly points: readonly (readonly [x: number, y: number])[];
  }[];
}

/** Numbers by row and column as colors: shares of transitions, transfer between populations. */
export interface HeatMapFigure extends FigureText {
  readonly kind: "heat map";
  readonly rowLabel: string;
  readonly columnLabel: string;
  readonly valueLabel: string;
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** `values[row][column]`; null where there is none. */
  readonly values: readonly (readonly (number | null)[])[];
  readonly scale?: "linear" | "log";
}

/** Differences with intervals of 1.96 standard errors around them, and a line at zero. */
export interface DifferencesFigure extends FigureText {
  readonly kind: "differences";
  readonly label: string;
  readonly rows: readonly {
    readonly name: string;
    /** Rows of one group share a color and stand together. */
    readonly group: string;
    readonly value: number;
    readonly error: number;
  }[];
}

/** Bars by category, of one or more groups. */
export interface BarsFigure extends FigureText {
  readonly kind: "bars";
  readonly label: string;
  readonly rows: readonly {
    readonly name: string;
    readonly group: string;
    readonly value: number;
    readonly error?: number;
  }[];
}
