import type { Command } from "commander";
import { alignTable } from "../../model/occupation/text_table.ts";
import { CliError, EXIT } from "../platform/errors.ts";
import type { Answer, ScoredContinuation, ScoreRequest } from "../run/score.ts";
import { print } from "../run/stdout.ts";
import { untilStopped } from "../run/until_stopped.ts";
import { addModelFlags, MODEL_ARGUMENT, type ModelFlags, modelRequest } from "./model_flags.ts";

/** Flags of `tenure score`. */
interface ScoreFlags extends ModelFlags {
  readonly prefix?: string;
  readonly continuation?: readonly string[];
  readonly input?: string;
  readonly output?: string;
  readonly normalize?: boolean;
  readonly perToken?: boolean;
  readonly json?: boolean;
}

/** Adds `tenure score` to the program. */
export function scoreCommand(program: Command): void {
  const command = program
    .command("score")
    .description("Log-probabilities of what may follow a text.")
    .argument("<model>", MODEL_ARGUMENT)
    .option("--prefix <text>", "the text")
    .option("--continuation <text...>", "what may follow it; any number")
    .option("--input <file>", 'lines of {"id"?, "prefix", "continuations": [...]}; "-" for stdin')
    .option("-o, --output <file>", "write JSON lines to this file")
    .option("--normalize", "add each one's share among the continuations of its prefix")
    .option("--per-token", "add each token and its log-probability")
    .option("--json", "print JSON lines instead of tables")
    .addHelpText("after", HELP);
  addModelFlags(command).action(async (model: string, flags: ScoreFlags) => {
    const input = inputOf(flags);
    const request = { normalize: flags.normalize === true, perToken: flags.perToken === true };
    await untilStopped(async (signal) => {
      const scoring = { ...modelRequest(model, flags, signal), input, ...request };
      if (flags.output === undefined) await scoreToStdout(scoring, flags.json === true);
      else await scoreToFile(scoring, flags.output, signal);
    });
  });
}

const HELP = `
Scores are natural logarithms, summed over the tokens of a continuation; each prefix is
read once. Prefix and continuation are cut into tokens together: a space between them
belongs to the continuation, as in " cook". --normalize gives probabilities given that
one of the continuations follows, which sum to 1.

The form of the whole input is checked before the model is loaded; whether prefix and
continuation fit the model's context, when their turn comes. Lines of output are in the
order of the input: {"line", "id"?, "continuations": [{"text", "logProbability", "numTokens",
"share"?, "tokens"?}]}. A file gets its name once it is whole; when the work ends early,
what was scored stays beside it as <file>.partial, and lines that an earlier attempt
left there are moved to <file>.partial.1 or the next number.

Examples:
  $ tenure score org/name --prefix "The next job was" --continuation " cook" " waiter"
  $ tenure score model.gguf --input questions.jsonl -o scores.jsonl --normalize
  $ zcat questions.jsonl.gz | tenure score runs/small --input - --json | jq .continuations`;

function inputOf({ prefix, continuation, input }: ScoreFlags): ScoreRequest["input"] {
  const isTyped = prefix !== undefined || continuation !== undefined;
  if (input !== undefined && !isTyped) return { file: input };
  if (input === undefined && prefix !== undefined && continuation !== undefined) {
    return { prefix, continuations: continuation };
  }
  const got = input !== undefined ? "both" : isTyped ? "one of the first two alone" : "neither";
  throw new CliError(
    EXIT.usage,
    `Cannot score: there must be --prefix and --continuation, or --input, got ${got}`,
  );
}

type Scoring = Omit<ScoreRequest, "onAnswer">;

async function scoreToStdout(scoring: Scoring, json: boolean): Promise<void> {
  const { score } = await import("../run/score.ts");
  await score({
    ...scoring,
    onAnswer: (answer) => {
      scoring.progress.clear();
      return print(`${json ? JSON.stringify(answer) : formatAnswer(answer, scoring)}\n`);
    },
  });
}

async function scoreToFile(scoring: Scoring, path: string, signal: AbortSignal): Promise<void> {
  const { score } = await import("../run/score.ts");
  const { UnfinishedFile } = await import("../run/unfinished_file.ts");
  const file = await UnfinishedFile.open(path, {
    onNote: (text) => scoring.progress.line(text),
  });
  let isWhole = false;
  try {
    await score({ ...scoring, onAnswer: (answer) => file.line(JSON.stringify(answer)) });
    isWhole = !signal.aborted;
    if (isWhole) await file.finish();
  } finally {
    if (!isWhole) {
      await file.abandon();
      if (file.numLines > 0) {
        process.stderr.write(`${file.numLines} lines so far are in "${file.partialPath}"\n`);
      }
    }
  }
  if (isWhole) process.stderr.write(`${file.numLines} lines in "${path}"\n`);
}

/** A table of continuations; before it, where there are several questions, which one it answers. */
function formatAnswer(answer: Answer, { input, normalize, perToken }: Scoring): string {
  const { line, id, continuations } = answer;
  const heading = ["continuation", "log-probability", "tokens", ...(normalize ? ["share"] : [])];
  const rows = continuations.flatMap((one) => [
    rowOf(one, normalize),
    ...(perToken ? tokenRows(one, heading.length) : []),
  ]);
  const table = alignTable([heading, ...rows]);
  if (!("file" in input)) return table;
  return `${id === undefined ? `Line ${line}` : `${id} (line ${line})`}:\n\n${table}\n`;
}

function rowOf(one: ScoredContinuation, normalize: boolean): string[] {
  const { text, logProbability, numTokens, share = 0 } = one;
  const cells = [JSON.stringify(text), logProbability.toFixed(4), String(numTokens)];
  return normalize ? [...cells, `${(100 * share).toFixed(2)}%`] : cells;
}

function tokenRows({ tokens = [] }: ScoredContinuation, numColumns: number): string[][] {
  return tokens.map(({ token, logProbability }) => {
    const cells = [`  ${token}`, logProbability.toFixed(4)];
    return [...cells, ...Array.from({ length: numColumns - cells.length }, () => "")];
  });
}
