import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Design } from "../../model/logit/design.ts";
import { fitSoftmax, type SoftmaxFit } from "../../model/logit/fit_softmax.ts";
import { minimize } from "../../model/logit/lbfgs.ts";
import { SoftmaxRegression } from "../../model/logit/softmax_regression.ts";
import { softmaxLossReference, sparseRowsReference } from "../reference/softmax_regression.ts";
import { dot } from "../gradient.ts";
import { assertClose, openGpu, uniform } from "../support.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

const [NUM_ROWS, NUM_FEATURES, NUM_CLASSES, NUM_COLUMNS] = [103, 6, 5, 3];

// f32 against float64: sums of 103 terms below 1/103 each.
const GRADIENT = { rtol: 1e-4, atol: 1e-7 };
// Minima, found to 1e-5 of the first gradient, of a function whose least curvature is 1/103.
const MINIMUM = { rtol: 0, atol: 2e-3 };

/** Rows with two features of 6 and, where asked, 3 dense columns. */
function designOf(withDense: boolean): Design {
  const random = uniform(NUM_ROWS * 4, 11);
  const pick = (i: number, count: number) => Math.floor(((random[i]! + 1) / 2) * count);
  const columns = Uint32Array.from({ length: NUM_ROWS * 2 }, (_, k) =>
    k % 2 === 0 ? 0 : 1 + pick(k * 2, NUM_FEATURES - 1),
  );
  return {
    numRows: NUM_ROWS,
    numFeatures: NUM_FEATURES,
    sparse: {
      starts: Uint32Array.from({ length: NUM_ROWS + 1 }, (_, row) => 2 * row),
      columns,
      values: Float32Array.from(columns, (column) => (column === 3 ? 0.5 : 1)),
    },
    targets: Uint32Array.from({ length: NUM_ROWS }, (_, row) =>
      pick(row * 4 + 1, 3) === 0
        ? columns[2 * row + 1]! % NUM_CLASSES
        : pick(row * 4 + 3, NUM_CLASSES),
    ),
    ...(withDense && {
      dense: { numColumns: NUM_COLUMNS, values: uniform(NUM_ROWS * NUM_COLUMNS, 12) },
    }),
  };
}

/** Mean loss in float64 of weights `[features + columns, classes]`, table first. */
function reference(design: Design, weights: Float64Array): number {
  const table = weights.subarray(0, NUM_FEATURES * NUM_CLASSES);
  const { starts, columns, values } = design.sparse;
  const rows = { starts, columns, values: values! };
  const logits = sparseRowsReference(table, rows, NUM_CLASSES);
  const { dense } = design;
  if (dense !== undefined) {
    for (let row = 0; row < NUM_ROWS; row++) {
      for (let v = 0; v < NUM_CLASSES; v++) {
        for (let j = 0; j < NUM_COLUMNS; j++) {
          logits[row * NUM_CLASSES + v]! +=
            weights[(NUM_FEATURES + j) * NUM_CLASSES + v]! * dense.values[row * NUM_COLUMNS + j]!;
        }
      }
    }
  }
  const sizes = { stride: NUM_CLASSES, numClasses: NUM_CLASSES };
  const losses = softmaxLossReference(logits, design.targets, sizes);
  return losses.reduce((sum, loss) => sum + loss, 0) / NUM_ROWS;
}

/** Gradient of the reference by central differences, with an L2 penalty. */
function referenceAt(design: Design, penalty: number) {
  return async (at: Float64Array) => {
    const h = 1e-5;
    const gradient = at.map((x, i) => {
      const shifted = (by: number) => {
        const there = at.slice();
        there[i] = x + by;
        return reference(design, there);
      };
      return (shifted(h) - shifted(-h)) / (2 * h) + (penalty / NUM_ROWS) * x;
    });
    return {
      value: reference(design, at) + (penalty / NUM_ROWS / 2) * dot(at, at),
      gradient,
    };
  };
}

/** Weights of a fit as the reference has them: `[features + columns, classes]`. */
function flat({ weights: { table, dense } }: Pick<SoftmaxFit, "weights">): Float64Array {
  const all = new Float64Array((NUM_FEATURES + NUM_COLUMNS) * NUM_CLASSES);
  all.set(table);
  dense?.forEach((value, i) => {
    const [v, j] = [Math.floor(i / NUM_COLUMNS), i % NUM_COLUMNS];
    all[(NUM_FEATURES + j) * NUM_CLASSES + v] = value;
  });
  return all;
}

