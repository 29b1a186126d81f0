import {
  type Llama3Scaling,
  llama3Scale,
  type RopeScaling,
  rotaryFrequencies,
  type RotaryFrequencyOptions,
} from "../../../engine/ops/rope_scaling.ts";

/** How far factors of a file may be from those of a formula: they are rounded to f32. */
const TOLERANCE = 1e-5;

/** What decides on a head's rotations, scaling aside. */
type Rotation = Pick<RotaryFrequencyOptions, "headDim" | "theta">;

/**
 * What each rotary frequency is divided by in Llama 3's scaling.
 *
 * @returns `[headDim / 2]`, in float64.
 */
export function ropeDivisors(scaling: Llama3Scaling, rotation: Rotation): number[] {
  const plain = rotaryFrequencies({ ...rotation, scaling: null });
  return Array.from(plain, (frequency) => 1 / llama3Scale(frequency, scaling));
}

/**
 * The scaling that divisors of a file stand for, which hold nothing else of it. `factor` is the
 * largest of them, and two divisors in between give the line on which their mixing lies; as the
 * formula does not change when the other three parameters grow alike, `lowFreqFactor` is 1, as in
 * Llama 3.
 *
 * @returns `null` where nothing is scaled, undefined where the divisors are no such scaling.
 */
export function scalingOfDivisors(
  divisors: Float32Array,
  rotation: Rotation,
): RopeScaling | null | undefined {
  if (divisors.every((divisor) => divisor === 1)) return null;
  const factor = divisors.reduce((a, b) => Math.max(a, b), 0);
  const candidates = [LLAMA_3, ...fitted(divisors, factor, rotation)].map(
    (rest): Llama3Scaling => ({
      type: "llama3",
      factor: nearestInteger(factor),
      ...rest,
    }),
  );
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
): Omit<Llama3Scaling, "type" | "factor">[] {
  const plain = rotaryFrequencies({ ...rotation, scaling: null });
  const points = Array.from(plain, (frequency) => frequency / (2 * Math.PI)) // turns a position
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

/** A number as the integer that it is but for rounding. */
function nearestInteger(value: number): number {
  const integer = Math.round(value);
  return Math.abs(value - integer) <= 1e-3 * integer ? integer : value;
}
