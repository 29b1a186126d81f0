import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { type Command, Option } from "commander";
import { CliError, EXIT } from "../platform/errors.ts";
import type { EmbeddedText, EmbedRequest, VectorSink } from "../run/embed.ts";
import { wholeNumber } from "../run/flags.ts";
import { print } from "../run/stdout.ts";
import { untilStopped } from "../run/until_stopped.ts";
import { addModelFlags, MODEL_ARGUMENT, type ModelFlags, modelRequest } from "./model_flags.ts";

/** Flags of `tenure embed`. */
interface EmbedFlags extends ModelFlags {
  readonly input?: string;
  readonly output?: string;
  readonly layer?: number;
  readonly pooling: "last" | "mean";
  readonly withText?: boolean;
}

/** Adds `tenure embed` to the program. */
export function embedCommand(program: Command): void {
  const command = program
    .command("embed")
    .description("Turn texts into vectors: a model's hidden states.")
    .argument("<model>", MODEL_ARGUMENT)
    .argument("[text...]", "texts")
    .option("--input <file>", 'a text a line; in a .jsonl, {"id"?, "text"}; "-" for stdin')
    .option("-o, --output <file>", "a .safetensors or .parquet; without it, JSON lines on stdout")
    .option(
      "--layer <n>",
      "0 for token embeddings, n for the state after block n (default: the last, normalized)",
      wholeNumber(),
    )
    .addOption(
      new Option("--pooling <kind>", "the state of the last token, or the mean over all")
        .choices(["last", "mean"])
        .default("last"),
    )
    .option("--with-text", "keep the texts beside their vectors, in Parquet and JSON lines")
    .addHelpText("after", HELP);
  addModelFlags(command).action(
    async (model: string, texts: readonly string[], flags: EmbedFlags) => {
      const input = inputOf(texts, flags);
      const { layer, pooling, output, withText = false } = flags;
      const sink = await sinkOf(output, withText);
      const { embed } = await import("../run/embed.ts");
      await untilStopped(async (signal) => {
        await embed(
          {
            ...modelRequest(model, flags, signal),
            input,
            ...(layer !== undefined && { layer }),
            pooling,
          },
          sink,
        );
      });
    },
  );
}

const HELP = `
safetensors: one tensor "embeddings" [texts, width] in f32, rows in the order of the
input; metadata say model, layer and pooling, and ids as a JSON list where texts have
them. Parquet: columns id (as given, or the number of the line), text with --with-text,
and embedding, a list of floats. Files get their names once they are whole.

The form of the whole input is checked before the model is loaded; that each text has
tokens, and no more than the model's context, when its turn comes.

A text is begun as the model's tokenizer does it, and its mean is over all tokens.

Examples:
  $ tenure embed org/name "cook" "waiter"
  $ tenure embed model.gguf --input titles.txt -o titles.safetensors --pooling mean
  $ tenure embed runs/small --input resumes.jsonl -o resumes.parquet --layer 4 --dtype f16
  $ python -c "import pandas; print(pandas.read_parquet('resumes.parquet'))"`;

function inputOf(texts: readonly string[], { input: file }: EmbedFlags): EmbedRequest["input"] {
  if (file !== undefined && texts.length === 0) return { file };
  if (file === undefined && texts.length > 0) return { texts };
  throw new CliError(
    EXIT.usage,
    `Cannot embed: there must be either texts or --input, got ${file === undefined ? "neither" : "both"}`,
  );
}

/** Where vectors go, by the name of the file; its folder must be there before the work begins. */
async function sinkOf(path: string | undefined, withText: boolean): Promise<VectorSink<void>> {
  if (path === undefined) return (_, vectors) => printVectors(vectors, withText);
  const { parquetSink, safetensorsSink } = await import("../run/embedding_files.ts");
  const sink = path.endsWith(".safetensors")
    ? safetensorsSink(path)
    : path.endsWith(".parquet")
      ? parquetSink(path, { withText })
      : undefined;
  if (sink === undefined) {
    throw new CliError(
      EXIT.usage,
      `Cannot write "${path}": its name must end in .safetensors or .parquet, got neither`,
    );
  }
  const folder = await stat(dirname(path)).catch(() => undefined);
  if (folder?.isDirectory() === true) return sink;
  throw new CliError(
    EXIT.failure,
    `Cannot write "${path}": the folder must exist, got no folder "${dirname(path)}"`,
  );
}

async function printVectors(vectors: AsyncIterable<EmbeddedText>, withText: boolean) {
  for await (const { line, id, text, vector } of vectors) {
    // Nine digits tell every f32 from its neighbors.
    const embedding = Array.from(vector, (value) => Number(value.toPrecision(9)));
    const named = { line, ...(id !== undefined && { id }), ...(withText && { text }) };
    await print(`${JSON.stringify({ ...named, embedding })}\n`);
  }
}
