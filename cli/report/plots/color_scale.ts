import * as Plot from "@observablehq/plot";
import type { HeatMapFigure } from "../document.ts";
import { domainOf } from "./domain.ts";
import { fitText, svgElement } from "./canvas.ts";

/** Steps of the strip that explains the colors. */
const NUM_STEPS = 40;
const STRIP = { width: 160, height: 8 };

/** Colors of values, from the least to the greatest. */
export interface ColorScale {
  readonly low: number;
  readonly high: number;
  readonly isLog: boolean;
  /** Where a value lies between the least and the greatest: 0 to 1. */
  readonly shareOf: (value: number) => number;
  /** @returns `#rrggbb`. */
  readonly colorOf: (value: number) => string;
}

/** A sequential scale over all values: light is little, dark is much, in every kind of vision. */
export function colorScale({ values, scale = "linear" }: HeatMapFigure): ColorScale {
  const [low, high] = domainOf(values.flat().filter((value) => value !== null));
  const isLog = scale === "log";
  const colors = Plot.scale({ color: { type: scale, domain: [low, high], scheme: "ylgnbu" } });
  const along = isLog ? Math.log : (value: number) => value;
  const shareOf = (value: number) => (along(value) - along(low)) / (along(high) - along(low));
  return { low, high, isLog, shareOf, colorOf: (value) => hexOf(String(colors.apply(value))) };
}

/** The value at a share of the way from the least to the greatest. */
export function valueAt({ low, high, isLog }: ColorScale, share: number): number {
  return isLog ? low * (high / low) ** share : low + (high - low) * share;
}

/** Adds a strip of the colors with its ends on top of a plot. */
export function addScale(
  svg: SVGSVGElement,
  scale: ColorScale,
  { x, label, width }: { readonly x: number; readonly label: string; readonly width: number },
): void {
  const { low, high, colorOf } = scale;
  const start = Math.min(x, width - STRIP.width - 60);
  const group = svgElement("g", { "text-anchor": "start", "aria-label": "scale of colors" });
  group.append(
    svgElement("text", { x: start, y: 12, "font-weight": 600 }, fitText(label, width - start)),
  );
  const step = STRIP.width / NUM_STEPS;
  for (let i = 0; i < NUM_STEPS; i++) {
    const value = valueAt(scale, i / (NUM_STEPS - 1));
    const place = { x: start + i * step, y: 20, width: step + 0.3, height: STRIP.height };
    group.append(svgElement("rect", { ...place, fill: colorOf(value) }));
  }
  const end = { x: start + STRIP.width, "text-anchor": "end", y: 40 };
  group.append(
    svgElement("text", { x: start, y: 40 }, digits(low)),
    svgElement("text", end, digits(high)),
  );
  svg.append(group);
}

/** Black or white, whichever is easier to read on a color: at least 4.5 : 1. */
export function inkOn(hex: string): string {
  return luminance(hex) > Math.sqrt(1.05 * 0.05) - 0.05 ? "#000000" : "#ffffff";
}

/**
 * Relative luminance of a color, from 0 to 1.
 *
 * @see https://www.w3.org/TR/WCAG22/#dfn-relative-luminance
 */
export function luminance(hex: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function hexOf(color: string): string {
  if (color.startsWith("#")) return color;
  const parts = color.match(/\d+/g)!.slice(0, 3);
  return `#${parts.map((part) => Number(part).toString(16).padStart(2, "0")).join("")}`;
}

function digits(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e6)) return value.toExponential(1);
  return String(Number(value.toPrecision(3)));
}
