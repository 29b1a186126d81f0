import assert from "node:assert/strict";
import { after, test } from "node:test";
import { loadPretrained } from "../../model/pretrained/load_pretrained.ts";
import { openGpu } from "../support.ts";
import { missing, openStories } from "./stories.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

const sum = (scores: Float32Array) => scores.reduce((total, score) => total + score, 0);

test(
  "text that goes on is cut without the space that begins a text",
  { skip: missing },
  async () => {
    const model = await loadPretrained(await openStories(), { gpu });
    const text = "Once upon a";
    const asText = await model.score(text, [" time", "n apple"]);
    const asTokens = await model.score(model.encode(text), [" time", "n apple"]);
    assert.deepEqual(asTokens[0], asText[0]);
    assert.ok(sum(asText[0]!) > -0.1, "the model knows how stories begin");
    const { tokenizer } = model;
    // A prefix that ends in a space leaves none for the continuation.
    const { prefix, continuations } = model.encodeContinuations({
      prefix: "Once upon a ",
      continuations: ["time"],
    });
    assert.equal(
      tokenizer.decode([...prefix, ...continuations[0]!]).trimStart(),
      "<s> Once upon a time",
    );
    model.destroy();
  },
);
