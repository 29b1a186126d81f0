import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Embedder, type EmbedOptions } from "../../model/generate/embed.ts";
import { ModelInputs } from "../../model/transformer/inputs.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { packedBatch, TINY_FAMILIES, tinyModel } from "../model/tiny_model.ts";
import { assertClose, openGpu, uniform } from "../support.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

const config = TINY_FAMILIES["like Mistral, with a sliding window"]!;
const model = tinyModel(gpu, config);
const { dModel, numBlocks } = config;

const TEXTS = [13, 1, 8, 16].map((length, row) =>
  Uint32Array.from(uniform(length, row), (value) => Math.floor(((value + 1) / 2) * 11)),
);

/** A mean is a sum of shares. */
const TOLERANCE = { rtol: 1e-5, atol: 1e-6 };

/** Hidden states of all tokens of a text that stands alone. */
async function hiddenStates(text: Uint32Array, layer: number): Promise<Float32Array> {
  const inputs = new ModelInputs(gpu, config, { numRows: 1, seqLen: text.length });
  const tape = new Tape(gpu);
  const hidden = model.hidden(tape, inputs, { layer });
  const plan = await new Plan(gpu, tape, { keep: [hidden] }).compile();
  const batch = packedBatch([[text.length]], { seqLen: text.length });
  inputs.write({ ...batch, tokens: Uint32Array.from(text) });
  plan.run();
  const [values] = await plan.read(hidden);
  plan.destroy();
  return values!;
}

async function embed(texts: Iterable<Uint32Array>, options?: EmbedOptions) {
  const embedder = new Embedder(gpu, model, options);
  const vectors: Float32Array[] = [];
  for await (const vector of embedder.embed(texts)) vectors.push(vector);
  embedder.destroy();
  return vectors;
}

for (let layer = 0; layer <= numBlocks; layer++) {
  for (const pooling of ["last", "mean"] as const) {
    test(`vectors of layer ${layer}, ${pooling}, are those of each text alone`, async () => {
      const vectors = await embed(TEXTS, { layer, pooling });
      for (const [index, text] of TEXTS.entries()) {
        const states = await hiddenStates(text, layer);
        const from = pooling === "last" ? text.length - 1 : 0;
        const expected = Float64Array.from({ length: dModel }, (_, i) => {
          let sum = 0;
          for (let t = from; t < text.length; t++) sum += states[t * dModel + i]!;
          return sum / (text.length - from);
        });
        assertClose(vectors[index]!, expected, { what: `vector of text ${index}`, ...TOLERANCE });
      }
    });
  }
}

test("many texts take several passes, and keep their order", async () => {
  const many = Array.from({ length: 70 }, (_, i) => TEXTS[i % TEXTS.length]!);
  const vectors = await embed(many);
  assert.equal(vectors.length, 70);
  vectors.forEach((vector, i) => assert.deepEqual(vector, vectors[i % TEXTS.length]));
});

test("a text that cannot be read is refused by number", async () => {
  await assert.rejects(embed([TEXTS[0]!, new Uint32Array(17)]), {
    name: "RangeError",
    message: "Cannot embed text 1: it must have 1 to 16 tokens, got 17",
  });
  await assert.rejects(embed([new Uint32Array()]), { name: "RangeError", message: /got 0$/ });
  await assert.rejects(embed(TEXTS, { layer: 3 }), {
    name: "RangeError",
    message: "Cannot run a model: layer must be an integer from 0 to 2, got 3",
  });
});
