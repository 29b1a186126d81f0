import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Tokenizer } from "../../data/tokenizer/tokenizer.ts";
import { sampleTitles } from "../../model/forecast/valid_titles.ts";
import { weightShapes } from "../../model/transformer/weight_shapes.ts";
import { Transformer } from "../../model/transformer/transformer.ts";
import { SMALL, TOKENIZER } from "../pretrained/small_model.ts";
import { openGpu } from "../support.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

const tokenizer = Tokenizer.fromJson(TOKENIZER, { generation: { eos_token_id: 0 } });
const single = (text: string): number => {
  const tokens = tokenizer.encode(text, { continues: true });
  assert.equal(tokens.length, 1, `${JSON.stringify(text)} must be one token`);
  return tokens[0]!;
};

/** What follows any text: probabilities of tokens that never change, whatever came before. */
const NEXT: ReadonlyMap<number, number> = new Map([
  [single(" cook"), 0.4],
  [single(" baker"), 0.2],
  [single("\n"), 0.3],
  [0, 0.1], // ends the document
]);
const NEVER = -60;

/** The embedding is all ones, blocks add nothing: logits are the sums of the output's rows. */
const config = { ...SMALL, tieEmbeddings: false };
const values = new Map(
  Array.from(weightShapes(config), ({ label, shape }) => {
    const size = shape.reduce((product, length) => product * length, 1);
    const filled = new Float32Array(size);
    if (shape.length === 1 || label.includes("embed_tokens")) filled.fill(1);
    if (label.includes("lm_head")) {
      for (let token = 0; token < config.vocabSize; token++) {
        const p = NEXT.get(token);
        const logit = p === undefined ? NEVER : Math.log(p);
        filled.fill(logit / config.dModel, token * config.dModel, (token + 1) * config.dModel);
      }
    }
    return [label, filled] as const;
  }),
);
const transformer = Transformer.create(gpu, config, { values });
const writer = { gpu, transformer, tokenizer, titles: ["cook", "baker", "teacher"] };
const prompts = (numPrompts: number) =>
  Array.from({ length: numPrompts }, (_, i) =>
    tokenizer.encode("the baker bakes".slice(0, 3 + (i % 12))),
  );

test("titles are those of the vocabulary to the letter, as often as a model writes them", async () => {
  const numPrompts = 240;
  let numDone = 0;
  const { numSampled, numValid, invalid } = await sampleTitles(writer, prompts(numPrompts), {
    seed: 1,
    onTitle: (count) => (numDone = count),
  });
  assert.equal(numSampled, numPrompts);
  assert.equal(numDone, numPrompts);
  // One of two words, then the end of the line or of the document.
  const p = 0.6 * 0.4;
  const deviation = Math.sqrt(p * (1 - p) * numPrompts);
  assert.ok(Math.abs(numValid - p * numPrompts) < 4 * deviation, `${numValid} of ${numSampled}`);
  const counts = invalid.map(({ count }) => count);
  assert.deepEqual(
    counts,
    counts.toSorted((a, b) => b - a),
  );
  assert.equal(invalid[0]!.text, ""); // an empty line is the commonest
  assert.ok(invalid.some(({ text }) => text === "cook cook"));
  assert.ok(invalid.some(({ text }) => text.endsWith("…"))); // cut at the limit of tokens
  assert.ok(invalid.every(({ text }) => !["cook", "baker"].includes(text)));
});

test("a seed gives the same titles again, another one others", async () => {
  const draw = (seed: number) => sampleTitles(writer, prompts(24), { seed });
  const [first, again, other] = [await draw(5), await draw(5), await draw(600)];
  assert.deepEqual(first, again);
  assert.notDeepEqual(first, other);
});

test("a title that is cut where the model's context ends is none", async () => {
  const full = Array.from({ length: 24 }, () => new Uint32Array(63).fill(single(" cook")));
  const { numValid, invalid } = await sampleTitles(writer, full, { seed: 1 });
  assert.equal(numValid, 0);
  assert.ok(invalid.some(({ text }) => text === "cook…"));
});
