/** Look of one of several series: told apart by color and, without colors, by dashes. */
export interface SeriesLook {
  /** `#rrggbb`, for white paper. */
  readonly color: string;
  /** Lengths of strokes and gaps in pixels; undefined is a solid line. */
  readonly dashes: string | undefined;
}

/**
 * Colors on light pages and their partners on dark ones, at least 3 : 1 against the page, in an
 * order in which neighbors also differ for readers with color-blindness (the first ones have the
 * hues of Okabe and Ito's set).
 *
 * Plots are drawn with the light ones; pages exchange them by their style sheet.
 */
export const COLORS: readonly { readonly light: string; readonly dark: string }[] = [
  { light: "#0072b2", dark: "#56b4e9" },
  { light: "#d55e00", dark: "#ff9650" },
  { light: "#008561", dark: "#2ed3a0" },
  { light: "#b0468a", dark: "#e79cc8" },
  { light: "#8a6d00", dark: "#f0d050" },
  { light: "#4a3aa7", dark: "#a99bff" },
  { light: "#555a60", dark: "#b9bec6" },
  { light: "#0b7f93", dark: "#4fd0e0" },
  { light: "#a11d33", dark: "#ff7b8f" },
  { light: "#5f7d1f", dark: "#b5d365" },
  { light: "#8c564b", dark: "#d3a08f" },
  { light: "#d6336c", dark: "#ff8fb8" },
];

const DASHES: readonly (string | undefined)[] = [
  undefined,
  "7 3",
  "2 2.5",
  "9 3 2 3",
  "14 4",
  "4 2",
  "9 3 2 3 2 3",
  "1.2 3.5",
  "14 3 4 3",
  "5 5",
  "5 2 1.5 2",
  "18 3 2 3",
];

/** Look of a series by its place; from the thirteenth on, colors come back with other dashes. */
export function lookOf(index: number): SeriesLook {
  const round = Math.floor(index / COLORS.length);
  return {
    color: COLORS[index % COLORS.length]!.light,
    dashes: DASHES[(index + 5 * round) % DASHES.length],
  };
}
