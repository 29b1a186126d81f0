import { join } from "node:path";
import { z } from "zod";
import { NUM_OCCUPATIONS } from "../../../data/mod.ts";
import { CAREER_CONFIG, type CareerConfig } from "../../../model/career/config.ts";
import type { OpenTask } from "../family.ts";

const count = () => z.int().min(1);

/** Settings of a CAREER model in a study; defaults are the paper's. */
export const CAREER_SCHEMA = z.strictObject({
  num_blocks: count().default(CAREER_CONFIG.numBlocks),
  d_model: count().default(CAREER_CONFIG.dModel),
  d_hidden: count().default(CAREER_CONFIG.dHidden),
  num_heads: count().default(CAREER_CONFIG.numHeads),
  dropout: z.number().min(0).max(0.99).default(CAREER_CONFIG.dropout),
  /** Whether the year of birth is told. */
  birth_year: z.boolean().default(CAREER_CONFIG.birthYear),
  /** Most passes over the people; validation may end a fit before. */
  epochs: z.number().positive().default(100),
  /** Steps, in place of epochs. */
  max_steps: count().optional(),
  /** Person-years of a step; at most those of an epoch. */
  batch_size: count().default(16_000),
  /** Person-years that are computed at a time; gradients of a step add up. */
  micro_batch_size: count().default(2048),
  /** Highest rate: 5e-4 for a new model, 1e-4 for one that goes on from another, unless told. */
  learning_rate: z.number().positive().optional(),
  /** 4,000 for a new model, 500 for one that goes on, but at most a tenth of all steps, unless told. */
  warmup_steps: z.int().min(0).optional(),
  schedule: z.enum(["inverse-sqrt", "linear", "cosine", "constant"]).default("inverse-sqrt"),
  weight_decay: z.number().min(0).default(0.01),
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.98),
  max_grad_norm: z.number().positive().default(1),
  /** Steps between validations; 0 for once an epoch. */
  eval_every: z.int().min(0).default(0),
  /** Validations without a new best after which a fit ends. */
  patience: count().default(5),
});

/** Settings of a CAREER model in a study. */
export type CareerSpec = z.output<typeof CAREER_SCHEMA>;

/** Folder of the finished model. */
export function careerFolderOf({ folder }: Pick<OpenTask<CareerSpec>, "folder">): string {
  return join(folder, "model");
}

/** Sizes of a model by its settings. */
export function careerConfigOf(spec: CareerSpec): CareerConfig {
  return {
    ...CAREER_CONFIG,
    numOccupations: NUM_OCCUPATIONS,
    numBlocks: spec.num_blocks,
    dModel: spec.d_model,
    dHidden: spec.d_hidden,
    numHeads: spec.num_heads,
    dropout: spec.dropout,
    birthYear: spec.birth_year,
  };
}
