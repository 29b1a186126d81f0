import { text as readText } from "node:stream/consumers";
import type { Career, Education } from "../../data/career.ts";
import { type Occupation, OCCUPATIONS } from "../../data/occupations.ts";
import { parseResume } from "../../data/parse_resume.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { openFile } from "../platform/files.ts";
import { readCareersFile } from "./careers_file.ts";
import { type DeviceChoice, withDevice } from "./device.ts";
import { createLanguageModel, openTrainedModel } from "./trained_model.ts";
import { askCareer, checkResumeFits } from "../../data/asked_career.ts";
import { personOf, type Wording } from "../../data/wording.ts";

/** What `tenure predict` is asked to do. */
export interface PredictRequest {
  /** Folder of a run or of a checkpoint. */
  readonly model: string;
  /** Where the model that adapters stand on is now, if it has moved. */
  readonly baseModel?: string;
  /** A file of careers and whose to take, or a resume as text (`"-"` for stdin). */
  readonly career: { readonly file: string; readonly id?: string } | { readonly resume: string };
  /** Year in question; by default the one after the last. */
  readonly year?: number;
  /** Education in that year; by default the last. */
  readonly education?: Education;
  /** Occupations to give. */
  readonly top: number;
  /** How the device is opened. */
  readonly device?: DeviceChoice;
}

/** A prediction. */
export interface Prediction {
  readonly id: string;
  readonly year: number;
  readonly education: Education;
  /** What the model reads. */
  readonly prompt: string;
  /** The most probable occupations, in descending order. */
  readonly occupations: readonly (Occupation & { readonly probability: number })[];
}

/**
 * Predicts a person's occupation in a year from the years before it.
 *
 * @throws {CliError} With exit code 5 if the model, exit code 3 if the career is not to be had,
 *   exit code 2 if the year cannot be asked for.
 */
export async function predict(request: PredictRequest): Promise<Prediction> {
  const { baseModel } = request;
  const trained = await openTrainedModel(
    request.model,
    baseModel === undefined ? {} : { model: baseModel },
  );
  const { wording, tokenizer, stored } = trained;
  const career = await readCareer(request.career, wording);
  const asked = await failingAs(EXIT.usage, () => askCareer(career, request, wording));
  const person = await failingAs(EXIT.usage, () => personOf(asked.career, tokenizer, wording));
  await failingAs(EXIT.data, () => checkResumeFits(person, stored.config.maxSeqLen));
  const { index, year, education, prompt } = asked;
  const distribution = async (gpu: Gpu) => {
    const language = await createLanguageModel(gpu, trained, { tolerance: 0 });
    try {
      return await language.distribution(person, index);
    } finally {
      language.destroy();
    }
  };
  const probabilities = await withDevice("auto", distribution, request.device);
  const ranked = OCCUPATIONS.map(({ code, title }, i) => ({
    code,
    title,
    probability: probabilities[i]!,
  })).toSorted((a, b) => b.probability - a.probability);
  return { id: career.id, year, education, prompt, occupations: ranked.slice(0, request.top) };
}

async function readCareer(source: PredictRequest["career"], wording: Wording): Promise<Career> {
  if ("resume" in source) return readResume(source.resume, wording);
  const { file, id } = source;
  const careers = await readCareersFile(file);
  const [first] = careers;
  if (id === undefined && careers.length === 1) return first!;
  const found = careers.find((career) => career.id === id);
  if (found !== undefined) return found;
  const rule =
    id === undefined
      ? `--id must say whose career to take, got none and ${careers.length} people in "${file}"`
      : `--id must be one of the ${careers.length} people in "${file}", got "${id}"`;
  throw new CliError(
    id === undefined ? EXIT.usage : EXIT.data,
    `Cannot predict: ${rule}; the first is "${first!.id}"`,
  );
}

async function readResume(path: string, { titles, titleSeed }: Wording): Promise<Career> {
  const stream = path === "-" ? process.stdin : await openFile(path);
  return failingAs(EXIT.data, async () => {
    const resume = (await readText(stream)).replaceAll("\r\n", "\n").trimEnd();
    return parseResume(resume, { id: "resume", titles, titleSeed }).career;
  });
}
