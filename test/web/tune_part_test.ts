import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { Career } from "../../data/career.ts";
import { NUM_OCCUPATIONS, occupationIndex } from "../../data/occupations.ts";
import type { Engine, FineTuneOptions, TrainedStep } from "../../web/engine/api.ts";
import { EngineError } from "../../web/engine/errors.ts";
import { createApp } from "../../web/page/app.ts";
import { Signal } from "../../web/page/signal.ts";
import { describeLosses, lossChart, lossRange, smooth } from "../../web/page/tune/loss_chart.ts";
import { type Run, runTuning } from "../../web/page/tune/run_tuning.ts";
import { paceOf } from "../../web/page/tune/run_view.ts";
import {
  costOf,
  defaultSettings,
  durationOf,
  settingProblem,
  SETTINGS,
} from "../../web/page/tune/settings.ts";
import { tunePart } from "../../web/page/tune/tune_part.ts";
import { bySaying, deviceInfo, modelInfo, openDocument, send, settled } from "./page_support.ts";

beforeEach(() => void openDocument());

const CAREER: Career = {
  id: "me",
  gender: "female",
  ethnicity: "white",
  observations: [
    { year: 2001, education: "high school", occupation: "275" },
    { year: 2003, education: "college", occupation: "435" },
  ],
};
const PEOPLE = { file: "a.tsv", careers: [CAREER], numYears: 2 };
const STEP: TrainedStep = { step: 1, loss: 3, tokensPerSecond: 100 };

/** An engine that learns one step after the other; what it was asked. */
function learner() {
  const asked: { year?: number; education?: string; aborted?: boolean }[] = [];
  const tuned: FineTuneOptions[] = [];
  const self = {
    asked,
    tuned,
    numSteps: 0,
    /** Called before each step. */
    beforeStep: (_step: number): Promise<void> => Promise.resolve(),
    engine: {
      device: () => Promise.resolve(deviceInfo()),
      predict: (_career: Career, { year, education, signal }: Record<string, never> = {}) => {
        asked.push({ year: year!, education: education! });
        (signal as AbortSignal | undefined)?.throwIfAborted();
        const probabilities = new Float64Array(NUM_OCCUPATIONS);
        probabilities[occupationIndex("435")] = 0.1 + 0.01 * self.numSteps;
        return Promise.resolve({ probabilities });
      },
      async *fineTune(_careers: readonly Career[], options: FineTuneOptions) {
        tuned.push(options);
        for (let step = 1; step <= options.steps; step++) {
          await self.beforeStep(step);
          options.signal?.throwIfAborted();
          self.numSteps = step;
          yield { step, loss: 4 - 0.1 * step, tokensPerSecond: 100 };
        }
      },
    } as unknown as Engine,
  };
  return self;
}

const SETTINGS_OF = { steps: 5, learningRate: 1e-3, batchTokens: 64 };

function runOf(self: ReturnType<typeof learner>, hasCareer = true) {
  const app = createApp(self.engine);
  if (hasCareer) app.career.value = CAREER;
  const run = new Signal<Run>({ total: 0, steps: [] });
  const done = runTuning(app, run, { people: PEOPLE, settings: SETTINGS_OF });
  return { app, run, done };
}

test("a run trains with the settings, and asks for the last told year before and after", async () => {
  const self = learner();
  const { app, run, done } = runOf(self);
  await done;
  const { before, after, steps, total, cancel } = run.value;
  assert.deepEqual([steps.length, total, cancel], [5, 5, undefined]);
  assert.equal(self.tuned[0]!.learningRate, 1e-3);
  assert.equal(self.tuned[0]!.batchTokens, 64);
  assert.equal(before?.title, "Waiters and waitresses");
  assert.equal(before.probability.toFixed(6), "0.100000");
  assert.equal(after?.probability.toFixed(6), "0.150000");
  assert.deepEqual(self.asked, [
    { year: 2003, education: "college" },
    { year: 2003, education: "college" },
  ]);
  assert.equal(app.notice.value, undefined);
});

test("a run that is stopped keeps its steps, and still asks what it changed", async () => {
  const self = learner();
  const { app, run, done } = runOf(self);
  self.beforeStep = async (step) => void (step === 3 && run.value.cancel?.());
  await done;
  assert.equal(run.value.steps.length, 2);
  assert.equal(run.value.after?.probability.toFixed(6), "0.120000");
  assert.equal(app.notice.value, undefined, "stopping is no error");
  assert.equal(app.work.value, undefined);
});

