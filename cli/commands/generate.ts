import type { Command } from "commander";
import { CliError, EXIT } from "../platform/errors.ts";
import { realNumber, wholeNumber } from "../run/flags.ts";
import type { GeneratedText, GenerateRequest, GenerateStatistics } from "../run/generate.ts";
import { untilStopped } from "../run/until_stopped.ts";
import { addModelFlags, MODEL_ARGUMENT, type ModelFlags, modelRequest } from "./model_flags.ts";

/** Flags of `tenure generate`. */
interface GenerateFlags extends ModelFlags {
  readonly prompts?: string;
  readonly chat?: boolean;
  readonly system?: string;
  readonly maxNewTokens?: number;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly seed?: number;
  readonly stop?: readonly string[];
  readonly ignoreEnd?: boolean;
  readonly json?: boolean;
}

/** Adds `tenure generate` to the program. */
export function generateCommand(program: Command): void {
  const command = program
    .command("generate")
    .description("Go on with a text, token by token.")
    .argument("<model>", MODEL_ARGUMENT)
    .argument("[prompt...]", 'texts to go on with; "-", or none on a pipe, for stdin')
    .option("--prompts <file>", 'a prompt a line; in a .jsonl, {"id"?, "prompt"}')
    .option("--chat", "lay the prompt out as a user's message, by the model's chat template")
    .option("--system <text>", "a message of the system before it");
  addSamplingFlags(command)
    .option("--json", "print one JSON object a prompt, once it is done")
    .addHelpText("after", HELP);
  addModelFlags(command).action(
    async (model: string, texts: readonly string[], flags: GenerateFlags) => {
      const prompts = sourceOf(texts, flags);
      if (flags.system !== undefined && flags.chat !== true) {
        throw new CliError(
          EXIT.usage,
          "Cannot generate: --system must come with --chat, got it alone",
        );
      }
      const { generate } = await import("../run/generate.ts");
      await untilStopped(async (signal) => {
        const printer = new Printer(flags.json === true, countOf(prompts));
        const statistics = await generate({
          ...modelRequest(model, flags, signal),
          prompts,
          layout: {
            chat: flags.chat === true,
            ...(flags.system !== undefined && { system: flags.system }),
          },
          ...settingsOf(flags),
          onText: (text) => printer.text(text),
          onResult: (result) => printer.result(result),
        });
        process.stderr.write(`${formatStatistics(statistics)}\n`);
      });
    },
  );
}

const HELP = `
The text goes to stdout as it comes, without the prompt and without a line feed of its
own unless stdout is a terminal; all else goes to stderr. Several prompts are generated
side by side, and printed as blocks, or as JSON lines with --json.

What the flags leave open, the model's generation_config.json decides; where that does
not sample either, the most probable token is taken. The same seed gives the same text
on the same device; prompt n draws with seed + n − 1. SIGINT ends the text where it is.

Examples:
  $ tenure generate org/name "The next job was"
  $ tenure generate models/SmolLM2-135M-Instruct --chat "What does an actuary do?"
  $ echo "Once upon a time" | tenure generate stories260K.bin --max-new-tokens 200
  $ tenure generate model.gguf --prompts prompts.jsonl --json --temperature 0.7 > out.jsonl
  $ tenure generate runs/small "" --stop $'\\n' --dtype int8`;

function addSamplingFlags(command: Command): Command {
  const share = realNumber({ most: 1 });
  return command
    .option("--max-new-tokens <n>", "tokens of a text at most", wholeNumber({ least: 1 }))
    .option("--temperature <x>", "divides the logits; 0 is greedy", realNumber({ most: 1e6 }))
    .option("--top-k <n>", "draw from so many of the likeliest; 0 for all", wholeNumber())
    .option("--top-p <share>", "draw from the likeliest that reach this probability", share)
    .option("--min-p <share>", "draw from those this likely, relative to the likeliest", share)
    .option(
      "--repetition-penalty <x>",
      "divides the logits of tokens seen before; 1 for none",
      realNumber({ above: 0, most: 1e6 }),
    )
    .option("--seed <n>", "seed of the draws (default: 0)", wholeNumber())
    .option("--stop <text>", "ends a text before this; may be given again", collect)
    .option("--ignore-end", "go on after tokens that end a text");
}

