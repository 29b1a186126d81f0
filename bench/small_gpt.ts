import type { Batch } from "../data/batch.ts";
import type { ModelConfig } from "../model/transformer/config.ts";

/**
 * The training step that engines are compared on: a GPT of 0.9M parameters whose weights and data
 * come from a formula, so that every engine starts from the same bits.
 *
 * Width 128, 4 blocks of 4 heads, SiLU MLP of 512, RMSNorm, learned positions, untied output,
 * vocabulary 512; 8 rows of 128 tokens; AdamW at 1e-3 with decay 0.01 on every weight, no clipping.
 */
export const SMALL_GPT: ModelConfig = {
  vocabSize: 512,
  dModel: 128,
  dHidden: 512,
  numBlocks: 4,
  numHeads: 4,
  numKvHeads: 4,
  headDim: 32,
  maxSeqLen: 128,
  norm: "rmsNorm",
  eps: 1e-5,
  position: "learned",
  theta: 10_000,
  rotaryLayout: "half",
  mlp: "silu",
  ropeScaling: null,
  qkNorm: false,
  slidingWindow: null,
  bias: "none",
  tieEmbeddings: false,
  dropout: 0,
};

/** Rows and tokens of its batch. */
export const SMALL_GPT_BATCH = { numRows: 8, seqLen: 128 } as const;

/** Its optimizer, for `TrainingStep`. */
export const SMALL_GPT_OPTIMIZER = {
  weightDecay: 0.01,
  decays: () => true,
  beta1: 0.9,
  beta2: 0.999,
  eps: 1e-8,
  maxGradNorm: Infinity,
} as const;

export const SMALL_GPT_LEARNING_RATE = 1e-3;

/** Losses of its first six steps, computed in float64. */
export const SMALL_GPT_LOSSES: readonly number[] = [
  6.354217827262555, 6.1612888675639805, 5.972953147200519, 5.786943471344295, 5.642550057906447,
  5.480365480315973,
];

/** Uniform numbers in [0, 1) of 24 bits: a linear congruential generator (Numerical Recipes). */
function congruential(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) / 2 ** 24;
  };
}

function drawn(length: number, seed: number, scale: number): Float32Array<ArrayBuffer> {
  const next = congruential(seed);
  return Float32Array.from({ length }, () => (next() - 0.5) * 2 * scale);
}

/** Columns `[begin, end)` of a `[rows, columns]` matrix, transposed. */
function transposed(
  matrix: Float32Array,
  columns: number,
  { begin, end }: { readonly begin: number; readonly end: number },
): Float32Array<ArrayBuffer> {
  const rows = matrix.length / columns;
  return Float32Array.from(
    { length: rows * (end - begin) },
    (_, i) => matrix[(i % rows) * columns + begin + Math.floor(i / rows)]!,
  );
}

/** Initial weights by name, for `Transformer.create`. */
export function smallGptWeights(): Map<string, Float32Array<ArrayBuffer>> {
  const { vocabSize, dModel, dHidden, numBlocks, maxSeqLen } = SMALL_GPT;
  const ones = () => new Float32Array(dModel).fill(1);
  const values = new Map([
    ["model.embed_tokens.weight", drawn(vocabSize * dModel, 1001, 0.05)],
    ["model.embed_positions.weight", drawn(maxSeqLen * dModel, 1002, 0.05)],
    ["model.norm.weight", ones()],
  ]);
  // The formula fills [dIn, dOut] matrices; ours are [dOut, dIn].
  const set = (name: string, { matrix, columns }: { matrix: Float32Array; columns: number }) =>
    values.set(name, transposed(matrix, columns, { begin: 0, end: columns }));
  for (let block = 0; block < numBlocks; block++) {
    const name = `model.layers.${block}`;
    values.set(`${name}.input_layernorm.weight`, ones());
    values.set(`${name}.post_attention_layernorm.weight`, ones());
    const qkv = drawn(dModel * 3 * dModel, 2000 + block, 0.08);
    ["q", "k", "v"].forEach((which, index) => {
      const columns = { begin: index * dModel, end: (index + 1) * dModel };
      values.set(`${name}.self_attn.${which}_proj.weight`, transposed(qkv, 3 * dModel, columns));
    });
    const output = drawn(dModel * dModel, 2100 + block, 0.08);
    set(`${name}.self_attn.o_proj.weight`, { matrix: output, columns: dModel });
    const up = drawn(dModel * dHidden, 2200 + block, 0.08);
    set(`${name}.mlp.up_proj.weight`, { matrix: up, columns: dHidden });
    const down = drawn(dHidden * dModel, 2300 + block, 0.04);
    set(`${name}.mlp.down_proj.weight`, { matrix: down, columns: dModel });
  }
  set("lm_head.weight", { matrix: drawn(dModel * vocabSize, 1003, 0.08), columns: vocabSize });
  return values;
}

/** The one batch that every step sees: random tokens, each row predicting its next. */
export function smallGptBatch(): Batch {
  const { numRows, seqLen } = SMALL_GPT_BATCH;
  const { vocabSize } = SMALL_GPT;
  const numTokens = numRows * seqLen;
  const next = congruential(99);
  const tokens = new Uint32Array(numTokens);
  const targets = new Uint32Array(numTokens);
  for (let row = 0; row < numRows; row++) {
    let previous = Math.floor(next() * vocabSize);
    for (let t = row * seqLen; t < (row + 1) * seqLen; t++) {
      tokens[t] = previous;
      previous = targets[t] = Math.floor(next() * vocabSize);
    }
  }
  return {
    label: "small GPT",
    numRows,
    seqLen,
    tokens,
    targets,
    weights: new Float32Array(numTokens).fill(1),
    positions: Uint32Array.from({ length: numTokens }, (_, i) => i % seqLen),
    starts: new Uint32Array(numTokens),
    ends: new Uint32Array(numTokens).fill(seqLen),
  };
}
