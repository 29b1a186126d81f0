import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { SamplerSettings } from "../../engine/ops/sampling.ts";
import { NO_TOKEN } from "../../shaders/sampling_advance.wgsl.ts";
import { logProbabilityReference, samplingReference } from "../reference/sampling.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { rightTokens, rowsOf, SETTINGS, TOLERANCE } from "./sampling_case.ts";
import { generate, NAMES, sample, type VariantName } from "./sampling_run.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

for (const name of NAMES) {
  for (const vocabSize of name === "flat in subgroups"
    ? [1, 5, 512, 4097, 32_000]
    : [1, 5, 512, 4097]) {
    test(`sampleTokens() ${name} over ${vocabSize} matches float64 for all settings`, async () => {
      let numExact = 0;
      const rounds = vocabSize > 5000 ? 1 : 3;
      for (let round = 0; round < rounds; round++) {
        const rows = rowsOf(vocabSize, round);
        const { tokens, logProbabilities } = await sample(gpu, name, rows);
        rows.forEach((row, index) => {
          const right = rightTokens(row);
          if (right.size === 1) numExact += 1;
          assert.ok(
            right.has(tokens[index]!),
            `${JSON.stringify(row.settings)} at step ${row.step}: expected ${[...right].join(" or ")}, got ${tokens[index]}`,
          );
        });
        const expected = rows.map(({ logits }, i) => logProbabilityReference(logits, tokens[i]!));
        assertClose(logProbabilities, expected, { what: "log-probability", ...TOLERANCE });
      }
      const numRows = rounds * SETTINGS.length;
      // Of 32,000 tokens, most have a share of 3e-5, and borders are 4e-6 to either side.
      const least = vocabSize > 5000 ? 0.7 : 0.95;
      assert.ok(numExact >= least * numRows, `${numRows - numExact} of ${numRows} lie at a border`);
    });
  }

  test(`sampleTokens() ${name} of a row does not depend on the others, nor on the run`, async () => {
    const rows = rowsOf(513, 5);
    const together = await sample(gpu, name, rows);
    assert.deepEqual(await sample(gpu, name, rows), together);
    for (const index of [1, 2, 8, 17]) {
      const alone = await sample(gpu, name, [rows[index]!]);
      assert.equal(alone.tokens[0], together.tokens[index]);
      assert.equal(alone.logProbabilities[0], together.logProbabilities[index]);
    }
  });

  test(`sampleTokens() ${name} of equals takes the lowest id when greedy`, async () => {
    const at = (...ids: number[]) => {
      const logits = new Float32Array(600).fill(-3);
      for (const id of ids) logits[id] = 2;
      return { logits };
    };
    const zeros = new Float32Array(600).map((_, v) => (v < 9 ? -0 : 0));
    const rows = [at(599, 3, 300), at(511, 255, 256), at(0, 1), at(8, 16), { logits: zeros }];
    const { tokens } = await sample(gpu, name, rows);
    assert.deepEqual([...tokens], [3, 255, 0, 8, 0]);
  });

  test(`sampleTokens() ${name} keeps tokens as probable as the last one kept`, async () => {
    const logits = Float32Array.from({ length: 40 }, (_, v) =>
      v === 30 ? 3 : v % 10 === 2 ? 2 : 1,
    );
    const draws = async (settings: SamplerSettings): Promise<number[]> => {
      const rows = Array.from({ length: 200 }, (_, seed) => ({
        logits,
        settings: { temperature: 4, ...settings, seed },
      }));
      return [...new Set((await sample(gpu, name, rows)).tokens)].toSorted((a, b) => a - b);
    };
    assert.deepEqual(await draws({ topK: 2 }), [2, 12, 22, 30, 32]);
    assert.deepEqual(await draws({ topP: 0.06 }), [2, 12, 22, 30, 32]);
    assert.deepEqual(await draws({ minP: Math.exp(-0.2500001) }), [2, 12, 22, 30, 32]);
    assert.deepEqual(await draws({ topK: 1 }), [30]);
  });

  test(`sampleTokens() ${name} takes top-p of what top-k left, to the last bit`, async () => {
    // Weights 1, 0.5, 0.25 and, one bit below, what top-k leaves out: 0.85 of 1.75, not of 2.
    const quarter = Math.fround(Math.log(0.25));
    const below = new Float32Array(Uint32Array.of(0xbfb1_7219).buffer)[0]!;
    assert.ok(below < quarter && quarter - below < 2e-7);
    const rows = Array.from({ length: 60 }, (_, seed) => ({
      logits: Float32Array.of(below, quarter, Math.log(0.5), 0),
      settings: { temperature: 1, topK: 3, topP: 0.85, seed },
    }));
    assert.deepEqual(new Set((await sample(gpu, name, rows)).tokens), new Set([3, 2]));
    const all = rows.map(({ logits, settings }) => ({
      logits,
      settings: { ...settings, topK: 0 },
    }));
    assert.deepEqual(new Set((await sample(gpu, name, all)).tokens), new Set([3, 2, 1]));
  });

  test(`sampleTokens() ${name} never draws what is masked, by −3.4e38, −∞ or NaN`, async () => {
    const allowed = [5, 77, 300];
    const masks = [-3.4e38, -Infinity, NaN];
    const logits = Float32Array.from({ length: 301 }, (_, v) =>
      allowed.includes(v) ? -1e4 - v / 100 : masks[v % 3]!,
    );
    const settings = [{}, { temperature: 1e6 }, { temperature: 1e-6 }, { temperature: 1, topK: 9 }];
    const rows = Array.from({ length: 60 }, (_, seed) => ({
      logits,
      settings: { ...settings[seed % 4], seed, repetitionPenalty: seed % 8 < 4 ? 1 : 1.01 },
      seen: [0, 1, 2, 4],
    }));
    const { tokens, logProbabilities } = await sample(gpu, name, rows);
    assert.ok(
      [...tokens].every((token) => allowed.includes(token)),
      `got ${tokens.join()}`,
    );
    assert.deepEqual(new Set(tokens), new Set(allowed));
    const known = logits.map((x) => (x > -1e30 ? x : -1e30));
    const expected = Array.from(tokens, (token) => logProbabilityReference(known, token));
    assertClose(logProbabilities, expected, { what: "log-probability", ...TOLERANCE });
  });

  test(`sampleTokens() ${name} of a row of masks, NaN or infinities ends with a finite result`, async () => {
    for (const value of [-3.4e38, NaN, -Infinity, Infinity, 3.4e38]) {
      const logits = new Float32Array(300).fill(value);
      const rows = SETTINGS.map((settings, seed) => ({
        logits,
        settings: { ...settings, seed },
        seen: [0, 1],
      }));
      const { tokens, logProbabilities } = await sample(gpu, name, rows);
      assert.equal(tokens[0], 0);
      assert.ok(tokens.every((token) => token < 300));
      const expected = new Float32Array(SETTINGS.length).fill(-Math.log(300));
      assertClose(logProbabilities, expected, { what: "log-probability", ...TOLERANCE });
    }
  });

  test(`sampleTokens() ${name} draws tokens as often as they are probable`, async () => {
    const settings = { temperature: 0.7, topK: 14, topP: 0.95, minP: 0.01 };
    const logits = uniform(40, 3).map((x) => 3 * x);
    const counts = new Map<number, number>();
    const numDraws = 100 * 64;
    for (const { tokens } of await generate(gpu, name, {
      rows: Array.from({ length: 64 }, (_, seed) => ({ logits, settings: { ...settings, seed } })),
      numSteps: 100,
    })) {
      for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
    }
    /** How much more χ² is than it should be, in standard deviations; infinite at the impossible. */
    const excess = (changes: SamplerSettings): number => {
      const probabilities = samplingReference({ logits, ...settings, ...changes });
      const freedom = probabilities.filter((p) => p > 0).length - 1;
      const chiSquared = probabilities.reduce((sum, p, v) => {
        const count = counts.get(v) ?? 0;
        if (p === 0) return count > 0 ? Infinity : sum;
        return sum + (count - p * numDraws) ** 2 / (p * numDraws);
      }, 0);
      return (chiSquared - freedom) / Math.sqrt(2 * freedom);
    };
    assert.ok(excess({}) < 4, `χ² is ${excess({})} standard deviations too large`);
    for (const wrong of [{ temperature: 0.75 }, { topK: 0, topP: 1, minP: 0 }, { topK: 8 }]) {
      assert.ok(excess(wrong) > 8, `the bound must tell ${JSON.stringify(wrong)} from the truth`);
    }
  });
}

