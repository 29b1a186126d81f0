/** A point of a curve. */
export type Point = readonly [x: number, y: number];

/** How far a point may lie off the simpler line, as a share of the axes: a third of a pixel. */
const TOLERANCE = 0.0005;

/**
 * Fewer points with the same look: a point goes when it lies on the line between those that stay
 * (Douglas and Peucker's algorithm), so that curves of all people of a survey stay small.
 *
 * @param shareOf A point in units of the axes' lengths.
 */
export function simplify(points: readonly Point[], shareOf: (point: Point) => Point): Point[] {
  const shares = points.map(shareOf);
  const stays = new Uint8Array(points.length);
  if (points.length > 0) stays[0] = stays[points.length - 1] = 1;
  const parts: [first: number, last: number][] = [[0, points.length - 1]];
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    const [first, last] = part;
    const far = farthest(shares, first, last);
    if (far === undefined) continue;
    stays[far] = 1;
    parts.push([first, far], [far, last]);
  }
  return points.filter((_, index) => stays[index] === 1);
}

/** The point between two that lies farthest from the line through them, if it lies off it. */
function farthest(shares: readonly Point[], first: number, last: number): number | undefined {
  const [x0, y0] = shares[first] ?? [0, 0];
  const [x1, y1] = shares[last] ?? [0, 0];
  const [dx, dy] = [x1 - x0, y1 - y0];
  const squared = dx * dx + dy * dy;
  let [most, at] = [TOLERANCE, -1];
  for (let i = first + 1; i < last; i++) {
    const [x, y] = shares[i]!;
    const along = squared === 0 ? 0 : ((x - x0) * dx + (y - y0) * dy) / squared;
    const t = Math.min(1, Math.max(0, along));
    const distance = Math.hypot(x - x0 - t * dx, y - y0 - t * dy);
    if (distance > most) [most, at] = [distance, i];
  }
  return at < 0 ? undefined : at;
}
