import assert from "node:assert/strict";
import { after, test } from "node:test";
import { randomnessOf } from "../../engine/ops/dropout.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { CareerModel, careerObjective } from "../../model/career/career_model.ts";
import { CAREER_CONFIG, checkCareerConfig, countCareerWeights } from "../../model/career/config.ts";
import { numRowsOf } from "../../model/career/covariates.ts";
import { packPeople } from "../../model/career/pack.ts";
import { LossStep } from "../../model/train/loss_step.ts";
import { directionalDerivative, dot } from "../gradient.ts";
import { careerReference } from "../reference/career.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { encodeAll, peopleOf, TINY_CAREER, tinyCareer, vocabularyOf } from "./career_support.ts";

const gpu = await openGpu();
const tiled = await openGpu({ variant: "tiled" });
after(() => {
  gpu.destroy();
  tiled.destroy();
});

// Some 60 roundings of f32 between a weight and the loss of a few dozen person-years.
const LOSS_TOLERANCE = 2e-6;
/** Of the sum of absolute values: terms of either sign cancel. */
const GRADIENT_TOLERANCE = 1e-5;

const PEOPLE = peopleOf([5, 1, 3, 7, 2]);
const VOCABULARY = vocabularyOf(PEOPLE);
const [{ batch: BATCH } = assert.fail()] = packPeople(encodeAll(PEOPLE, VOCABULARY), {
  numRows: 2,
  seqLen: 11,
});

for (const [name, device] of Object.entries({ flat: gpu, tiled })) {
  for (const [dropout, checkpoint] of [
    [0, false],
    [0.3, true],
  ] as const) {
    const kept = checkpoint ? "blocks computed again" : "everything kept";
    test(`CAREER's loss and every gradient match float64, ${name}, dropout ${dropout}, ${kept}`, async () => {
      const config = { ...TINY_CAREER, dropout };
      const model = tinyCareer(device, VOCABULARY, config);
      const tape = new Tape(device);
      const options = { numRows: 2, seqLen: 11, training: true, dtype: "f32", checkpoint } as const;
      const recorded = careerObjective(model).record(device, tape, options);
      const seed = device.tensor([1], { label: "dLoss", values: Float32Array.of(1) });
      tape.backward(recorded.loss, seed);
      const plan = await new Plan(device, tape, { keep: [recorded.loss] }).compile();
      recorded.write(BATCH, { weightScale: 0.5, seed: 7, step: 3 });
      plan.run();
      const gradients = model.parameters.map(({ gradient }) => gradient);
      const [loss, ...read] = await plan.read(recorded.loss, ...gradients);

      const values: readonly Float64Array[] = await Promise.all(
        model.parameters.map(async (parameter) => Float64Array.from(await device.read(parameter))),
      );
      const randomness = randomnessOf({ seed: 7, step: 3 });
      const lossOf = (changed: readonly Float64Array[]) => {
        const labels = model.parameters.map(({ label }, index) => [label, changed[index]!]);
        const weights = Object.fromEntries(labels) as Record<string, Float64Array>;
        return careerReference(model, weights, { batch: BATCH, randomness }).loss / 2;
      };
      const tolerance = { rtol: LOSS_TOLERANCE, atol: 0 };
      assertClose([loss![0]!], [lossOf(values)], { what: "loss", ...tolerance });
      model.parameters.forEach(({ label }, index) => {
        const gradient = read[index]!;
        const direction = uniform(gradient.length, 50 + index);
        const expected = directionalDerivative(
          (changed) => lossOf(values.map((value, which) => (which === index ? changed : value))),
          values[index]!,
          direction,
        );
        const scale = gradient.reduce((sum, value) => sum + Math.abs(value), 0);
        assertClose([dot(gradient, direction)], [expected], {
          what: `d(${label}) along one direction`,
          rtol: 0,
          atol: GRADIENT_TOLERANCE * Math.max(scale, 0.1),
        });
        assert.ok(scale > 0, `a gradient must reach "${label}"`);
      });
      plan.destroy();
      recorded.destroy();
      model.destroy();
    });
  }
}

