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
import { fingerprintOf } from "../../run/base_model.ts";
import { readCareersFile } from "../../run/careers_file.ts";
import { openDevice } from "../../run/device.ts";
import type { Family, FitReport, FitTask, OpenedModel, OpenTask } from "../family.ts";
import { countedPerson } from "./empirical.ts";
import { resolveModel } from "./language_model.ts";

const years = () => z.int().min(1);

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
  /** Latest years of the resume in question that are told at most; fewer where they do not fit. */
  last_rows: years().optional(),
  /** Latest years of each example; as `last_rows` where absent. */
  example_rows: years().optional(),
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
  learns: false,
  fingerprint: async (spec, studyFolder) =>
    fingerprintOf((await openStored({ spec, studyFolder })).stored),
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
  const stored = await openStored(task);
  const prompts = await failingAs(EXIT.data, () => new Prompts(task, stored, examples));
  // So that nobody waits for a refusal.
  const fewest = Math.min(...cohort.train.slice(0, TRIED).map((career) => prompts.rows(career)));
  const lines = examples.map((career) => `${careerToJson(career)}\n`);
  await writeAtomically(join(folder, EXAMPLES_FILE), lines.join(""));
  return {
    details: {
      examples: examples.length,
      contextTokens: prompts.context.length,
      fewestRows: Number.isFinite(fewest) ? fewest : 0,
    },
  };
}

async function openPrompted(task: Task): Promise<OpenedModel> {
  const { spec, device, signal } = task;
  const path = join(task.folder, EXAMPLES_FILE);
  const examples = spec.resumes === 0 ? [] : await readCareersFile(path);
  const source = await openStored(task);
  const prompts = await failingAs(EXIT.data, () => new Prompts(task, source, examples));
  const { gpu } = await openDevice("auto", device);
  try {
    const transformer = await failingAs(EXIT.device, () =>
      loadTransformer(gpu, source.stored, { dtype: spec.dtype, signal }),
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
  const toPerson = (career: Career): Person => prompts.person(career);
  const cut = (career: Career) => historyPieces(career, prompts.rows(career));
  return {
    model: withPieces(language, { cut, toPerson }),
    person: countedPerson, // stretches become text one by one
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

/** Careers that are tried before a model is asked about any. */
const TRIED = 100;

/** What a model reads. */
class Prompts {
  readonly spec: PromptedSpec;
  readonly tokenizer: Tokenizer;
  readonly wording: ResumeOptions;
  /** Tokens before every resume. */
  readonly context: Uint32Array;
  readonly #name: string;
  readonly #maxSeqLen: number;
  /** Tokens of the longest title. */
  readonly #longestTitle: number;

  constructor(task: Task, { stored, tokenizer }: Stored, examples: readonly Career[]) {
    const { birth_year: birthYear, titles: listTitles, last_rows: lastRows } = task.spec;
    const { example_rows: exampleRows = lastRows } = task.spec;
    this.#name = task.name;
    this.#maxSeqLen = stored.config.maxSeqLen;
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
    const titles = titleTokens(tokenizer, this.wording);
    this.#longestTitle = Math.max(...titles.map(({ length }) => length));
  }

  /** A whole career as text. */
  person(career: Career): Person {
    const continues = this.context.length > 0;
    const resume = encodeResume(career, this.tokenizer, { ...this.wording, continues });
    return { ...countedPerson(career), resume };
  }

  /** All that is read before the title of an observation. */
  prompt(career: Career, index: number): Uint32Array {
    const begin = Math.max(0, index - this.rows(career));
    const observations = career.observations.slice(begin, index + 1);
    const { tokens, titles } = this.person({ ...career, observations }).resume!;
    return Uint32Array.from([...this.context, ...tokens.subarray(0, titles.at(-1)!.start)]);
  }

  /**
   * Years told before each observation of a career: as many as fit, up to `last_rows`.
   *
   * @throws {CliError} If not even one fits, with what is needed and the remedy.
   */
  rows(career: Career): number {
    const { observations } = career;
    const most = Math.min(this.spec.last_rows ?? Infinity, Math.max(1, observations.length - 1));
    const needed = this.#needed(career);
    for (let rows = most; rows >= 1; rows--) if (needed(rows) <= this.#maxSeqLen) return rows;
    const { context, spec } = this;
    const hints = [
      ...(spec.resumes > 0 ? ["lower resumes or example_rows"] : []),
      ...(spec.titles ? ["leave out titles"] : []),
      "take a model with a longer context",
    ];
    throw new CliError(
      EXIT.usage,
      `Cannot ask "${this.#name}" about career "${career.id}": titles, examples, a resume of one year and the title in question must fit the model's ${this.#maxSeqLen} tokens, got ${needed(1)} (${context.length} of titles and examples); ${hints.join(", ")}`,
    );
  }

  /** Tokens that the longest prompt of a career takes with its title, by the years told in it. */
  #needed(career: Career): (rows: number) => number {
    const { tokens, titles } = this.person(career).resume!;
    const lineFeed = tokens[titles[0]!.end]!;
    const header = tokens.lastIndexOf(lineFeed, titles[0]!.start) + 1;
    const begins = titles.map((_, index) => (index === 0 ? header : titles[index - 1]!.end + 1));
    const fixed = this.context.length + header + this.#longestTitle - 1;
    return (rows) => {
      const lengths = titles.map(({ start }, index) => start - begins[Math.max(0, index - rows)]!);
      return fixed + Math.max(...lengths);
    };
  }
}

interface Stored {
  readonly stored: StoredModel;
  readonly tokenizer: Tokenizer;
}

async function openStored({
  spec,
  studyFolder,
}: Pick<Task, "spec" | "studyFolder">): Promise<Stored> {
  const { model, tokenizer: path } = spec;
  const stored = await openModelPath(resolveModel(model, studyFolder), {
    ...(path !== undefined && { tokenizer: resolve(studyFolder, path) }),
  });
  const tokenizer = await failingAs(EXIT.checkpoint, () => tokenizerOfModel(stored));
  return { stored, tokenizer };
}
