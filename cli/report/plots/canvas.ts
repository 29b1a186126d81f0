import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { plainText } from "../escape.ts";

/** Width of a plot that fills the text, in pixels. */
export const WIDTH = 680;

/** Size of the letters of plots, in pixels. */
export const FONT_SIZE = 12;

const XML_NAMESPACE = "http://www.w3.org/2000/svg";

/** The page that plots are drawn in: no browser, but as much of one as Plot asks for. */
const page = parseHTML("<!doctype html><html><body></body></html>").document;

/** Attributes that hold lengths, whose digits beyond a hundredth of a pixel say nothing. */
const LENGTHS = new Set(
  "transform d x y x1 x2 y1 y2 cx cy r width height stroke-width viewBox".split(" "),
);

/**
 * Draws a plot without a browser: no styles, no fonts, no references, nothing drawn by chance.
 *
 * Plot's own legends need a canvas and its clips ids that are counted up from process start; use
 * neither.
 */
export function drawPlot(options: Plot.PlotOptions): SVGSVGElement {
  const svg = Plot.plot({
    ...options,
    document: page,
    className: "plot",
    style: { fontSize: `${FONT_SIZE}px` },
  }) as SVGSVGElement;
  svg.querySelector("style")?.remove();
  return svg;
}

/** An element of SVG with attributes and text. */
export function svgElement(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  text?: string,
): SVGElement {
  const element = page.createElementNS(XML_NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text !== undefined) element.textContent = plainText(text);
  return element;
}

/** What an image says to those who cannot see it. */
export interface Description {
  /** Id of the figure: the ids inside of the image begin with it. */
  readonly id: string;
  readonly title: string;
  readonly description: string;
}

/** The text of a drawing that stands alone as a file, and in a page among others. */
export function svgText(svg: SVGSVGElement, { id, title, description }: Description): string {
  svg.setAttribute("xmlns", XML_NAMESPACE);
  svg.removeAttribute("style");
  svg.setAttribute("font-size", String(FONT_SIZE));
  svg.setAttribute("role", "img");
  const titleId = `figure-${id}--title`; // no id of a document has "--" in it
  const descriptionId = `figure-${id}--description`;
  svg.setAttribute("aria-labelledby", titleId);
  svg.setAttribute("aria-describedby", descriptionId);
  svg.prepend(
    svgElement("title", { id: titleId }, plainText(title).trim() || id),
    svgElement("desc", { id: descriptionId }, description),
  );
  for (const element of svg.querySelectorAll("*")) roundLengths(element);
  return svg.outerHTML;
}

/** Width of a text in pixels, on the safe side: fonts differ. */
export function textWidth(text: string, size = FONT_SIZE): number {
  let ems = 0;
  for (const char of text) {
    if (/[\u1100-\uFFDC\u{10000}-\u{3FFFF}]/u.test(char)) ems += 1;
    else if (/[iljtfrI.,:;'|!()[\] ]/.test(char)) ems += 0.4;
    else ems += /[A-ZmwMW@%]/.test(char) ? 0.82 : 0.62;
  }
  return ems * size;
}

/** As much of a text as fits, with an ellipsis where that is not all of it. */
export function fitText(text: string, width: number, size = FONT_SIZE): string {
  const chars = Array.from(plainText(text));
  if (textWidth(chars.join(""), size) <= width) return chars.join("");
  while (chars.length > 1 && textWidth(`${chars.join("")}…`, size) > width) chars.pop();
  return `${chars.join("").replace(/[\s.,;]+$/, "")}…`;
}

function roundLengths(element: Element): void {
  for (const { name, value } of element.attributes) {
    if (!LENGTHS.has(name)) continue;
    const rounded = value.replaceAll(/-?\d*\.\d{3,}(?:e-?\d+)?/g, (number) =>
      String(Math.round(Number(number) * 100) / 100),
    );
    if (rounded !== value) element.setAttribute(name, rounded);
  }
}
