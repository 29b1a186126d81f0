import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration, Progress } from "../../cli/run/progress.ts";

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
