/** Attributes of an element. */
export type Attributes = Readonly<Record<string, string | number>>;

/** Something that is drawn; already escaped. */
export interface SvgElement {
  readonly markup: string;
}

/** What a drawing is, for those who see it and those who do not. */
export interface Drawing {
  readonly title: string;
  readonly description: string;
  readonly width: number;
  readonly height: number;
  readonly elements: readonly SvgElement[];
}

/**
 * Colors by class, for light and dark backgrounds; text and lines reach a contrast of 4.5 on both,
 * and series differ in lightness, too.
 */
const STYLE = `
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-size: 15px; font-weight: 600; }
.faint { fill: #57606a; }
.end { text-anchor: end; }
.middle { text-anchor: middle; }
.background { fill: #ffffff; }
.grid { stroke: #d0d7de; stroke-width: 1; }
.s0 { fill: #0969da; stroke: #0969da; }
.s1 { fill: #bc4c00; stroke: #bc4c00; }
.s2 { fill: #1a7f37; stroke: #1a7f37; }
.s3 { fill: #8250df; stroke: #8250df; }
.bar { stroke: none; }
.line { fill: none; stroke-width: 2; }
.fit { fill: none; stroke-width: 1; stroke-dasharray: 5 4; }
.band { fill: none; stroke: #24292f; stroke-width: 1; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .faint { fill: #9198a1; }
  .background { fill: #0d1117; }
  .grid { stroke: #30363d; }
  .s0 { fill: #4493f8; stroke: #4493f8; }
  .s1 { fill: #f0883e; stroke: #f0883e; }
  .s2 { fill: #3fb950; stroke: #3fb950; }
  .s3 { fill: #ab7df8; stroke: #ab7df8; }
  .bar { stroke: none; }
  .line, .fit { fill: none; }
  .band { stroke: #e6edf3; }
}
`;

/** Number of classes of series, `s0` and so on. */
export const NUM_SERIES_COLORS = 4;

/** An element without content. */
export function element(name: string, attributes: Attributes): SvgElement {
  return { markup: `<${name}${attributesText(attributes)}/>` };
}

/** A text. */
export function text(content: string, attributes: Attributes): SvgElement {
  return { markup: `<text${attributesText(attributes)}>${escapeXml(content)}</text>` };
}

/** An element that says more when it is pointed at, or read aloud. */
export function titled(title: string, inner: SvgElement): SvgElement {
  return { markup: `<g><title>${escapeXml(title)}</title>${inner.markup}</g>` };
}

/** A whole SVG file: it adapts to light and dark, and is named and described for screen readers. */
export function drawSvg({ title, description, width, height, elements }: Drawing): string {
  const size = { width, height, viewBox: `0 0 ${width} ${height}` };
  const names = { role: "img", "aria-labelledby": "title description" };
  return [
    `<svg xmlns="http://www.w3.org/2000/svg"${attributesText({ ...size, ...names })}>`,
    `<title id="title">${escapeXml(title)}</title>`,
    `<desc id="description">${escapeXml(description)}</desc>`,
    `<style>${STYLE}</style>`,
    element("rect", { class: "background", width, height }).markup,
    ...elements.map(({ markup }) => markup),
    "</svg>",
    "",
  ].join("\n");
}

function attributesText(attributes: Attributes): string {
  return Object.entries(attributes)
    .map(([name, value]) => {
      const written = typeof value === "number" ? `${Number(value.toFixed(2))}` : escapeXml(value);
      return ` ${name}="${written}"`;
    })
    .join("");
}

function escapeXml(content: string): string {
  return content
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