for (const name of ["flat in subgroups", "tiled"] satisfies VariantName[]) {
  test(`advanceRows() ${name} goes on with tokens, and finishes rows`, async () => {
    const logits = (token: number) => ({
      logits: Float32Array.from({ length: 70 }, (_, v) => (v === token ? 1 : 0)),
    });
    const rows = await generate(gpu, name, {
      rows: [logits(69), logits(33), logits(4), logits(5)],
      places: [10, 10, 10, 18],
      numSteps: 6,
      capacity: 4,
      cacheCapacity: 20,
      endTokens: [7, 33],
      slidingWindow: 3,
    });
    const logProbability = Math.fround(logProbabilityReference(logits(4).logits, 4));
    const common = rows.map(({ tokens, finished, last }) => [[...tokens], finished, last]);
    assert.deepEqual(common, [
      [[69, 69, 69, 69], "capacity", NO_TOKEN],
      [[33], "end token", NO_TOKEN],
      [[4, 4, 4, 4], "capacity", NO_TOKEN],
      [[5, 5], "capacity", NO_TOKEN],
    ]);
    // The last token of a history is no input; a row that ended at once never had another input.
    assert.deepEqual(
      rows.map(({ token, place, position, start }) => [token, place, position, start]),
      [
        [69, 0xffff_ffff, 13, 11],
        [99, 0xffff_ffff, 10, 0],
        [4, 0xffff_ffff, 13, 11],
        [5, 0xffff_ffff, 19, 17],
      ],
    );
    for (const row of rows) {
      const expected = new Float32Array(row.tokens.length).fill(logProbability);
      assertClose(row.logProbabilities, expected, { what: "log-probability", ...TOLERANCE });
    }
  });

  test(`advanceRows() ${name} counts places up while rows go on`, async () => {
    const rows = await generate(gpu, name, {
      rows: Array.from({ length: 70 }, (_, seed) => ({
        logits: uniform(50, 1),
        settings: { temperature: 1, seed },
      })),
      places: Array.from({ length: 70 }, (_, i) => i),
      numSteps: 3,
      capacity: 9,
    });
    rows.forEach((row, i) => {
      assert.equal(row.finished, undefined);
      assert.equal(row.tokens.length, 3);
      assert.equal(row.token, row.tokens[2]);
      assert.deepEqual([row.place, row.position, row.start], [i + 3, i + 3, 0]);
    });
  });
}

test("advanceRows() marks tokens as seen, of the prompt and since", async () => {
  const [row] = await generate(gpu, "flat in subgroups", {
    rows: [
      { logits: Float32Array.of(6, 5, 4, 3, 2), settings: { repetitionPenalty: 10 }, seen: [1] },
    ],
    numSteps: 5,
  });
  assert.deepEqual([...row!.tokens], [0, 2, 3, 4, 0]);
});

test("advanceRows() gives each seed its own tokens, the same in each run and variant", async () => {
  const rows = [3, 4, 3, 2 ** 32 + 3].map((seed) => ({
    logits: uniform(1000, 1),
    settings: { temperature: 1, seed },
  }));
  const run = async (name: VariantName) =>
    (await generate(gpu, name, { rows, numSteps: 20 })).map(({ tokens }) => [...tokens]);
  const tokens = await run("flat in subgroups");
  assert.deepEqual(tokens[2], tokens[0]);
  assert.notDeepEqual(tokens[1], tokens[0]);
  assert.notDeepEqual(tokens[3], tokens[0]);
  assert.ok(new Set(tokens[0]).size > 15, "steps must not repeat each other");
  assert.deepEqual(await run("flat alone"), tokens);
  assert.deepEqual(await run("tiled"), tokens);
});
