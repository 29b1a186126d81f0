import assert from "node:assert/strict";
import { test } from "node:test";
import type { Career } from "../../data/career.ts";
import type { CallOptions, Prediction, Question } from "../../web/engine/api.ts";
import { Predictor, type PredictorState } from "../../web/page/results/predictor.ts";
import { careerOf } from "../data/arbitrary_career.ts";

/** Short enough to wait for, long enough to be overtaken. */
const DELAY_MS = 10;

/** An engine whose answers come when they are let go. */
function slowEngine() {
  const calls: {
    readonly id: string;
    readonly year: number | undefined;
    readonly signal: AbortSignal | undefined;
    answer(): void;
    fail(error: Error): void;
  }[] = [];
  const predict = (career: Career, question: Question & CallOptions = {}) =>
    new Promise<Prediction>((resolve, reject) => {
      const { year, signal } = question;
      const prediction = { year: year ?? 2000, prompt: career.id } as Prediction;
      calls.push({
        id: career.id,
        year,
        signal,
        answer: () => resolve(prediction),
        fail: reject,
      });
    });
  return { engine: { predict }, calls };
}

const asked = (id: string, year?: number) => ({
  career: careerOf(id, "95"),
  question: year === undefined ? {} : { year },
});
const wait = (ms = 4 * DELAY_MS) => new Promise((resolve) => setTimeout(resolve, ms));

test("questions that follow each other quickly are one question", async () => {
  const { engine, calls } = slowEngine();
  const predictor = new Predictor(engine, DELAY_MS);
  for (const id of ["a", "b", "c"]) predictor.ask(asked(id, 2010));
  assert.equal(predictor.state.value.isBusy, true);
  await wait();
  assert.deepEqual(
    calls.map(({ id, year }) => [id, year]),
    [["c", 2010]],
  );
  calls[0]!.answer();
  await wait(0);
  assert.equal(predictor.state.value.isBusy, false);
  assert.equal(predictor.state.value.prediction?.prompt, "c");
});

test("an overtaken question is ended, and its answer dropped even if it comes later", async () => {
  const { engine, calls } = slowEngine();
  const predictor = new Predictor(engine, DELAY_MS);
  const shown: (string | undefined)[] = [];
  predictor.state.follow(({ prediction }) => shown.push(prediction?.prompt));
  predictor.ask(asked("a"));
  await wait();
  predictor.ask(asked("b"));
  assert.equal(calls[0]!.signal?.aborted, true);
  await wait();
  calls[1]!.answer();
  await wait(0);
  calls[0]!.answer();
  await wait(0);
  assert.equal(predictor.state.value.prediction?.prompt, "b");
  assert.ok(!shown.includes("a"));
});

test("the last answer stays while the next is computed, and after an error", async () => {
  const { engine, calls } = slowEngine();
  const predictor = new Predictor(engine, DELAY_MS);
  const states: PredictorState[] = [];
  predictor.state.follow((state) => states.push(state));
  predictor.ask(asked("a"));
  await wait();
  calls[0]!.answer();
  await wait(0);
  predictor.ask(asked("b"));
  assert.deepEqual([states.at(-1)?.prediction?.prompt, states.at(-1)?.isBusy], ["a", true]);
  await wait();
  const error = new Error("no room");
  calls[1]!.fail(error);
  await wait(0);
  assert.equal(predictor.state.value.error, error);
  assert.equal(predictor.state.value.prediction?.prompt, "a");
  predictor.ask(asked("c"));
  assert.equal(predictor.state.value.error, undefined, "an old error is not told again");
});

test("what is ended by somebody says nothing, whatever becomes of it", async () => {
  const { engine, calls } = slowEngine();
  const predictor = new Predictor(engine, DELAY_MS);
  predictor.ask(asked("a"));
  await wait();
  predictor.clear();
  calls[0]!.fail(new Error("aborted"));
  await wait(0);
  assert.deepEqual(predictor.state.value, { isBusy: false });
  predictor.ask(asked("b"));
  predictor.clear();
  await wait();
  assert.equal(calls.length, 1, "a question that is taken back is never asked");
});
