import assert from "node:assert/strict";
import { test } from "node:test";
import { fitLine, fitPower, median, medianBand } from "../../bench/report/statistics.ts";
import { uniform } from "../support.ts";

test("the median of an even number is between the middle two", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.equal(median([7]), 7);
});

test("the band of few values is their range, that of many the ranks of a 95 % interval", () => {
  const upTo = (length: number) => Array.from({ length }, (_, i) => length - i);
  assert.deepEqual(medianBand([5]), { middle: 5, low: 5, high: 5 });
  assert.deepEqual(medianBand(upTo(5)), { middle: 3, low: 1, high: 5 });
  // Ranks from tables of the sign test: 8 values give their range, 9 the 2nd and 8th, 20 the 6th
  // and 15th.
  assert.deepEqual(medianBand(upTo(8)), { middle: 4.5, low: 1, high: 8 });
  assert.deepEqual(medianBand(upTo(9)), { middle: 5, low: 2, high: 8 });
  assert.deepEqual(medianBand(upTo(20)), { middle: 10.5, low: 6, high: 15 });
  assert.throws(() => medianBand([]), /there must be measurements/);
});

test("the band holds the true median in at least 95 % of samples", () => {
  const trials = 2000;
  let held = 0;
  for (let trial = 0; trial < trials; trial++) {
    // Skewed as times are; the median of u² over (0, 1) is 1/4.
    const values = Array.from(uniform(15, trial), (value) => ((value + 1) / 2) ** 2);
    const { low, high } = medianBand(values);
    if (low <= 0.25 && 0.25 <= high) held += 1;
  }
  const share = held / trials;
  assert.ok(share >= 0.95 && share < 0.99, `${share}`);
});

test("a line through points of a line is that line", () => {
  const { slope, intercept, slopeError, r2 } = fitLine([
    [0, 1],
    [1, 3],
    [2, 5],
    [5, 11],
  ]);
  for (const [got, expected] of [
    [slope, 2],
    [intercept, 1],
    [slopeError, 0],
    [r2, 1],
  ] as const) {
    assert.ok(Math.abs(got - expected) < 1e-6, `${got} must be ${expected}`);
  }
});

test("the error of a slope is that of textbooks", () => {
  // Residuals of ±1 around y = x at x = 0 … 3: s² = Σr² / 2, and the error is √(s² / Σ(x − x̄)²).
  const { slope, slopeError, r2 } = fitLine([
    [0, 1],
    [1, 0],
    [2, 1],
    [3, 4],
  ]);
  assert.ok(Math.abs(slope - 1) < 1e-12);
  assert.ok(Math.abs(slopeError - Math.sqrt(4 / 2 / 5)) < 1e-12);
  assert.ok(Math.abs(r2 - 5 / 9) < 1e-12);
});

test("an exponent is found, with noise within its error", () => {
  const noise = uniform(12, 3);
  const points = Array.from(noise, (value, i) => {
    const x = 2 ** (i + 3);
    return [x, 0.7 * x ** 1.5 * Math.exp(0.05 * value)] as const;
  });
  const { slope, slopeError } = fitPower(points);
  assert.ok(slopeError > 0 && slopeError < 0.02);
  assert.ok(Math.abs(slope - 1.5) < 3 * slopeError, `${slope} ± ${slopeError}`);
});

test("what cannot be fitted is refused", () => {
  assert.throws(() => fitLine([[1, 1]]), RangeError);
  assert.throws(
    () =>
      fitLine([
        [1, 1],
        [1, 2],
      ]),
    /two different x/,
  );
  assert.throws(
    () =>
      fitPower([
        [0, 1],
        [1, 2],
      ]),
    /must be positive/,
  );
});
