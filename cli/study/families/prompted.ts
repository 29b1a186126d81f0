import { join, resolve } from "node:path";
import { z } from "zod";
import {
  type Career,
  careerToJson,
  encodePromptContext,
  encodeResume,
  historyPieces,
  Random,
  type ResumeOptions,
  resumeTitles,
  titleTokens,
  type Tokenizer,
} from "../../../data/mod.ts";
import type { Gpu } from "../../../engine/gpu.ts";
import type { StoredModel } from "../../../model/checkpoint/stored_model.ts";
import { withPieces } from "../../../model/occupation/history.ts";
import { LanguageModel } from "../../../model/occupation/language_model.ts";
import type { Person } from "../../../model/occupation/occupation_model.ts";
import { tokenizerOfModel } from "../../../model/pretrained/load_pretrained.ts";
import { loadTransformer } from "../../../model/pretrained/load_transformer.ts";
import type { Transformer } from "../../../model/transformer/transformer.ts";
import { CliError, EXIT, failingAs } from "../../platform/errors.ts";
import { writeAtomically } from "../../platform/files.ts";
import { openModelPath } from "../../platform/model_folder.ts";
import { readCareersFile } from "../../run/careers_file.ts";
import { openDevice } from "../../run/device.ts";
import type { Family, FitReport, FitTask, OpenedModel, OpenTask } from "../family.ts";
import { countedPerson } from "./empirical.ts";
import { resolveModel } from "./language_model.ts";

const rows = () => z.int().min(1);

const SCHEMA = z.strictObject({
  /** A model's folder or file, from the study's folder, or its name in the cache. */
  model: z.string().min(1),
  /** A tokenizer in place of the model's own. */
  tokenizer: z.string().min(1).optional(),
  /** How weights are held. */
  dtype: z.enum(["f32", "f16", "bf16", "int8", "int4"]).default("f32"),
  /** Whether all titles are listed before the resume. */
  titles: z.boolean().default(false),
  /** Example resumes of people to learn from before the resume, drawn by the seed. */
  resumes: z.int().min(0).default(0),
  /** Latest years of the resume in question that are told; all where absent. */
  last_rows: rows().optional(),
  /** Latest years of each example; as `last_rows` where absent. */
  example_rows: rows().optional(),
  birth_year: z.boolean().default(true),
  /** Share of the titles' mass that pruning may leave; 0 computes all titles. */
  tolerance: z.number().min(0).max(1).default(0.01),
});

/** Settings of a language model as it is, in a study. */
export type PromptedSpec = z.output<typeof SCHEMA>;

type Task = OpenTask<PromptedSpec>;

const EXAMPLES_FILE = "examples.jsonl";

/**
 * Language models off the shelf, with or without help in their context. Nothing is learned: to fit
 * is to choose the example resumes.
 */
export const promptedFamily: Family<typeof SCHEMA> = {
  name: "prompted",
  schema: SCHEMA,
  canPretrain: false,
  fit: chooseExamples,
  open: openPrompted,
};

async function chooseExamples(task: FitTask<PromptedSpec>): Promise<FitReport> {
  const { spec, cohort, seed, folder } = task;
  if (cohort.train.length < spec.resumes) {
    throw new CliError(
      EXIT.usage,
      `Cannot show ${spec.resumes} example resumes: there must be as many people to learn from, got ${cohort.train.length}; lower resumes`,
    );
  }
  const shuffled = Random.from(seed, "example resumes").shuffle(cohort.train);
  const examples = shuffled.slice(0, spec.resumes);
  const { stored, tokenizer } = await openStored(task);
  const prompts = await failingAs(EXIT.data, () => new Prompts(task, tokenizer, examples));
  prompts.checkRoom(stored.config.maxSeqLen);
  const lines = examples.map((career) => `${careerToJson(career)}\n`);
  await writeAtomically(join(folder, EXAMPLES_FILE), lines.join(""));
  return { details: { examples: examples.length, contextTokens: prompts.context.length } };
}

async function openPrompted(task: Task): Promise<OpenedModel> {
  const { spec, device, signal } = task;
  const path = join(task.folder, EXAMPLES_FILE);
  const examples = spec.resumes === 0 ? [] : await readCareersFile(path);
  const { stored, tokenizer } = await openStored(task);
  const prompts = await failingAs(EXIT.data, () => new Prompts(task, tokenizer, examples));
  prompts.checkRoom(stored.config.maxSeqLen);
  const { gpu } = await openDevice("auto", device);
  try {
    const transformer = await failingAs(EXIT.device, () =>
      loadTransformer(gpu, stored, { dtype: spec.dtype, signal }),
    );
    return putBehind(prompts, { gpu, transformer, name: task.name });
  } catch (error) {
    gpu.destroy();
    throw error;
  }
}

