import { embedding } from "../../engine/ops/embedding.ts";
import { TokenInput } from "../../engine/segments.ts";
import { bytesOf } from "../../engine/tensor.ts";
import type { KernelCase, Scale } from "./kernel_case.ts";
import { CAREER, GPT2_124M, type ModelShape, SMOLLM2_135M } from "./models.ts";

const SIZES = {
  small: { numTokens: 128, maxVocab: 4096 },
  full: { numTokens: 8192, maxVocab: Infinity },
} as const;

/** Lookup of rows, and the sum of their gradients into the table. */
export function embeddingCases(scale: Scale): KernelCase[] {
  return [CAREER, GPT2_124M, SMOLLM2_135M].map((model) => embeddingCase(model, scale));
}

function embeddingCase({ name, config }: ModelShape, scale: Scale): KernelCase {
  const { numTokens, maxVocab } = SIZES[scale];
  const { dModel } = config;
  const vocabSize = Math.min(config.vocabSize, maxVocab);
  const rows = bytesOf({ shape: [numTokens, dModel], dtype: "f32" });
  return {
    id: `embedding forward+backward f32 ${name} ${numTokens} of ${vocabSize}x${dModel}`,
    group: "embedding",
    shape: `${numTokens} of [${vocabSize}, ${dModel}]`,
    dtype: "f32",
    needsFloat16: false,
    isQuick: config === GPT2_124M.config,
    flops: numTokens * dModel,
    // Forward reads and writes the rows; backward reads dy, and reads and writes what it adds to.
    bytes: 5 * rows,
    record: (tape, make) => {
      const table = make.parameter("table", [vocabSize, dModel]);
      const tokens = make.own(new TokenInput(make.gpu, { numTokens, vocabSize }));
      const ids = make.indices(numTokens, vocabSize);
      tokens.write(ids);
      const y = embedding(tape, table.tensor, tokens);
      const dy = make.tensor("dy", y.shape);
      tape.backward(y, dy.tensor);
      const sumOf = (index: number) => {
        const [id, i] = [Math.floor(index / dModel), index % dModel];
        let [value, magnitude] = [0, 0];
        ids.forEach((token, t) => {
          if (token !== id) return;
          value += dy.values[t * dModel + i]!;
          magnitude += Math.abs(dy.values[t * dModel + i]!);
        });
        return { value, magnitude };
      };
      return [
        {
          name: "y",
          tensor: y,
          expected: (index) => {
            const at = ids[Math.floor(index / dModel)]! * dModel + (index % dModel);
            return { value: table.values[at]!, magnitude: 0 };
          },
        },
        { name: "dTable", tensor: table.tensor.gradient, numSamples: 400, expected: sumOf },
      ];
    },
  };
}
