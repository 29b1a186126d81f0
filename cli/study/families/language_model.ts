import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import { type Career, historyPieces, resumeTitles } from "../../../data/mod.ts";
import { withPieces } from "../../../model/occupation/history.ts";
import { DEFAULT_LORA } from "../../../model/lora/config.ts";
import { createReadStream, existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { CliError, EXIT } from "../../platform/errors.ts";
import { openBaseModel } from "../../run/base_model.ts";
import { countWeights } from "../../../model/transformer/weight_shapes.ts";
import { openDevice } from "../../run/device.ts";
import { writePrepared } from "../../run/prepare.ts";
import { PREPARE_FILE } from "../../run/prepared.ts";
import { SIZES, sizes } from "../../run/sizes.ts";
import { train, type TrainRequest } from "../../run/train.ts";
import { createLanguageModel, openTrainedModel } from "../../run/trained_model.ts";
import { personOf, resumeOptions, type Wording } from "../../../data/wording.ts";
import type { Family, FitReport, FitTask, OpenedModel, OpenTask } from "../family.ts";

const count = () => z.int().min(1);
const share = () => z.number().min(0).max(1);

/** How a language model learns; names as `tenure train` has them. */
const TRAINING = z
  .strictObject({
    epochs: z.number().positive().default(4),
    max_steps: count().optional(),
    seq_len: count().default(512),
    batch_tokens: count().default(1024),
    gradient_accumulation_steps: count().default(1),
    learning_rate: z.number().positive().optional(),
    decay: z.enum(["cosine", "linear", "constant"]).default("cosine"),
    warmup_ratio: share().default(0.05),
    final_share: share().default(0.05),
    weight_decay: z.number().min(0).default(0.1),
    max_grad_norm: z.number().positive().default(1),
    title_weight: z.number().min(0).default(1),
    other_weight: z.number().min(0).default(0.1),
    patience: z.int().min(0).default(0),
    dtype: z.enum(["f32", "f16"]).default("f32"),
    checkpoint_activations: z.boolean().default(false),
  })
  .prefault({});

const SCHEMA = z.strictObject({
  /** Sizes of a new model. */
  size: z.enum(["tiny", "small", "base"]).default("small"),
  d_model: count().optional(),
  d_hidden: count().optional(),
  num_blocks: count().optional(),
  num_heads: count().optional(),
  dropout: z.number().min(0).max(0.99).optional(),
  /** Somebody's model to fine-tune, in place of a new one. */
  model: z.string().min(1).optional(),
  lora_r: count().optional(),
  lora_alpha: z.number().positive().optional(),
  base_dtype: z.enum(["f32", "f16", "bf16", "int8", "int4"]).default("f32"),
  birth_year: z.boolean().default(true),
  titles: z.enum(["authentic", "numeric"]).default("authentic"),
  vocab_size: count().optional(),
  /** Asks with so many latest years alone, where a context is too short for all. */
  last_rows: count().optional(),
  training: TRAINING,
  tolerance: share().default(0.01),
});

/** Settings of a language model in a study. */
export type LanguageModelSpec = z.output<typeof SCHEMA>;

type Task = FitTask<LanguageModelSpec>;

/** Highest learning rates unless told otherwise: small steps keep what a model knows. */
const LEARNING_RATES = { new: 3e-3, tuned: 1e-3, whole: 2e-5, adapters: 2e-4 } as const;

/** Language models that learn from resumes: new ones, others' fine-tuned, whole or by adapters. */
export const languageModelFamily: Family<typeof SCHEMA> = {
  name: "language-model",
  schema: SCHEMA,
  canPretrain: true,
  fitSettings: ({ tolerance: _tolerance, last_rows: _lastRows, ...fitting }) => fitting,
  fingerprint: async ({ model }, studyFolder) =>
    model === undefined ? "" : (await openBaseModel(resolveModel(model, studyFolder))).fingerprint,
  fit: fitLanguageModel,
  open: openFitted,
};

/** Folder of the run, as `tenure eval` and `tenure predict` take it. */
function runFolderOf({ folder }: Pick<Task, "folder">): string {
  return join(folder, "run");
}

async function fitLanguageModel(task: Task): Promise<FitReport> {
  const { spec, cohort, seed, signal, progress, device } = task;
  const dataFolder = join(task.folder, "data");
  const wording = wordingOf(task);
  if (!existsSync(join(dataFolder, PREPARE_FILE))) {
    await mkdir(dataFolder, { recursive: true });
    await writePrepared(dataFolder, {
      seed,
      wording,
      ...(spec.vocab_size !== undefined && { vocabSize: spec.vocab_size }),
      parts: { train: cohort.train, valid: cohort.valid, test: [] },
      origin: { study: task.name },
    });
  }
  const runFolder = runFolderOf(task);
  const pretrained = pretrainedOf(task);
  const outcome = await train({
    dataFolder,
    runFolder,
    settings: settingsOf(task),
    ...(pretrained !== undefined && { pretrained }),
    saveSteps: 0,
    saveTotalLimit: 1,
    progress,
    device,
    signal,
  });
  if (outcome.reason === "interrupted") {
    throw new CliError(EXIT.retry, "Interrupted; the same command goes on from here");
  }
  const { stored, adapter } = await openTrainedModel(runFolder);
  const numTotalParameters = countWeights(stored.config);
  const numFitted = [...(adapter?.values.values() ?? [])].reduce(
    (sum, { length }) => sum + length,
    0,
  );
  return {
    numParameters: adapter === undefined ? numTotalParameters : numFitted,
    numTotalParameters,
    curve: await curveOf(runFolder),
    details: { steps: outcome.step, vocabulary: stored.config.vocabSize },
  };
}

async function openFitted(task: OpenTask<LanguageModelSpec>): Promise<OpenedModel> {
  const trained = await openTrainedModel(runFolderOf(task));
  const { gpu } = await openDevice("auto", task.device);
  try {
    const { tolerance, last_rows: rows } = task.spec;
    const model = await createLanguageModel(gpu, trained, { name: task.name, tolerance });
    const { tokenizer, wording } = trained;
    const person = (career: Career) => personOf(career, tokenizer, wording);
    const cut = rows === undefined ? undefined : (career: Career) => historyPieces(career, rows);
    return {
      model: cut === undefined ? model : withPieces(model, { cut, toPerson: person }),
      person,
      language: {
        gpu,
        transformer: model.transformer,
        tokenizer,
        prompt: (career, index) => {
          const begin = Math.max(0, index - (rows ?? index));
          const observations = career.observations.slice(begin, index + 1);
          const { tokens, titles } = person({ ...career, observations }).resume;
          return tokens.subarray(0, titles.at(-1)!.start);
        },
        titles: resumeTitles(resumeOptions(wording)),
      },
      close() {
        model.destroy();
        gpu.destroy();
      },
    };
  } catch (error) {
    gpu.destroy();
    throw error;
  }
}

/** Numeric titles mean the same in every fit of a study. */
const TITLE_SEED = 1;

/** Careers carry the names of their surveys. */
function wordingOf({ spec }: Pick<Task, "spec">): Wording {
  return {
    dataset: "survey",
    birthYear: spec.birth_year,
    titles: spec.titles,
    titleSeed: TITLE_SEED,
    lastRows: 0,
  };
}

function pretrainedOf({ spec, base, studyFolder }: Task): TrainRequest["pretrained"] {
  const { model, lora_r: rank, lora_alpha: alpha, base_dtype: baseDtype, dropout } = spec;
  const path =
    base !== undefined
      ? runFolderOf(base)
      : model !== undefined
        ? resolveModel(model, studyFolder)
        : undefined;
  if (path === undefined) return undefined;
  return {
    path,
    ...(dropout !== undefined && { dropout }),
    ...(rank !== undefined && {
      lora: { ...DEFAULT_LORA, rank, alpha: alpha ?? 2 * rank },
      ...(baseDtype !== "f32" && { baseDtype }),
    }),
  };
}

/** A path from the study's folder where there is one; otherwise a name in the cache, or a URL. */
export function resolveModel(model: string, studyFolder: string): string {
  const path = resolve(studyFolder, model);
  return existsSync(path) ? path : model;
}

function settingsOf(task: Task): TrainRequest["settings"] {
  const { spec, seed } = task;
  const { training } = spec;
  const isAdapted = spec.lora_r !== undefined;
  const isTuned = task.base !== undefined;
  const usual = isAdapted
    ? LEARNING_RATES.adapters
    : isTuned
      ? LEARNING_RATES.tuned
      : spec.model === undefined
        ? LEARNING_RATES.new
        : LEARNING_RATES.whole;
  const preset = SIZES[spec.size];
  const { max_steps: maxSteps } = training;
  return {
    model: sizes({
      dModel: spec.d_model ?? preset.dModel,
      dHidden: spec.d_hidden ?? preset.dHidden,
      numBlocks: spec.num_blocks ?? preset.numBlocks,
      numHeads: spec.num_heads ?? preset.numHeads,
      ...(spec.dropout !== undefined && { dropout: spec.dropout }),
    }),
    batch: {
      seqLen: training.seq_len,
      numRows: Math.max(1, Math.floor(training.batch_tokens / training.seq_len)),
      accumulation: training.gradient_accumulation_steps,
      titleWeight: training.title_weight,
      otherWeight: training.other_weight,
    },
    optimizer: {
      learningRate: training.learning_rate ?? usual,
      warmupRatio: training.warmup_ratio,
      decay: training.decay,
      finalShare: training.final_share,
      weightDecay: training.weight_decay,
      beta1: 0.9,
      beta2: 0.98,
      eps: 1e-8,
      maxGradNorm: training.max_grad_norm,
    },
    validation: { evalSteps: 0, patience: training.patience },
    length:
      maxSteps === undefined
        ? { unit: "epochs", count: training.epochs }
        : { unit: "steps", count: maxSteps },
    seed,
    kernels: "auto",
    ...(training.dtype === "f16" && { dtype: "f16" }),
    ...(training.checkpoint_activations && { checkpoint: true }),
  };
}

/** Perplexity of the validation people by step, as the run's log tells it. */
async function curveOf(runFolder: string): Promise<NonNullable<FitReport["curve"]>> {
  const curve: { step: number; perplexity: number }[] = [];
  const lines = createInterface({ input: createReadStream(join(runFolder, "log.jsonl")) });
  for await (const line of lines) {
    const event = JSON.parse(line) as { type: string; step: number; loss: number };
    if (event.type !== "validation") continue;
    curve.push({ step: event.step, perplexity: Math.exp(event.loss) });
  }
  return curve;
}