test("without a career nothing is asked; an error of training is told and ends the run", async () => {
  const self = learner();
  self.beforeStep = (step) => {
    const parts = { kind: "out-of-memory", message: "Cannot train", remedy: "Use fewer." } as const;
    return step === 2 ? Promise.reject(new EngineError(parts)) : Promise.resolve();
  };
  const { app, run, done } = runOf(self, false);
  await done;
  assert.deepEqual(self.asked, []);
  assert.equal(run.value.steps.length, 1);
  assert.equal(run.value.cancel, undefined);
  assert.deepEqual(app.notice.value, {
    tone: "error",
    message: "Cannot train",
    remedy: "Use fewer.",
  });
});

test("the tab trains only with a model, people and settings that are right", async () => {
  const self = learner();
  const app = createApp(self.engine);
  const part = tunePart(app);
  const start = bySaying(part, "button", /^Fine-tune$/);
  assert.equal(start.disabled, true);
  assert.match(part.textContent ?? "", /Load a model first/);
  app.model.value = modelInfo();
  await settled();
  assert.match(part.textContent ?? "", /Choose careers first/);
  const [steps] = [...part.querySelectorAll<HTMLInputElement>("#tune-steps")];
  assert.equal(steps!.value, "100", "the default of a real GPU");
  const input = part.querySelector<HTMLInputElement>("#tune-file")!;
  const line = JSON.stringify(CAREER);
  Object.defineProperty(input, "files", { value: [new File([line], "a.jsonl")] });
  send(input, "change");
  await settled();
  await settled();
  assert.match(part.textContent ?? "", /a\.jsonl: 1 person, 2 years\./);
  assert.equal(start.disabled, false);
  steps!.value = "0";
  send(steps!, "input");
  assert.equal(start.disabled, true);
  assert.equal(steps!.getAttribute("aria-invalid"), "true");
  assert.match(part.textContent ?? "", /Steps must be a whole number from 1 to 2,000, got "0"/);
  steps!.value = "3";
  send(steps!, "input");
  send(part.querySelector("form")!, "submit");
  await settled();
  assert.equal(self.tuned[0]!.steps, 3);
  assert.match(part.textContent ?? "", /Done after 3 of 3 steps, 100 tokens\/s/);
  assert.match(part.textContent ?? "", /Nothing is saved/);
  assert.ok(part.querySelector("svg"));
});

test("another model forgets the run of the one before", async () => {
  const self = learner();
  const app = createApp(self.engine);
  const part = tunePart(app);
  app.model.value = modelInfo({ numParameters: 1e9 });
  await settled();
  assert.equal(part.querySelector<HTMLInputElement>("#tune-learningRate")!.value, "0.0001");
  app.model.value = undefined;
  assert.match(part.textContent ?? "", /Load a model first/);
});

test("a file that cannot be read is told of, and takes the place of the one before", async () => {
  const app = createApp(learner().engine);
  app.model.value = modelInfo();
  const part = tunePart(app);
  const drop = (file: File) => {
    const event = { dataTransfer: { files: [file] } };
    send(part.querySelector(".tune-drop")!, "drop", event);
  };
  drop(new File([JSON.stringify(CAREER)], "a.jsonl"));
  await settled();
  await settled();
  assert.equal(bySaying(part, "button", /^Fine-tune$/).disabled, false);
  drop(new File(["{}"], "b.jsonl"));
  await settled();
  await settled();
  assert.match(app.notice.value?.message ?? "", /^Cannot read b\.jsonl, line 1: /);
  assert.equal(bySaying(part, "button", /^Fine-tune$/).disabled, true);
});

test("settings have limits, and say what they are", () => {
  const [steps, rate] = SETTINGS as [(typeof SETTINGS)[0], (typeof SETTINGS)[0]];
  for (const text of ["1", "2000", " 7 "]) assert.equal(settingProblem(steps, text), undefined);
  for (const text of ["", "0", "2001", "1.5", "NaN", "x", "1e9"]) {
    assert.match(
      settingProblem(steps, text) ?? "",
      /^Steps must be a whole number from 1 to 2,000/,
    );
  }
  assert.equal(settingProblem(rate, "1e-4"), undefined);
  assert.match(settingProblem(rate, "-1") ?? "", /^Learning rate must be a number from/);
  for (const setting of SETTINGS) {
    for (const isSoftware of [true, false]) {
      const value = defaultSettings({ isSoftware }, 1e6)[setting.key];
      assert.equal(settingProblem(setting, String(value)), undefined, setting.key);
    }
  }
});

