import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import {
  type Career,
  encodeResume,
  historyPieces,
  NUM_OCCUPATIONS,
  Random,
} from "../../../data/mod.ts";
import type { Gpu } from "../../../engine/gpu.ts";
import { fileOf } from "../../../model/checkpoint/exported_file.ts";
import { encodeJson } from "../../../model/checkpoint/strict_json.ts";
import {
  embeddingFiles,
  readEmbeddingLogit,
} from "../../../model/embedding_logit/embedding_files.ts";
import { EmbeddingLogit } from "../../../model/embedding_logit/embedding_model.ts";
import {
  embedPeople,
  fitEmbeddingLogit,
  type EmbeddedObservations,
} from "../../../model/embedding_logit/fit_embedding.ts";
import { PromptStates } from "../../../model/embedding_logit/prompt_states.ts";
import { withPieces } from "../../../model/occupation/history.ts";
import type { Person } from "../../../model/occupation/occupation_model.ts";
import { tokenizerOfModel } from "../../../model/pretrained/load_pretrained.ts";
import { loadTransformer } from "../../../model/pretrained/load_transformer.ts";
import type { Transformer } from "../../../model/transformer/transformer.ts";
import { isCheckpointFolder, saveCheckpoint } from "../../platform/checkpoints.ts";
import { CliError, EXIT, failingAs } from "../../platform/errors.ts";
import { folderFiles, withPath } from "../../platform/file_source.ts";
import { openModelPath } from "../../platform/model_folder.ts";
import { fingerprintOf } from "../../run/base_model.ts";
import { openDevice } from "../../run/device.ts";
import { Rate } from "../../run/rate.ts";
import type { Family, FitReport, FitTask, OpenedModel, OpenTask } from "../family.ts";
import { countedPerson } from "./empirical.ts";
import { FIT_FILE, readFit } from "./fit_file.ts";
import { languageModelFamily, resolveModel } from "./language_model.ts";
import { detailsOf, FITTED_FOLDER, PENALTY_SETTINGS, searchOf } from "./logit.ts";

const count = () => z.int().min(1);

const SCHEMA = z
  .strictObject({
    /** A model's folder or file, from the study's folder, or its name in the cache. */
    model: z.string().min(1).optional(),
    /** A tokenizer in place of the model's own. */
    tokenizer: z.string().min(1).optional(),
    /** In place of `model`: settings of one that first learns from the same people. */
    language_model: languageModelFamily.schema.optional(),
    /** How the weights of `model` are held. */
    dtype: z.enum(["f32", "f16", "bf16", "int8", "int4"]).default("f32"),
    /** The state of the prompt's last token, or the mean over the prompt. */
    pooling: z.enum(["last", "mean"]).default("last"),
    /** Numbers of principal components, of which validation chooses one. */
    components: z
      .array(z.union([count(), z.literal("full")]))
      .min(1)
      .default([16, 64, 256, "full"]),
    ...PENALTY_SETTINGS,
    birth_year: z.boolean().default(true),
    /** Tells so many latest years alone, where a context is too short for all. */
    last_rows: count().optional(),
    /** People to fit on, drawn by the seed, and to validate on; all of them where absent. */
    people: count().optional(),
    valid_people: count().optional(),
  })
  .refine(
    (spec) => (spec.model === undefined) !== (spec.language_model === undefined),
    "either model or language_model must be given, and not both",
  );

/** Settings of a logit on embeddings in a study. */
export type EmbeddingLogitSpec = z.output<typeof SCHEMA>;

type Task = OpenTask<EmbeddingLogitSpec>;

/**
 * Multinomial logit on hidden states of a language model. An interrupted fit of the logit begins
 * anew, that of a language model of its own goes on.
 */
export const embeddingLogitFamily: Family<typeof SCHEMA> = {
  name: "embedding-logit",
  schema: SCHEMA,
  canPretrain: false,
  fingerprint: async ({ model, tokenizer, language_model: own }, studyFolder) => {
    if (own !== undefined) return (await languageModelFamily.fingerprint?.(own, studyFolder)) ?? "";
    return fingerprintOf(await openStored({ model: model!, tokenizer, studyFolder }));
  },
  async fit(task) {
    const path = join(task.folder, FITTED_FOLDER);
    if (await isCheckpointFolder(path)) return readFit(path);
    return fit(task);
  },
  open,
};

