import assert from "node:assert/strict";
import { after, test } from "node:test";
import { principalComponents, project } from "../../model/embedding_logit/pca.ts";
import { symmetricEigen } from "../../model/embedding_logit/symmetric_eigen.ts";
import { dot } from "../gradient.ts";
import { assertClose, openGpu, uniform } from "../support.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

// Rounding of float64 over some 50³ operations.
const EXACT = { rtol: 1e-11, atol: 1e-11 };
// Sums in f32 of 500 products below 10.
const COVARIANCE = { rtol: 1e-4, atol: 1e-4 };

function randomSymmetric(size: number): Float64Array {
  const values = uniform(size * size, 21 + size);
  return Float64Array.from(values, (_, k) => {
    const [i, j] = [Math.floor(k / size), k % size];
    return values[Math.max(i, j) * size + Math.min(i, j)]!;
  });
}

for (const size of [1, 2, 3, 10, 50]) {
  test(`symmetricEigen() of ${size} × ${size} gives orthonormal vectors that rebuild the matrix`, () => {
    const matrix = randomSymmetric(size);
    const before = matrix.slice();
    const { values, vectors } = symmetricEigen(matrix, size);
    assert.deepEqual(matrix, before, "the matrix must not change");
    const row = (i: number) => vectors.subarray(i * size, (i + 1) * size);
    for (let i = 0; i < size; i++) {
      if (i > 0) assert.ok(values[i]! <= values[i - 1]!);
      for (let j = 0; j < size; j++) {
        assertClose([dot(row(i), row(j))], [i === j ? 1 : 0], { what: `${i}·${j}`, ...EXACT });
      }
      const image = row(i).map((_, k) => dot(matrix.subarray(k * size, (k + 1) * size), row(i)));
      assertClose(
        image,
        row(i).map((x) => values[i]! * x),
        { what: `A·v${i}`, ...EXACT },
      );
    }
  });
}

test("symmetricEigen() knows repeated, zero and block-wise eigenvalues", () => {
  const diagonal = [3, 0, 3, -1, 0];
  const matrix = Float64Array.from({ length: 25 }, (_, k) => (k % 6 === 0 ? diagonal[k / 6]! : 0));
  assert.deepEqual([...symmetricEigen(matrix, 5).values], [3, 3, 0, 0, -1]);
  const blocks = Float64Array.of(2, 1, 0, 0, 1, 2, 0, 0, 0, 0, 5, 2, 0, 0, 2, 2);
  assertClose(symmetricEigen(blocks, 4).values, [6, 3, 1, 1], { what: "values", ...EXACT });
  const ones = new Float64Array(36).fill(1);
  assertClose(symmetricEigen(ones, 6).values, [6, 0, 0, 0, 0, 0], { what: "ones", ...EXACT });
  assert.throws(
    () => symmetricEigen(Float64Array.of(1, NaN, NaN, 1), 2),
    /finite numbers, got NaN/,
  );
  assert.throws(() => symmetricEigen(new Float64Array(3), 2), /must be \[2, 2\]/);
});

/** Vectors along three known directions, of deviations 5, 2 and 1 in that proportion. */
function known(count: number) {
  const directions = [
    [0.6, 0.8, 0, 0],
    [0.8, -0.6, 0, 0],
    [0, 0, 0, 1],
  ];
  const scales = [5, 2, 1];
  const random = uniform(count * 3, 22);
  const values = new Float32Array(count * 4);
  for (let row = 0; row < count; row++) {
    directions.forEach((direction, d) => {
      const sign = row % 2 === 0 ? 1 : -1; // pairs of opposite vectors: the mean is known
      const by = sign * scales[d]! * random[Math.floor(row / 2) * 3 + d]!;
      direction.forEach((x, i) => (values[row * 4 + i]! += by * x));
    });
    values[row * 4 + 2]! += 7;
  }
  return { count, size: 4, values };
}

test("principal components are those of the covariance, in order, without directions that do not vary", async () => {
  const vectors = known(5000); // more than one batch
  const pca = await principalComponents(gpu, vectors);
  assert.equal(pca.numComponents, 3);
  assertClose(pca.mean, [0, 0, 7, 0], { what: "mean", rtol: 1e-5, atol: 1e-5 });
  const covariance = new Float64Array(16);
  for (let row = 0; row < vectors.count; row++) {
    for (let k = 0; k < 16; k++) {
      const at = (i: number) => vectors.values[row * 4 + i]! - (i === 2 ? 7 : 0);
      covariance[k]! += (at(k >> 2) * at(k & 3)) / (vectors.count - 1);
    }
  }
  const expected = symmetricEigen(covariance, 4).values.subarray(0, 3);
  assertClose(pca.variances, expected, { what: "variances", ...COVARIANCE });
  assertClose(pca.directions.subarray(0, 4).map(Math.abs), [0.6, 0.8, 0, 0], {
    what: "first direction",
    rtol: 0,
    atol: 0.02, // the sample's own error: 1 / √5000
  });
  const two = project(pca, vectors, 2);
  const [mean, square, cross] = [0, 0, 0].map((_, which) => {
    let sum = 0;
    for (let row = 0; row < vectors.count; row++) {
      const [a, b] = [two[2 * row]!, two[2 * row + 1]!];
      sum += which === 0 ? a : which === 1 ? b * b : a * b;
    }
    return sum / (vectors.count - 1);
  });
  assertClose([mean!, square!, cross!], [0, 1, 0], { what: "moments", ...COVARIANCE });
  await assert.rejects(principalComponents(gpu, known(1)), /at least 2 vectors of 4, got 1/);
});
