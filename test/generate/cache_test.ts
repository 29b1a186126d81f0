import { after, test } from "node:test";
import type { GpuOptions } from "../../engine/gpu.ts";
import { TINY_FAMILIES, TINY_MODELS, tinyModel } from "../model/tiny_model.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { cachedLogits, fullLogits } from "./cached_logits.ts";

const WAYS: Readonly<Record<string, GpuOptions>> = {
  "flat kernels": { variant: "flat" },
  "flat kernels without subgroups": { variant: "flat", subgroups: false },
  "tiled kernels": { variant: "tiled" },
};
const gpus = await Promise.all(
  Object.entries(WAYS).map(async ([way, options]) => [way, await openGpu(options)] as const),
);
after(() => gpus.forEach(([, gpu]) => gpu.destroy()));

/** Sums of a split cache are rounded in another order. */
const TOLERANCE = { rtol: 1e-5, atol: 1e-5 };

/** Ragged texts of the tiny models' vocabulary. */
const TEXTS = [13, 1, 8].map((length, row) =>
  Uint32Array.from(uniform(length, row), (value) => Math.floor(((value + 1) / 2) * 11)),
);

for (const [name, config] of Object.entries({ ...TINY_MODELS, ...TINY_FAMILIES })) {
  for (const [way, gpu] of gpus) {
    test(`a model ${name} has the same logits at every position, one token at a time, with ${way}`, async () => {
      const model = tinyModel(gpu, config);
      const expected = [];
      for (const text of TEXTS) expected.push(await fullLogits(gpu, model, text));
      for (const lengths of [[1], [6, 1], [5]]) {
        const actual = await cachedLogits(gpu, model, { texts: TEXTS, lengths, capacity: 16 });
        for (const [row, logits] of actual.entries()) {
          const what = `logits of text ${row} in pieces of ${lengths.join(", ")}`;
          assertClose(logits, expected[row]!, { what, ...TOLERANCE });
        }
      }
    });
  }
}
