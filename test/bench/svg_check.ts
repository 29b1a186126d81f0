import assert from "node:assert/strict";

/** A tag with its attributes, numbers as numbers. */
export type Rect = Readonly<Record<"x" | "y" | "width" | "height", number>> & {
  readonly class: string;
};

/** Asserts that every element is closed in order, attributes are quoted, and no number is broken. */
export function checkWellFormed(svg: string): void {
  const open: string[] = [];
  const tags = /<(\/?)([a-z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/gi;
  const rest = svg.replaceAll(tags, (_, close: string, name: string, __, alone: string) => {
    if (close !== "") assert.equal(open.pop(), name, `</${name}> must close what is open`);
    else if (alone === "") open.push(name);
    return "";
  });
  assert.deepEqual(open, [], "all elements must be closed");
  assert.doesNotMatch(rest, /[<>]/, "what is no tag must be escaped");
  assert.doesNotMatch(rest, /&(?!(amp|lt|gt|quot);)/);
  assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
}

/** All rectangles. */
export function rectsOf(svg: string): Rect[] {
  return Array.from(svg.matchAll(/<rect ([^>]*)\/>/g), ([, attributes]) => {
    const of = (name: string) =>
      new RegExp(`(?:^| )${name}="([^"]*)"`).exec(attributes!)?.[1] ?? "";
    const number = (name: string) => Number(of(name));
    const [x, y, width, height] = ["x", "y", "width", "height"].map(number);
    return { class: of("class"), x: x!, y: y!, width: width!, height: height! };
  });
}

/** Rectangles that are bars. */
export function barsOf(svg: string): Rect[] {
  return rectsOf(svg).filter((rect) => rect.class.startsWith("bar"));
}

/** Ends of horizontal lines of a class. */
export function linesOf(svg: string, name: string): { readonly x1: number; readonly x2: number }[] {
  const pattern = new RegExp(`<line class="${name}" x1="([^"]*)" x2="([^"]*)"`, "g");
  return Array.from(svg.matchAll(pattern), ([, x1, x2]) => ({ x1: Number(x1), x2: Number(x2) }));
}
