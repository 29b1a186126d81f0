import assert from "node:assert/strict";
import { test } from "node:test";
import { StepClock } from "../../cli/study/steps.ts";

test("a StepClock tells the time left by family, then by kind, by size", () => {
  const clock = new StepClock();
  const fit = (family: string, size: number) => ({ kind: "fit" as const, family, size });
  const [a, b, c] = [fit("text", 100), fit("text", 300), fit("logit", 50)];
  for (const step of [a, b, c]) clock.add(step);
  assert.equal(clock.secondsLeft, undefined);
  assert.equal(clock.text, "3 steps left");
  clock.done(a, 20);
  assert.equal(clock.secondsLeft, 0.2 * 300 + 0.2 * 50);
  clock.done(c, 1);
  assert.equal(clock.secondsLeft, 60);
  assert.equal(clock.text, "1 step left, about 1 min 00 s");
  clock.drop(b);
  assert.equal(clock.numLeft, 0);
  assert.equal(clock.secondsLeft, 0);
});