function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** Prompts on the command line, in a file, or on stdin. */
function sourceOf(
  texts: readonly string[],
  { prompts: file }: GenerateFlags,
): GenerateRequest["prompts"] {
  if (file !== undefined) {
    if (texts.length === 0) return { file };
    throw new CliError(
      EXIT.usage,
      "Cannot generate: there must be either prompts or --prompts, got both",
    );
  }
  if (texts.filter((text) => text === "-").length > 1) {
    throw new CliError(EXIT.usage, 'Cannot generate: "-" must occur once at most, got it again');
  }
  if (texts.length > 0) return { texts };
  if (!process.stdin.isTTY) return { texts: ["-"] };
  throw new CliError(
    EXIT.usage,
    'Cannot generate: there must be a prompt, got none; "" goes on from the model\'s begin token',
  );
}

function countOf(prompts: GenerateRequest["prompts"]): number | undefined {
  return "texts" in prompts ? prompts.texts.length : undefined;
}

function settingsOf(
  flags: GenerateFlags,
): Pick<GenerateRequest, "sampling" | "maxNewTokens" | "stop" | "ignoreEnd"> {
  const { temperature, topK, topP, minP, repetitionPenalty, seed, maxNewTokens } = flags;
  return {
    sampling: {
      ...(temperature !== undefined && { temperature }),
      ...(topK !== undefined && { topK }),
      ...(topP !== undefined && { topP }),
      ...(minP !== undefined && { minP }),
      ...(repetitionPenalty !== undefined && { repetitionPenalty }),
      ...(seed !== undefined && { seed }),
    },
    ...(maxNewTokens !== undefined && { maxNewTokens }),
    stop: flags.stop ?? [],
    ignoreEnd: flags.ignoreEnd === true,
  };
}

/** Writes texts to stdout: as they come, as blocks, or as JSON lines. */
class Printer {
  readonly #json: boolean;
  readonly #isSingle: boolean;

  /** @param count How many prompts there are; undefined where a file has them. */
  constructor(json: boolean, count: number | undefined) {
    this.#json = json;
    this.#isSingle = count === 1;
  }

  text(text: string): void {
    if (this.#isSingle && !this.#json) process.stdout.write(text);
  }

  result(result: GeneratedText): void {
    if (this.#json) {
      const { number: _, ...fields } = result;
      process.stdout.write(`${JSON.stringify(fields)}\n`);
    } else if (!this.#isSingle) {
      process.stdout.write(`${formatBlock(result)}\n\n`);
    } else if (process.stdout.isTTY) {
      process.stdout.write("\n");
    }
  }
}

function formatBlock({ number, id, prompt, text, finish, numTokens }: GeneratedText): string {
  const name = id === undefined ? String(number) : `${number} (${id})`;
  return `=== ${name}: ${JSON.stringify(prompt)} · ${numTokens} tokens · ${finish}\n${text}`;
}

/** One line: tokens, and how fast they came. */
function formatStatistics(statistics: GenerateStatistics): string {
  const { numPromptTokens, numTokens, numDecodedTokens, loadMs } = statistics;
  const { compileMs, firstTokenMs, prefillMs, decodeMs } = statistics;
  const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
  const rate = (count: number, ms: number) =>
    ms > 0 && count > 0 ? ` at ${((1000 * count) / ms).toPrecision(3)} tokens/s` : "";
  const count = (number: number, what: string) => `${number} ${what}${number === 1 ? "" : "s"}`;
  return [
    `${count(numPromptTokens, "prompt token")}${rate(numPromptTokens, prefillMs)}`,
    `${count(numTokens, "new token")}${rate(numDecodedTokens, decodeMs)}`,
    `first token after ${seconds(firstTokenMs)}, of which ${seconds(compileMs)} compiling kernels`,
    `loaded in ${seconds(loadMs)}`,
  ].join(" · ");
}
