/** A text that wants to stand beside a point; coordinates are CSS pixels. */
export interface LabelWish {
  readonly x: number;
  readonly y: number;
  readonly text: string;
}

/** Where a text stands. */
export interface Label {
  /** Of the text's anchor, and its baseline. */
  readonly x: number;
  readonly y: number;
  readonly anchor: "start" | "middle" | "end";
}

/** A part of a drawing. */
export interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Of digits at 12 px, and of a point with some air. */
const GLYPH_WIDTH = 7;
const TEXT_HEIGHT = 11;
const POINT_RADIUS = 5;

/**
 * Places texts beside points so that none hides another, or a point. Each tries right, left, above
 * and below, in the order of the points; one that fits nowhere is left out.
 *
 * @param wishes Points with their texts.
 * @param area What no text may leave.
 * @param others Where something else stands. @default {nowhere}
 * @returns A place for each, or undefined.
 */
export function placeLabels(
  wishes: readonly LabelWish[],
  area: Box,
  others: readonly Box[] = [],
): (Label | undefined)[] {
  const points = wishes.map(({ x, y }) => ({
    left: x - POINT_RADIUS,
    right: x + POINT_RADIUS,
    top: y - POINT_RADIUS,
    bottom: y + POINT_RADIUS,
  }));
  const taken: Box[] = [...points, ...others];
  return wishes.map((wish) => {
    for (const { label, box } of candidates(wish)) {
      if (!isWithin(box, area) || taken.some((other) => overlap(box, other))) continue;
      taken.push(box);
      return label;
    }
    return undefined;
  });
}

function candidates({ x, y, text }: LabelWish): { readonly label: Label; readonly box: Box }[] {
  const width = GLYPH_WIDTH * text.length;
  const gap = POINT_RADIUS + 2;
  const at = (left: number, baseline: number, anchor: Label["anchor"]) => {
    const shift = { start: 0, middle: width / 2, end: width }[anchor];
    return {
      label: { x: left + shift, y: baseline, anchor },
      box: { left, right: left + width, top: baseline - TEXT_HEIGHT, bottom: baseline },
    };
  };
  return [
    at(x + gap, y + 4, "start"),
    at(x - gap - width, y + 4, "end"),
    at(x - width / 2, y - gap, "middle"),
    at(x - width / 2, y + gap + TEXT_HEIGHT, "middle"),
  ];
}

function isWithin(box: Box, area: Box): boolean {
  return (
    box.left >= area.left &&
    box.right <= area.right &&
    box.top >= area.top &&
    box.bottom <= area.bottom
  );
}

function overlap(one: Box, other: Box): boolean {
  return (
    one.left < other.right &&
    other.left < one.right &&
    one.top < other.bottom &&
    other.top < one.bottom
  );
}
