import assert from "node:assert/strict";
import { test } from "node:test";
import { minimize, type Objective } from "../../model/logit/lbfgs.ts";
import { assertClose } from "../support.ts";

// The gradient's norm ends below 1e-9 of the first; curvatures are between 1 and 1,000.
const TOLERANCE = { rtol: 1e-5, atol: 1e-4 };

/** Σ c_i (x_i − i)² / 2, with curvatures from 1 to 1,000. */
const CURVATURES = Float64Array.from({ length: 30 }, (_, i) => 1000 ** (i / 29));
const bowl: Objective = async (at) => {
  let value = 0;
  const gradient = at.map((x, i) => {
    value += (CURVATURES[i]! / 2) * (x - i) ** 2;
    return CURVATURES[i]! * (x - i);
  });
  return { value, gradient };
};

/** L-BFGS takes some 40 iterations through the valley; with half of its recursion left out, 72. */
const MOST = 55;

/** Rosenbrock's valley, whose minimum is at (1, 1). */
const valley: Objective = async (at) => {
  const [x = 0, y = 0] = at;
  return {
    value: (1 - x) ** 2 + 100 * (y - x * x) ** 2,
    gradient: Float64Array.of(-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)),
  };
};

test("minimize() finds the minimum of a bowl from anywhere, and never goes up", async () => {
  for (const start of [0, 100, -3]) {
    const values: number[] = [];
    const options = {
      tolerance: 1e-9,
      maxIterations: 2000,
      onIteration: ({ value }: { value: number }) => values.push(value),
    };
    const found = await minimize(bowl, new Float64Array(30).fill(start), options);
    assert.equal(found.reason, "converged");
    assertClose(
      found.at,
      Float64Array.from({ length: 30 }, (_, i) => i),
      {
        what: "at",
        ...TOLERANCE,
      },
    );
    assert.ok(values.every((value, i) => i === 0 || value <= values[i - 1]!));
  }
});

test("minimize() follows a curved valley", async () => {
  const found = await minimize(valley, Float64Array.of(-1.2, 1), { tolerance: 1e-10 });
  assertClose(found.at, [1, 1], { what: "at", ...TOLERANCE });
  assert.ok(found.iteration < MOST, `took ${found.iteration} iterations`);
});

test("minimize() needs fewer iterations where it knows the curvature", async () => {
  const start = new Float64Array(30);
  const plain = await minimize(bowl, start, { tolerance: 1e-8 });
  const inverseDiagonal = CURVATURES.map((curvature) => 7 / curvature);
  const scaled = await minimize(bowl, start, { tolerance: 1e-8, inverseDiagonal });
  assert.ok(scaled.iteration <= 5, `took ${scaled.iteration} iterations`);
  assert.ok(plain.iteration > 2 * scaled.iteration);
});

test("minimize() says why it ended", async () => {
  const short = await minimize(valley, Float64Array.of(-1.2, 1), { maxIterations: 3 });
  assert.equal(short.reason, "all iterations taken");
  assert.equal(short.iteration, 3);
  const uphill: Objective = async (at) => ({ value: at[0]!, gradient: Float64Array.of(-1) });
  const stuck = await minimize(uphill, Float64Array.of(0));
  assert.equal(stuck.reason, "no descent");
  assert.deepEqual([...stuck.at], [0]);
  const done = await minimize(
    bowl,
    Float64Array.from({ length: 30 }, (_, i) => i),
  );
  assert.deepEqual([done.reason, done.iteration], ["converged", 0]);
});

test("minimize() ends where ten iterations gain too little", async () => {
  const start = new Float64Array(30).fill(50);
  const all = await minimize(bowl, start, { tolerance: 1e-12 });
  const few = await minimize(bowl, start, { tolerance: 1e-12, valueTolerance: 0.9999 });
  assert.ok(few.iteration < all.iteration, `${few.iteration} of ${all.iteration}`);
  assert.equal(few.reason, "converged");
});

test("minimize() refuses a function that is not finite, and stops when told", async () => {
  const odd: Objective = async () => ({ value: NaN, gradient: Float64Array.of(1) });
  await assert.rejects(minimize(odd, Float64Array.of(0)), /must be finite at the start, got NaN/);
  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(minimize(valley, Float64Array.of(-1.2, 1), { signal }), /enough/);
});
