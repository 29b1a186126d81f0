import type { RopeScaling } from "../../transformer/config.ts";

/** How far factors of a file may be from those of a formula: they are rounded to f32. */
const TOLERANCE = 1e-5;

/** What decides on the wavelengths of a head's rotations. */
interface Rotation {
  readonly headDim: number;
  readonly theta: number;
}

type Llama3 = Extract<RopeScaling, { type: "llama3" }>;

/**
 * What each rotary frequency is divided by in Llama 3's scaling. With `s` the position of the
 * original context, in wavelengths, between `lowFreqFactor` (0) and `highFreqFactor` (1), held
 * within these:
 *
 *     1 / divisor = (1 − s) / factor + s
 *
 * @returns `[headDim / 2]`, in float64.
 */
export function ropeDivisors(
  { factor, lowFreqFactor, highFreqFactor, originalMaxSeqLen }: Llama3,
  rotation: Rotation,
): number[] {
  return frequencies(rotation).map((frequency) => {
    const share =
      (originalMaxSeqLen * frequency - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
    const s = Math.min(1, Math.max(0, share));
    return 1 / ((1 - s) / factor + s);
  });
}

/**
 * The scaling that divisors of a file stand for, which hold nothing else of it. `factor` is the
 * largest of them, and two divisors in between give the line on which `s` lies; as the formula
 * does not change when the other three parameters grow alike, `lowFreqFactor` is 1, as in Llama 3.
 *
 * @returns `null` where nothing is scaled, undefined where the divisors are no such scaling.
 */
export function scalingOfDivisors(
  divisors: Float32Array,
  rotation: Rotation,
): RopeScaling | null | undefined {
  if (divisors.every((divisor) => divisor === 1)) return null;
  const factor = divisors.reduce((a, b) => Math.max(a, b), 0);
  const candidates = [LLAMA_3, ...fitted(divisors, factor, rotation)].map((rest): Llama3 => ({
    type: "llama3",
    factor: nearestInteger(factor),
    ...rest,
  }));
  return candidates.find((candidate) => {
    const expected = ropeDivisors(candidate, rotation);
    return expected.every((value, i) => Math.abs(divisors[i]! - value) <= TOLERANCE * value);
  });
}

/** Parameters of all Llama 3 models but their factor. */
const LLAMA_3 = { lowFreqFactor: 1, highFreqFactor: 4, originalMaxSeqLen: 8192 };

/** Parameters that divisors between 1 and the factor give; none if there are not two of them. */
function fitted(
  divisors: Float32Array,
  factor: number,
  rotation: Rotation,
): Omit<Llama3, "type" | "factor">[] {
  const points = frequencies(rotation)
    .map((x, i) => ({ x, y: (1 / divisors[i]! - 1 / factor) / (1 - 1 / factor) }))
    .filter(({ y }) => y > TOLERANCE && y < 1 - TOLERANCE);
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || first.x === last.x) return [];
  // y = slope · x − low / (high − low), with low = 1.
  const slope = (first.y - last.y) / (first.x - last.x);
  const offset = slope * first.x - first.y;
  if (!(slope > 0 && offset > 0)) return [];
  return [
    {
      lowFreqFactor: 1,
      highFreqFactor: nearestInteger(1 + 1 / offset),
      originalMaxSeqLen: nearestInteger(slope / offset),
    },
  ];
}

/** θ^(−2i / headDim) / 2π: wavelengths per position. */
function frequencies({ headDim, theta }: Rotation): number[] {
  return Array.from(
    { length: headDim / 2 },
    (_, i) => theta ** ((-2 * i) / headDim) / (2 * Math.PI),
  );
}

/** A number as the integer that it is but for rounding. */
function nearestInteger(value: number): number {
  const integer = Math.round(value);
  return Math.abs(value - integer) <= 1e-3 * integer ? integer : value;
}