async function firstFit(fits: AsyncGenerator<SoftmaxFit>): Promise<SoftmaxFit> {
  for await (const fit of fits) return fit;
  throw new Error("Cannot fit: there must be a fit, got none");
}

for (const withDense of [false, true]) {
  const name = withDense ? "sparse and dense columns" : "sparse features";
  test(`a softmax regression on ${name} has the loss and the gradient of float64, in batches of any size`, async () => {
    const design = designOf(withDense);
    const table = uniform(NUM_FEATURES * NUM_CLASSES, 13);
    const dense = uniform(NUM_COLUMNS * NUM_CLASSES, 14);
    const weights = withDense ? { table, dense } : { table };
    const expected = await referenceAt(design, 0)(flat({ weights }));
    for (const batchRows of [1000, 40, 7]) {
      const options = { numClasses: NUM_CLASSES, batchRows };
      const regression = new SoftmaxRegression(gpu, design, options);
      const at = regression.padded(weights);
      assert.deepEqual(regression.unpadded(at), weights);
      const { value, gradient } = await regression.evaluate(at);
      assertClose([value], [expected.value], { what: "loss", rtol: 1e-6, atol: 0 });
      const got = flat({ weights: regression.unpadded(gradient) });
      const length = withDense ? got.length : NUM_FEATURES * NUM_CLASSES;
      assertClose(got.subarray(0, length), expected.gradient.subarray(0, length), {
        what: `gradient in batches of ${batchRows}`,
        ...GRADIENT,
      });
      regression.destroy();
    }
  });

  test(`a penalized fit on ${name} is the minimum that float64 finds, whatever it starts from`, async () => {
    const design = designOf(withDense);
    const objective = referenceAt(design, 2);
    const size = (NUM_FEATURES + NUM_COLUMNS) * NUM_CLASSES;
    const expected = await minimize(objective, new Float64Array(size), { tolerance: 1e-7 });
    const table = uniform(NUM_FEATURES * NUM_CLASSES, 15);
    const dense = uniform(NUM_COLUMNS * NUM_CLASSES, 16);
    for (const start of [undefined, withDense ? { table, dense } : { table }]) {
      const fit = await firstFit(
        fitSoftmax(gpu, design, {
          numClasses: NUM_CLASSES,
          penalties: [2],
          tolerance: 1e-5,
          ...(start && { start }),
        }),
      );
      assertClose(flat(fit), expected.at, { what: "weights", ...MINIMUM });
      assertClose([fit.minimum.value], [expected.value], { what: "loss", rtol: 1e-6, atol: 0 });
    }
  });
}

test("a fit of the intercept alone is the log of the frequencies, free of the penalty", async () => {
  const targets = Uint32Array.from({ length: 90 }, (_, row) => (row < 60 ? 0 : row < 80 ? 1 : 2));
  const design = {
    numRows: 90,
    numFeatures: 1,
    sparse: {
      starts: Uint32Array.from({ length: 91 }, (_, row) => row),
      columns: new Uint32Array(90),
    },
    targets,
  };
  const options = { numClasses: 3, penalties: [5], freeFeatures: [0], tolerance: 1e-6 };
  const { weights } = await firstFit(fitSoftmax(gpu, design, options));
  const [a, b, c] = weights.table;
  assertClose([a! - b!, b! - c!], [Math.log(3), Math.log(2)], {
    what: "log odds",
    rtol: 1e-4,
    atol: 0,
  });
});

test("fits are equal in every bit when they are made again", async () => {
  const fit = () =>
    firstFit(
      fitSoftmax(gpu, designOf(true), { numClasses: NUM_CLASSES, penalties: [1], batchRows: 32 }),
    );
  assert.deepEqual(await fit(), await fit());
});

test("designs that do not fit together are refused", () => {
  const design = designOf(true);
  const make = (changed: Partial<Design>) => () =>
    new SoftmaxRegression(gpu, { ...design, ...changed }, { numClasses: NUM_CLASSES });
  const targets = design.targets.slice();
  targets[4] = 5;
  assert.throws(make({ targets }), /classes must be below 5, got 5 in row 4/);
  assert.throws(make({ targets: targets.slice(1) }), /there must be 103 targets, got 102/);
  const values = new Float32Array(NUM_ROWS * 2).fill(NaN);
  assert.throws(make({ dense: { numColumns: 2, values } }), /dense values must be finite, got NaN/);
  assert.throws(make({ dense: { numColumns: 3, values } }), /must have 309 values, got 206/);
  assert.throws(make({ numRows: 0 }), /there must be rows, got 0/);
});