test("what a run costs is said in tokens, and in time once a speed is known", () => {
  const settings = { steps: 10, learningRate: 1e-3, batchTokens: 512 };
  assert.equal(
    costOf(settings, { numYears: 160 }),
    "5,120 tokens: roughly 2.0 times all of the file's 160 years.",
  );
  assert.equal(
    costOf(settings, { numYears: 3200, tokensPerSecond: 64 }),
    "5,120 tokens: roughly 10.0% of the file's 3,200 years. At the last run's speed that takes 1 min.",
  );
});

test("times and probabilities are rounded as people say them", () => {
  assert.deepEqual([0.2, 40, 61, 59 * 60, 3725].map(durationOf), [
    "1 s",
    "40 s",
    "1 min",
    "59 min",
    "1 h 2 min",
  ]);
});

test("a run says how far it is and what is left, from steps after the first", () => {
  const cancel = () => undefined;
  const at = (done: number) => ({
    total: 10,
    steps: Array.from({ length: done }, (_, i) => ({ ...STEP, step: i + 1 })),
    firstStepAt: 1000,
  });
  assert.equal(paceOf({ total: 10, steps: [], cancel }, 0), "Step 0 of 10");
  assert.equal(paceOf({ ...at(1), cancel }, 9000), "Step 1 of 10, loss 3.00, 100 tokens/s");
  // Two steps in 6 s: 3 s each, and seven to go.
  assert.equal(
    paceOf({ ...at(3), cancel }, 7000),
    "Step 3 of 10, loss 3.00, 100 tokens/s, 21 s left",
  );
  assert.equal(paceOf(at(3), 7000), "Ended after 3 of 10 steps, 100 tokens/s");
  assert.equal(paceOf(at(10), 7000), "Done after 10 of 10 steps, 100 tokens/s");
});

test("the smooth curve begins at the first loss, follows, and forgets", () => {
  assert.deepEqual(smooth([]), []);
  assert.deepEqual(smooth([2, 2, 2]), [2, 2, 2]);
  const [first, second] = smooth([4, 2]);
  assert.equal(first, 4);
  assert.ok(second! > 2 && second! < 3.1, "the newer counts more");
  const long = smooth([
    ...Array.from({ length: 5 }, () => 9),
    ...Array.from({ length: 90 }, () => 1),
  ]);
  assert.ok(Math.abs(long.at(-1)! - 1) < 1e-3);
});

test("the range of losses holds all that are finite, with air", () => {
  const { from, to } = lossRange([3, 1, NaN, Infinity]);
  assert.ok(from < 1 && from >= 0 && to > 3 && to < 4);
  assert.deepEqual(lossRange([NaN]), { from: 0, to: 1 });
  assert.ok(lossRange([2]).to > 2, "a single loss is no flat line");
});

test("the loss chart draws each step in its place, and leaves out what is not finite", () => {
  const steps = [4, NaN, 2].map((loss, i) => ({ step: i + 1, loss, tokensPerSecond: 1 }));
  const chart = lossChart(steps, 10, 400);
  const [faint] = [...chart.querySelectorAll("polyline")];
  const points = faint!.getAttribute("points")!.split(" ");
  assert.equal(points.length, 2);
  const [[x1, y1], [x2, y2]] = points.map((point) => point.split(",").map(Number)) as [
    [number, number],
    [number, number],
  ];
  assert.ok(x1 < x2 && y1 < y2, "later is to the right, lower is below");
  assert.ok(x2 < 200, "three of ten steps");
  assert.match(
    chart.querySelector("desc")!.textContent ?? "",
    /^Step 3 of 10: the loss began at 4\.00/,
  );
});

test("losses are said in words", () => {
  assert.equal(describeLosses([], 5), "No step of 5 is done yet.");
  assert.equal(
    describeLosses([4, 4], 5),
    "Step 2 of 5: the loss began at 4.00 and is 4.00, averaged over the latest steps.",
  );
});
