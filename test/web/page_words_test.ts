import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Pace } from "../../web/page/shell/pace.ts";
import { progressInWords } from "../../web/page/shell/work_bar.ts";
import {
  bytesInWords,
  countInWords,
  millisecondsInWords,
  secondsInWords,
} from "../../web/page/shell/words.ts";

test("bytes have at most three digits before their unit, and never say 1000", () => {
  assert.equal(bytesInWords(0), "0 B");
  assert.equal(bytesInWords(999), "999 B");
  assert.equal(bytesInWords(999.6), "1.0 kB");
  assert.equal(bytesInWords(41_234_567), "41.2 MB");
  assert.equal(bytesInWords(99_960_000), "100 MB");
  assert.equal(bytesInWords(269_061_234), "269 MB");
  assert.equal(bytesInWords(62e9), "62.0 GB");
  fc.assert(
    fc.property(fc.double({ min: 0, max: 9e14, noNaN: true }), (bytes) => {
      assert.match(bytesInWords(bytes), /^\d{1,3}(\.\d)? (B|kB|MB|GB|TB)$/);
    }),
  );
});

test("times and counts read as people say them", () => {
  assert.equal(secondsInWords(59.4), "59 s");
  assert.equal(secondsInWords(59.6), "1 min 00 s");
  assert.equal(secondsInWords(125), "2 min 05 s");
  assert.equal(secondsInWords(4200), "1 h 10 min");
  assert.equal(millisecondsInWords(38.4), "38 ms");
  assert.equal(millisecondsInWords(412), "0.41 s");
  assert.equal(millisecondsInWords(12_345), "12.3 s");
  assert.equal(countInWords(999), "999");
  assert.equal(countInWords(912_345), "912 thousand");
  assert.equal(countInWords(134_515_008), "134.5 million");
  assert.equal(countInWords(999_600_000), "1.0 billion");
});

test("a pace tells nothing at once, then the rate and the time left", () => {
  const pace = new Pace();
  assert.equal(pace.add("download", 0, 0, 1000), undefined);
  assert.equal(pace.add("download", 100, 10, 1000), undefined);
  assert.deepEqual(pace.add("download", 1000, 100, 1000), { perSecond: 100, left: 9 });
  assert.deepEqual(pace.add("download", 2000, 200), { perSecond: 100 });
});

test("a pace forgets what was long ago, and begins anew with other work", () => {
  const pace = new Pace();
  for (let second = 0; second <= 20; second++) pace.add("download", second * 1000, second, 10_000);
  // A hundred times as fast from here on.
  for (let second = 21; second <= 30; second++) {
    pace.add("download", second * 1000, 20 + (second - 20) * 100, 10_000);
  }
  assert.equal(pace.add("download", 31_000, 1120, 10_000)!.perSecond, 100);
  assert.equal(pace.add("check", 32_000, 0, 10), undefined);
  assert.deepEqual(pace.add("check", 33_000, 5, 10), { perSecond: 5, left: 1 });
});

test("a pace of work that stands still tells nothing rather than forever", () => {
  const pace = new Pace();
  for (let second = 0; second < 10; second++) {
    assert.equal(pace.add("load", second * 1000, 7, 10), undefined);
  }
});

test("progress names the file, how far, how fast and how long", () => {
  const progress = {
    phase: "download",
    what: "model.safetensors",
    done: 3e6,
    total: 41_200_000,
    unit: "bytes",
  } as const;
  assert.equal(
    progressInWords(progress, { perSecond: 1.2e6, left: 31.8 }),
    "copying model.safetensors · 3.0 MB of 41.2 MB · 1.2 MB/s · 32 s left",
  );
  assert.equal(
    progressInWords({ phase: "train", what: "", done: 3, total: 40, unit: "steps" }),
    "training · 3 of 40 steps",
  );
  assert.equal(
    progressInWords({ phase: "compile", what: "", done: 7, unit: "kernels" }),
    "compiling kernels · 7 kernels",
  );
});