test("the published sizes have the published number of weights", () => {
  // 12 blocks of 444,864 and the last norm; the rest are rows of 192: 1,121 of them.
  const config = { ...CAREER_CONFIG, numOccupations: 335 };
  assert.equal(countCareerWeights(config, 0) - 192 * 2 * (335 + 1), 12 * 444_864 + 384);
  const numCovariateRows = 1121 - 2 * (335 + 1);
  assert.equal(countCareerWeights(config, numCovariateRows), 5_553_984);
});

test("a model has the weights that are counted, and the unknown begins at zero", async () => {
  const model = new CareerModel(gpu, { config: TINY_CAREER, vocabulary: VOCABULARY, seed: 4 });
  const rows = VOCABULARY.reduce((sum, covariate) => sum + numRowsOf(covariate), 0);
  assert.equal(model.numParameters, countCareerWeights(TINY_CAREER, rows));
  const table = model.parameters.find(({ label }) => label === "model.embed_birth_year.weight");
  const values = await gpu.read(table!);
  assert.ok(values.subarray(-8).every((value) => value === 0));
  assert.ok(values.subarray(0, -8).every((value) => value !== 0));
  model.destroy();
});

test("what comes later changes nothing, and neither does who shares a row", async () => {
  const model = tinyCareer(gpu, VOCABULARY);
  const sizes = { numRows: 2, seqLen: 11 };
  const step = await new LossStep(gpu, careerObjective(model), sizes).compile();
  const people = encodeAll(PEOPLE, VOCABULARY);
  const logs = async (given: typeof people) => {
    const [packed] = packPeople(given, sizes);
    const values = await step.logProbabilities(packed!.batch);
    const found = new Map<string, number[]>();
    for (const { person, begin } of packed!.places) {
      const { id, targets } = given[person]!;
      found.set(id, Array.from(values.subarray(begin, begin + targets.length)));
    }
    return found;
  };
  const together = await logs(people);
  for (const person of people) {
    assert.ok(together.get(person.id)!.every((value) => value < 0));
    const [own] = (await logs([person])).values();
    // The same sums, in the same order; other rows may be walked by other lanes.
    assertClose(own!, together.get(person.id)!, { what: person.id, rtol: 1e-5, atol: 1e-6 });
  }
  const [first] = people;
  const changed = {
    ...first!,
    targets: first!.targets.with(3, (first!.targets[3]! + 1) % 7),
    previous: first!.previous.with(4, (first!.previous[4]! + 1) % 7),
    covariates: first!.covariates.map((rows) => rows.with(4, 0)),
  };
  const [before] = (await logs([first!])).values();
  const [afterwards] = (await logs([changed])).values();
  assert.deepEqual(afterwards!.slice(0, 3), before!.slice(0, 3));
  assert.notEqual(afterwards![3], before![3]);
  assert.notEqual(afterwards![4], before![4]);
  step.destroy();
  model.destroy();
});

test("sizes that do not fit together, and halves, are refused", () => {
  const config = { ...CAREER_CONFIG, numOccupations: 335 };
  assert.throws(() => checkCareerConfig({ ...config, numHeads: 5 }), {
    name: "RangeError",
    message: "Cannot build a CAREER model: numHeads must divide dModel 192, got 5",
  });
  assert.throws(() => checkCareerConfig({ ...config, dropout: 1 }), {
    name: "RangeError",
    message: "Cannot build a CAREER model: dropout must lie in [0, 1), got 1",
  });
  const model = tinyCareer(gpu, VOCABULARY);
  const options = {
    numRows: 1,
    seqLen: 4,
    training: true,
    dtype: "f16",
    checkpoint: false,
  } as const;
  assert.throws(() => careerObjective(model).record(gpu, new Tape(gpu), options), {
    name: "TypeError",
    message: "Cannot train a CAREER model: dtype must be f32, got f16",
  });
  model.destroy();
});
