import { type Line, syntaxError } from "../../data/lines.ts";
import { type ScoreRequest as Tokens } from "../../model/generate/score.ts";
import type { TextModel } from "../../model/pretrained/text_model.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { type ModelRequest, promptTokens, withModel } from "./load_model.ts";
import { Rate } from "./rate.ts";
import {
  groupsOf,
  idField,
  jsonFields,
  type Located,
  openRecords,
  type RecordId,
  type Records,
  recordsOf,
  textField,
} from "./records.ts";

/** A text, and what may follow it. */
export interface Question {
  readonly id?: RecordId;
  readonly prefix: string;
  /** At least one; none empty. */
  readonly continuations: readonly string[];
}

/** What `tenure score` is asked to do. */
export interface ScoreRequest extends ModelRequest {
  /** One question, or a file with one a line (`"-"` for stdin). */
  readonly input: Question | { readonly file: string };
  /** Whether to add the share of each continuation among those of its prefix. */
  readonly normalize: boolean;
  /** Whether to add each token. */
  readonly perToken: boolean;
  /** Takes the answers in order. */
  readonly onAnswer: (answer: Answer) => void | Promise<void>;
}

/** A continuation that was scored. */
export interface ScoredContinuation {
  readonly text: string;
  /** Natural; the sum over its tokens. */
  readonly logProbability: number;
  readonly numTokens: number;
  /** Probability among the continuations given: they sum to 1. */
  readonly share?: number;
  readonly tokens?: readonly ScoredToken[];
}

/** A token of a continuation. */
export interface ScoredToken {
  readonly id: number;
  /** As the vocabulary writes it. */
  readonly token: string;
  readonly logProbability: number;
}

/** The continuations of a question, scored. */
export interface Answer {
  /** Line of the question, from 1. */
  readonly line: number;
  readonly id?: RecordId;
  readonly continuations: readonly ScoredContinuation[];
}

/** Prefixes that are scored together. */
const GROUP_SIZE = 8;

/**
 * Scores continuations: the log-probability that a model gives each of them after its prefix.
 *
 * The form of a file is checked as a whole before the model is loaded, lengths when their turn
 * comes; memory holds a few of its lines.
 *
 * @returns How many questions were answered, fewer than there are after an interruption.
 * @throws {CliError} With exit code 3 if a line is wrong or too long for the model, naming it;
 *   exit code 5 if the model is not to be had; exit code 4 if the device fails or lacks memory.
 */
export async function score(request: ScoreRequest): Promise<{ numAnswers: number }> {
  const questions = await openQuestions(request.input);
  const { progress, signal } = request;
  return withModel(request, {
    run: async ({ model }) => {
      const rate = new Rate(questions.count, "prefixes");
      for await (const group of groupsOf(questions.read(), GROUP_SIZE)) {
        if (signal?.aborted === true) break;
        const answers = await answer(model, group, request);
        for (const one of answers) await request.onAnswer(one);
        rate.add(group.length);
        progress.update(() => rate.text());
      }
      progress.clear();
      return { numAnswers: rate.done };
    },
  });
}

async function openQuestions(input: ScoreRequest["input"]): Promise<Records<Question>> {
  if ("file" in input) return openRecords(input.file, { parse: parseQuestion });
  const problem = problemOf(input.continuations);
  if (problem !== undefined) throw new CliError(EXIT.usage, `Cannot score: ${problem}`);
  return recordsOf([{ value: input, line: 1, place: "the prefix" }]);
}

function parseQuestion(line: Line, file: string): Question {
  const fields = jsonFields(line, file, ["id", "prefix", "continuations"]);
  const place = { file, line: line.line };
  const continuations: unknown = fields.get("continuations");
  const problem = problemOf(continuations);
  if (problem !== undefined) throw syntaxError(file, line.line, problem);
  return {
    ...idField(fields, place),
    prefix: textField(fields, "prefix", place),
    continuations: continuations as string[],
  };
}

/** What is wrong with continuations: an empty one has no token whose probability could be told. */
function problemOf(continuations: unknown): string | undefined {
  const rule = "continuations must be a list of one or more texts, none of them empty";
  if (!Array.isArray(continuations)) return `${rule}, got ${typeof continuations}`;
  if (continuations.length === 0) return `${rule}, got an empty list`;
  const bad = continuations.findIndex((text) => typeof text !== "string" || text === "");
  if (bad < 0) return undefined;
  return `${rule}, got ${JSON.stringify(continuations[bad])} as number ${bad + 1}`;
}

async function answer(
  model: TextModel,
  group: readonly Located<Question>[],
  { normalize, perToken }: ScoreRequest,
): Promise<Answer[]> {
  const tokens = group.map((question) => tokensOf(model, question));
  const scores = await failingAs(EXIT.device, () => model.scoreBatch(tokens));
  return group.map(({ value, line }, row) => {
    const sums = scores[row]!.map((values) => values.reduce((sum, one) => sum + one, 0));
    const shares = normalize ? sharesOf(sums) : undefined;
    return {
      line,
      ...(value.id !== undefined && { id: value.id }),
      continuations: value.continuations.map((text, index) => {
        const ids = tokens[row]!.continuations[index]!;
        return {
          text,
          logProbability: sums[index]!,
          numTokens: ids.length,
          ...(shares !== undefined && { share: shares[index]! }),
          ...(perToken && { tokens: tokensWith(model, ids, scores[row]![index]!) }),
        };
      }),
    };
  });
}

/**
 * Tokens of a question, checked.
 *
 * @throws {CliError} With exit code 3 if the model cannot read them, naming the line.
 */
function tokensOf(model: TextModel, { value, place }: Located<Question>): Tokens {
  const begun = promptTokens(model, value.prefix);
  const isBare = model.encode(value.prefix).length === 0;
  const { continuations } = value;
  const tokens = model.encodeContinuations({
    prefix: isBare ? begun : value.prefix,
    continuations,
  });
  if (begun.length === 0) {
    throw new CliError(
      EXIT.data,
      `Cannot score ${place}: the prefix must have at least one token, got an empty text and a tokenizer without a token that begins one`,
    );
  }
  const { maxSeqLen } = model.transformer.config;
  const longest = Math.max(...tokens.continuations.map(({ length }) => length));
  if (begun.length + longest - 1 <= maxSeqLen) return tokens;
  throw new CliError(
    EXIT.data,
    `Cannot score ${place}: prefix and continuation must fit the model's ${maxSeqLen} tokens, got ${begun.length} and ${longest}; shorten the prefix`,
  );
}

function tokensWith(
  { tokenizer }: TextModel,
  ids: Uint32Array,
  logProbabilities: Float32Array,
): ScoredToken[] {
  return Array.from(ids, (id, index) => ({
    id,
    token: tokenizer.token(id) ?? "",
    logProbability: logProbabilities[index]!,
  }));
}

/** Probabilities in proportion to those whose logarithms are given. */
export function sharesOf(logProbabilities: readonly number[]): number[] {
  const most = Math.max(...logProbabilities);
  const weights = logProbabilities.map((value) => Math.exp(value - most));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}
