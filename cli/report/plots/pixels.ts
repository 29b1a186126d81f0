import { crc32, deflateSync } from "node:zlib";
import { valueAt, type ColorScale } from "./color_scale.ts";
import { svgElement } from "./canvas.ts";

/** Colors of an image besides the transparent one, whose number is 0. */
const NUM_COLORS = 255;

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/**
 * A large matrix as an image of one pixel a cell, inside of the drawing: a hundred times smaller
 * than as rectangles. Cells without a value are transparent.
 *
 * @param values `[rows, columns]`.
 */
export function pixels(
  values: readonly (readonly (number | null)[])[],
  scale: ColorScale,
  {
    left,
    top,
    cellWidth,
    cellHeight,
  }: Readonly<Record<"left" | "top" | "cellWidth" | "cellHeight", number>>,
): SVGElement {
  const png = encodePng(
    values.map((row) =>
      row.map((value) =>
        value === null ? 0 : 1 + Math.round(scale.shareOf(value) * (NUM_COLORS - 1)),
      ),
    ),
    Array.from({ length: NUM_COLORS }, (_, step) =>
      scale.colorOf(valueAt(scale, step / (NUM_COLORS - 1))),
    ),
  );
  return svgElement("image", {
    x: left,
    y: top,
    width: (values[0]?.length ?? 0) * cellWidth,
    height: values.length * cellHeight,
    preserveAspectRatio: "none",
    style: "image-rendering:pixelated",
    href: `data:image/png;base64,${png.toString("base64")}`,
  });
}

/**
 * An image with a palette: 0 is transparent, 1 the first color.
 *
 * @param colors `#rrggbb`, 255 at most.
 * @see https://www.w3.org/TR/png-3/
 */
export function encodePng(
  indices: readonly (readonly number[])[],
  colors: readonly string[],
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(indices[0]?.length ?? 0, 0);
  header.writeUInt32BE(indices.length, 4);
  header.set([8, 3, 0, 0, 0], 8); // eight bits a pixel, a palette, not interlaced
  const palette = Buffer.from(`000000${colors.map((color) => color.slice(1)).join("")}`, "hex");
  const lines = Buffer.from(indices.flatMap((row) => [0, ...row])); // 0: the line is not filtered
  return Buffer.concat([
    Buffer.from(SIGNATURE),
    chunk("IHDR", header),
    chunk("PLTE", palette),
    chunk("tRNS", Buffer.from([0])),
    chunk("IDAT", deflateSync(lines, { level: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}