async function fit(task: FitTask<EmbeddingLogitSpec>): Promise<FitReport> {
  const { spec, cohort, seed, folder, progress } = task;
  const own = languageTaskOf(task);
  if (own !== undefined) {
    await mkdir(own.folder, { recursive: true });
    await languageModelFamily.fit({ ...own, seed });
  }
  const source = await openSource(task);
  const { gpu, states } = source;
  try {
    const train = Random.from(seed, "embedded people").shuffle(cohort.train);
    const embed = (careers: readonly Career[], what: string) =>
      failingAs(EXIT.data, () => embedded(source, careers, { task, what }));
    const people = train.slice(0, spec.people);
    const data = {
      train: await embed(people, "people"),
      valid: await embed(cohort.valid.slice(0, spec.valid_people), "validation people"),
    };
    let numComponents = 0;
    const search = searchOf(task, () => `${task.name}, ${numComponents} components`);
    const fitted = await fitEmbeddingLogit(gpu, data, {
      ...search,
      numOccupations: NUM_OCCUPATIONS,
      components: spec.components,
      onComponents: (number) => (numComponents = number),
    });
    progress.clear();
    const { weights, best, trials, perplexities } = fitted;
    const report = {
      // A language model of its own has learned from all.
      ...(own === undefined && {
        learnedFrom: { numPeople: people.length, numObservations: data.train.targets.length },
      }),
      numParameters: NUM_OCCUPATIONS * (1 + fitted.numComponents),
      numTotalParameters: NUM_OCCUPATIONS * (1 + weights.dModel) + source.transformer.numParameters,
      details: {
        components: fitted.numComponents,
        ...detailsOf(
          best,
          trials.filter((trial) => trial === best),
        ),
        ...Object.fromEntries(
          Array.from(perplexities, ([number, perplexity]) => [
            `valid_perplexity_of_${number}_components`,
            perplexity,
          ]),
        ),
      },
    };
    const file = fileOf(FIT_FILE, encodeJson(report, FIT_FILE));
    await saveCheckpoint(folder, FITTED_FOLDER, [...embeddingFiles(weights), file]);
    return report;
  } finally {
    states.destroy();
    gpu.destroy();
  }
}

async function open(task: Task): Promise<OpenedModel> {
  const path = join(task.folder, FITTED_FOLDER);
  const weights = await withPath(path, () => readEmbeddingLogit(folderFiles(path)));
  const source = await openSource(task);
  const { gpu, states } = source;
  const close = () => {
    states.destroy();
    gpu.destroy();
  };
  try {
    const model = new EmbeddingLogit(states, weights, { name: task.name });
    const { person: toPerson } = source;
    const { last_rows: rows } = task.spec;
    if (rows === undefined) return { model, person: toPerson, close };
    const cut = (career: Career) => historyPieces(career, rows);
    return { model: withPieces(model, { cut, toPerson }), person: countedPerson, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** A language model on its device, and how it is told of careers. */
interface Source {
  readonly gpu: Gpu;
  readonly transformer: Transformer;
  readonly states: PromptStates;
  /** A career as its resume tells it. */
  readonly person: (career: Career) => Person;
}

/** States of all observations of people, in stretches where only the latest years are told. */
async function embedded(
  source: Source,
  careers: readonly Career[],
  { task, what }: { readonly task: Task; readonly what: string },
): Promise<EmbeddedObservations> {
  const { spec, name, progress, signal } = task;
  const { last_rows: rows } = spec;
  const people = careers.flatMap((career) =>
    rows === undefined
      ? [source.person(career)]
      : historyPieces(career, rows).map(({ career: stretch, askedFrom }) => ({
          ...source.person(stretch),
          askedFrom,
        })),
  );
  const rate = new Rate(people.length, rows === undefined ? what : `stretches of ${what}`);
  return embedPeople(source.states, people, () => {
    signal.throwIfAborted();
    rate.add(1);
    progress.update(() => `${name}: reading ${rate.text()}`);
  });
}

/** The fit of a language model of its own, beside the logit. */
function languageTaskOf(task: Task) {
  const { spec, folder } = task;
  if (spec.language_model === undefined) return undefined;
  const { cohort, studyFolder, progress, device, signal } = task;
  return {
    name: `${task.name}, language model`,
    spec: spec.language_model,
    folder: join(folder, "language-model"),
    cohort,
    studyFolder,
    progress,
    device,
    signal,
  };
}

async function openSource(task: Task): Promise<Source> {
  const { spec, studyFolder, signal } = task;
  const options = { pooling: spec.pooling };
  const own = languageTaskOf(task);
  if (own !== undefined) {
    const { language, person } = await languageModelFamily.open(own);
    if (language === undefined) {
      throw new CliError(
        EXIT.checkpoint,
        `Cannot embed: "${own.folder}" must hold a language model`,
      );
    }
    const { gpu, transformer } = language;
    return { gpu, transformer, states: new PromptStates(gpu, transformer, options), person };
  }
  const stored = await openStored({ model: spec.model!, tokenizer: spec.tokenizer, studyFolder });
  const tokenizer = await failingAs(EXIT.checkpoint, () => tokenizerOfModel(stored));
  const { gpu } = await openDevice("auto", task.device);
  try {
    const transformer = await failingAs(EXIT.device, () =>
      loadTransformer(gpu, stored, { dtype: spec.dtype, signal }),
    );
    const states = new PromptStates(gpu, transformer, options);
    const wording = { dataset: "survey", birthYear: spec.birth_year };
    const person = (career: Career) => ({
      ...countedPerson(career),
      resume: encodeResume(career, tokenizer, wording),
    });
    return { gpu, transformer, states, person };
  } catch (error) {
    gpu.destroy();
    throw error;
  }
}

function openStored({
  model,
  tokenizer,
  studyFolder,
}: {
  readonly model: string;
  readonly tokenizer: string | undefined;
  readonly studyFolder: string;
}) {
  return openModelPath(resolveModel(model, studyFolder), {
    ...(tokenizer !== undefined && { tokenizer: resolve(studyFolder, tokenizer) }),
  });
}
