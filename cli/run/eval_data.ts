import { titleTokens } from "../../data/encode_resume.ts";
import { isJsonObject } from "../../model/checkpoint/strict_json.ts";
import type { Person } from "../../model/occupation/occupation_model.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { roundedContext } from "./learning.ts";
import { openPrepared, type Prepared, readSplit, type Split, splitFile } from "./prepared.ts";
import type { Progress } from "./progress.ts";
import { readRunInfo } from "./run_folder.ts";
import type { TrainedModel } from "./trained_model.ts";
import { cutCareer, personOf, resumeOptions } from "../../data/wording.ts";

/** Which people to judge by. */
export interface EvalDataRequest {
  /** Prepared folder; by default the one the run learned from. */
  readonly dataFolder?: string;
  /** Allows a folder other than the one the run learned from. */
  readonly otherData?: boolean;
  readonly split: Exclude<Split, "train">;
  /** People to judge by, the first ones of the split; 0 for all. */
  readonly limit: number;
  readonly progress: Progress;
}

/** People to judge a model by, none of whom it learned from. */
export interface EvalData {
  readonly prepared: Prepared;
  /** Whether the folder is the one that the model learned from. */
  readonly isOwn: boolean;
  readonly people: readonly Person[];
}

/**
 * Opens the people that a model is to be judged by, and checks that it can read all of them and
 * learned from none.
 *
 * @throws {CliError} With exit code 3 if the folder is another than the model learned from and
 *   that was not allowed, if people occur in both, or a resume is too long for the model.
 */
export async function openEvalData(
  trained: TrainedModel,
  request: EvalDataRequest,
): Promise<EvalData> {
  const { split, limit, progress } = request;
  const ownFolder =
    trained.runFolder === undefined
      ? undefined
      : (await readRunInfo(trained.runFolder))?.dataFolder;
  const folder = request.dataFolder ?? ownFolder;
  if (folder === undefined) {
    throw new CliError(
      EXIT.usage,
      `Cannot evaluate "${trained.path}": its run must say which data it learned from, got no run.json beside it; name them with --data <folder>`,
    );
  }
  const prepared = await openPrepared(folder);
  checkSameWording(prepared, trained);
  const changed = changedFile(prepared, trained);
  if (changed !== undefined && request.otherData !== true) {
    throw new CliError(
      EXIT.data,
      `Cannot evaluate "${trained.path}" on "${folder}": ${changed} must be the file that the model learned from, lest it be judged by people it has seen, got another; allow it with --other-data`,
    );
  }
  const careers = await readSplit(prepared, split);
  const chosen = limit === 0 ? careers : careers.slice(0, limit);
  if (changed !== undefined) {
    const ids = chosen.map(({ id }) => id);
    const isChecked = await checkUnseen(ids, trained, ownFolder);
    progress.line(
      isChecked
        ? `"${folder}" is not what the model learned from; no person's id occurs in both`
        : `Warning: "${folder}" is not what the model learned from, which is not there to compare; people may occur in both`,
    );
  }
  const { tokenizer, wording } = trained;
  const people = await failingAs(EXIT.data, () =>
    chosen.map((career) => personOf(cutCareer(career, wording), tokenizer, wording)),
  );
  checkLengths(people, trained);
  return { prepared, isOwn: changed === undefined, people };
}

/** A model asked in other words than it learned answers something else. */
function checkSameWording(prepared: Prepared, { settings, path }: TrainedModel): void {
  const before = JSON.stringify(settings["wording"]);
  const now = JSON.stringify(prepared.wording);
  if (before === now) return;
  throw new CliError(
    EXIT.data,
    `Cannot evaluate "${path}" on "${prepared.folder}": careers must be worded as the model learned them, ${before}, got ${now}`,
  );
}

/** Name of the first file that is not the one learned from. */
function changedFile({ files }: Prepared, { settings }: TrainedModel): string | undefined {
  const { data } = settings;
  const learned = isJsonObject(data) ? Object.entries(data) : [];
  if (learned.length === 0) return splitFile("train");
  return learned.find(([name, sum]) => files[name] !== sum)?.[0];
}

/**
 * Refuses people whose ids are among those that the model learned from or was chosen by.
 *
 * @returns Whether those could be read; they may be gone, or prepared anew.
 */
async function checkUnseen(
  ids: readonly string[],
  trained: TrainedModel,
  ownFolder: string | undefined,
): Promise<boolean> {
  if (ownFolder === undefined) return false;
  const own = await openPrepared(ownFolder).catch(() => undefined);
  if (own === undefined || changedFile(own, trained) !== undefined) return false;
  const careers = [...(await readSplit(own, "train")), ...(await readSplit(own, "valid"))];
  const seen = new Set(careers.map(({ id }) => id));
  const both = ids.filter((id) => seen.has(id));
  if (both.length === 0) return true;
  throw new CliError(
    EXIT.data,
    `Cannot evaluate "${trained.path}": it must not have seen the people it is judged by, got ${both.length} of ${ids.length} whose ids are in "${ownFolder}" too, such as "${both[0]}"; leave them out, or, if they are others, change their ids`,
  );
}

/** One resume that is too long would end an evaluation half way. */
function checkLengths(people: readonly Person[], { stored, ...trained }: TrainedModel): void {
  const { maxSeqLen } = stored.config;
  const titles = titleTokens(trained.tokenizer, resumeOptions(trained.wording));
  const longestTitle = Math.max(...titles.map(({ length }) => length));
  // The last token of a title is only predicted.
  const needed = people.map(({ resume }) => resume!.titles.at(-1)!.start + longestTitle - 1);
  const longest = needed.reduce((most, length) => Math.max(most, length), 0);
  if (longest <= maxSeqLen) return;
  const { id } = people[needed.indexOf(longest)]!.career;
  const numLong = needed.filter((length) => length > maxSeqLen).length;
  throw new CliError(
    EXIT.data,
    `Cannot evaluate "${trained.path}": every resume must fit the model's ${maxSeqLen} tokens, got ${longest} of career "${id}" and ${numLong - 1} others too long; train with --seq-len ${roundedContext(longest)}, or prepare with --last-rows`,
  );
}