/** The model as it is asked, on its device. */
function putBehind(
  prompts: Prompts,
  {
    gpu,
    transformer,
    name,
  }: { readonly gpu: Gpu; readonly transformer: Transformer; readonly name: string },
): OpenedModel {
  const { context, tokenizer, wording, spec } = prompts;
  const language = new LanguageModel(gpu, transformer, {
    titles: titleTokens(tokenizer, wording),
    name,
    tolerance: spec.tolerance,
    context,
  });
  const { last_rows: lastRows } = spec;
  const toPerson = (career: Career): Person => prompts.person(career);
  const cut = (career: Career) => historyPieces(career, lastRows!);
  return {
    model: lastRows === undefined ? language : withPieces(language, { cut, toPerson }),
    person: lastRows === undefined ? toPerson : countedPerson, // stretches become text one by one
    language: {
      gpu,
      transformer,
      tokenizer,
      prompt: (career, index) => prompts.prompt(career, index),
      titles: resumeTitles(wording),
    },
    close() {
      language.destroy();
      gpu.destroy();
    },
  };
}

/** Longest careers that are tried before a model is asked about any. */
const TRIED = 100;

/** What a model reads. */
class Prompts {
  readonly spec: PromptedSpec;
  readonly tokenizer: Tokenizer;
  readonly wording: ResumeOptions;
  /** Tokens before every resume. */
  readonly context: Uint32Array;
  readonly #task: Task;

  constructor(task: Task, tokenizer: Tokenizer, examples: readonly Career[]) {
    const { birth_year: birthYear, titles: listTitles, last_rows: lastRows } = task.spec;
    const { example_rows: exampleRows = lastRows } = task.spec;
    this.#task = task;
    this.spec = task.spec;
    this.tokenizer = tokenizer;
    this.wording = { birthYear };
    this.context = encodePromptContext(
      {
        ...this.wording,
        listTitles,
        examples,
        ...(exampleRows !== undefined && { lastRows: exampleRows }),
      },
      tokenizer,
    );
  }

  /** A whole career as text. */
  person(career: Career): Person {
    const continues = this.context.length > 0;
    const resume = encodeResume(career, this.tokenizer, { ...this.wording, continues });
    return { ...countedPerson(career), resume };
  }

  /** All that is read before the title of an observation. */
  prompt(career: Career, index: number): Uint32Array {
    const { last_rows: lastRows = Infinity } = this.spec;
    const begin = Math.max(0, index - lastRows);
    const observations = career.observations.slice(begin, index + 1);
    const { tokens, titles } = this.person({ ...career, observations }).resume!;
    return Uint32Array.from([...this.context, ...tokens.subarray(0, titles.at(-1)!.start)]);
  }

  /** Tries the longest careers that are known, so that nobody waits for a refusal. */
  checkRoom(maxSeqLen: number): void {
    const people = this.#task.cohort.train
      .toSorted((a, b) => b.observations.length - a.observations.length)
      .slice(0, TRIED);
    const prompts = people.map((career) => {
      return this.prompt(career, career.observations.length - 1).length;
    });
    const title = Math.max(...titleTokens(this.tokenizer).map(({ length }) => length));
    const needed = Math.max(this.context.length, ...prompts) + title - 1;
    if (needed <= maxSeqLen) return;
    const { context, spec } = this;
    const hints = [
      ...(spec.resumes > 0 ? ["lower resumes or example_rows"] : []),
      ...(spec.titles ? ["leave out titles"] : []),
      `set ${spec.last_rows === undefined ? "" : "a smaller "}last_rows`,
    ];
    throw new CliError(
      EXIT.usage,
      `Cannot ask "${this.#task.name}": titles, examples, a resume and the title in question must fit the model's ${maxSeqLen} tokens, got ${needed} (${context.length} of titles and examples); ${hints.join(", ")}, or take a model with a longer context`,
    );
  }
}

async function openStored({ spec, studyFolder }: Task): Promise<{
  readonly stored: StoredModel;
  readonly tokenizer: Tokenizer;
}> {
  const { model, tokenizer: path } = spec;
  const stored = await openModelPath(resolveModel(model, studyFolder), {
    ...(path !== undefined && { tokenizer: resolve(studyFolder, path) }),
  });
  const tokenizer = await failingAs(EXIT.checkpoint, () => tokenizerOfModel(stored));
  return { stored, tokenizer };
}
