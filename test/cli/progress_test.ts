import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration, Progress } from "../../cli/run/progress.ts";
import type { RunSettings } from "../../cli/run/settings.ts";
import { TrainingProgress } from "../../cli/run/training_progress.ts";
import { TINY_SETTINGS, WORDING } from "./run_support.ts";

/** Progress at times of the test's choosing, and what it wrote. */
function recorded(isTTY: boolean): { progress: Progress; at: (ms: number) => void; out: string[] } {
  const out: string[] = [];
  let time = 0;
  const stream = { isTTY, columns: 20, write: (text: string) => out.push(text) };
  const progress = new Progress(stream, () => time);
  return { progress, at: (ms) => (time = ms), out };
}

test("without a terminal, progress is a line every five seconds", () => {
  const { progress, at, out } = recorded(false);
  for (let second = 0; second <= 10; second++) {
    at(1000 * second);
    progress.update(() => `second ${second}`);
  }
  progress.line("done");
  assert.deepEqual(out, ["second 0\n", "second 5\n", "second 10\n", "done\n"]);
});

test("on a terminal, progress is one line, cut to its width and gone before others", () => {
  const { progress, out } = recorded(true);
  progress.update(() => "a line that is too long for this terminal");
  progress.line("done");
  progress.clear();
  assert.deepEqual(out, ["\r\u001B[Ka line that is too ", "\r\u001B[K", "done\n"]);
});

test("formatDuration() speaks of seconds, minutes, hours", () => {
  assert.deepEqual([-5, 44_600, 185_000, 3_599_700, 7_800_000].map(formatDuration), [
    "0 s",
    "45 s",
    "3 min 05 s",
    "1 h 00 min",
    "2 h 10 min",
  ]);
});

test("the time left of a training run holds the validations that are to come", () => {
  const { progress, at, out } = recorded(false);
  const settings: RunSettings = {
    ...TINY_SETTINGS,
    model: { ...TINY_SETTINGS.model, vocabSize: 300, maxSeqLen: 256 },
    // The default, which depends on the number of steps.
    validation: { evalSteps: 0, patience: 0 },
    wording: WORDING,
    data: {},
  };
  const start = { step: 0, numBatches: 0, sinceBest: 0 };
  const report = new TrainingProgress(progress, { settings, maxSteps: 12, evalEvery: 5, start });
  const common = { loss: 1e30, gradNorm: 1, learningRate: 1, numTokens: 512, ms: 1000, batch: "" };
  report.tell({ type: "step", step: 5, ...common });
  report.tell({ type: "validation", step: 5, loss: 80, isBest: true, ms: 20_000 });
  at(10_000);
  report.tell({ type: "step", step: 6, ...common });
  at(20_000);
  report.tell({ type: "step", step: 10, ...common });
  at(30_000);
  report.tell({ type: "step", step: 11, ...common });
  // Validations follow steps 10 and 12.
  const left = out
    .filter((line) => line.startsWith("step "))
    .map((line) => line.split(" · ").at(-1));
  assert.deepEqual(left, ["7 s left\n", "46 s left\n", "42 s left\n", "21 s left\n"]);
  assert.match(out[2]!, / · loss 1\.0e30 · .* · perplexity 5\.5e34 · /);
});
