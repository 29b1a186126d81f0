import { type Command, Option } from "commander";
import { join } from "node:path";
import {
  EXPORT_DTYPES,
  EXPORT_FORMATS,
  type ExportDtype,
  type ExportFormat,
} from "../run/choices.ts";
import type { ExportRequest, ExportSummary } from "../run/export.ts";
import { wholeNumber } from "../run/flags.ts";
import { formatBytes } from "../run/format.ts";
import { Progress } from "../run/progress.ts";
import { untilStopped } from "../run/until_stopped.ts";
import { MODEL_ARGUMENT } from "./model_flags.ts";

/** Flags of `tenure export`. */
interface ExportFlags {
  readonly output: string;
  readonly format: ExportFormat;
  readonly dtype?: ExportDtype;
  readonly adapter?: string;
  readonly merge?: boolean;
  readonly maxShardBytes?: number;
  /** Set to false by `--no-tokenizer`. */
  readonly tokenizer?: string | false;
  readonly revision?: string;
  readonly overwrite?: boolean;
}

/** Adds `tenure export` to the program. */
export function exportCommand(program: Command): void {
  program
    .command("export")
    .description("Write a model, or an adapter, for other programs to load.")
    .argument("<model>", `${MODEL_ARGUMENT}; or an adapter's folder or run, which names its model`)
    .requiredOption("-o, --output <folder>", "folder to write")
    .addOption(
      new Option("--format <format>", "Hugging Face's layout, or one GGUF file")
        .choices(EXPORT_FORMATS)
        .default("safetensors"),
    )
    .addOption(
      new Option(
        "--dtype <type>",
        "type of the weights (default: as they are; f16 if they are quantized)",
      ).choices(EXPORT_DTYPES),
    )
    .option("--adapter <folder>", "a LoRA adapter of the model: written alone, or merged")
    .option("--merge", "add the adapter to the model's weights")
    .option(
      "--max-shard-bytes <n>",
      "bytes of a file of weights at most (default: 5000000000)",
      wholeNumber({ least: 1, most: Number.MAX_SAFE_INTEGER }),
    )
    .option("--tokenizer <file>", "a tokenizer.json, or llama2.c's tokenizer.bin, to use instead")
    .option("--no-tokenizer", "leave the tokenizer out")
    .option("--revision <name>", "branch, tag or commit of an org/name (default: main)")
    .option("--overwrite", "replace an earlier export in the folder")
    .addHelpText("after", HELP)
    .action(async (model: string, flags: ExportFlags) => {
      const { exportModel } = await import("../run/export.ts");
      await untilStopped(async (signal) => {
        const summary = await exportModel({ ...requestOf(model, flags), signal });
        process.stdout.write(formatSummary(summary));
      });
    });
}

const HELP = `
Weights go from file to file one at a time, whatever the model's size, and none in the
type it has is changed by a bit. The folder appears whole or not at all.

safetensors: config.json, model.safetensors (or shards and their index), tokenizer.json,
tokenizer_config.json and generation_config.json, as transformers, vLLM and others load.
gguf: one file of F32, F16 or Q8_0 with the tokenizer in it, as llama.cpp and Ollama load.
An adapter is written as PEFT's; GPT-2's q, k and v become one adapter of c_attn, whose
rank is the sum of theirs.

Examples:
  $ tenure export runs/small -o exported --dtype bf16
  $ tenure export org/name -o model-gguf --format gguf --dtype q8_0
  $ tenure export org/name -o merged --adapter runs/lora --merge
  $ tenure export runs/lora -o adapter
  $ tenure export model.gguf -o model-hf`;

function requestOf(model: string, flags: ExportFlags): ExportRequest {
  const { output, format, dtype, adapter, maxShardBytes, tokenizer, revision } = flags;
  return {
    model,
    folder: output,
    format,
    ...(dtype !== undefined && { dtype }),
    ...(adapter !== undefined && { adapter }),
    merge: flags.merge === true,
    ...(maxShardBytes !== undefined && { maxShardBytes }),
    ...(typeof tokenizer === "string" && { tokenizer }),
    withTokenizer: tokenizer !== false,
    ...(revision !== undefined && { revision }),
    overwrite: flags.overwrite === true,
    progress: new Progress(),
  };
}

/** Files and sizes, and how to load them. */
function formatSummary(summary: ExportSummary): string {
  const { folder, files } = summary;
  const width = Math.max(...files.map(({ name }) => name.length));
  const lines = files.map(({ name, bytes }) => `  ${name.padEnd(width)}  ${formatBytes(bytes)}`);
  return `Wrote ${folder}:\n${lines.join("\n")}\n\n${howToLoad(summary)}`;
}

function howToLoad({ kind, folder, family, base, files, hasTokenizer }: ExportSummary): string {
  const path = JSON.stringify(folder);
  if (kind === "gguf") {
    const file = join(folder, files[0]!.name);
    const note = hasTokenizer ? "" : "It has no tokenizer: programs must bring their own.\n";
    return `${note}llama.cpp: llama-cli -m ${file} -p "Once"
Ollama:    echo "FROM ${file}" > Modelfile && ollama create <name> -f Modelfile
`;
  }
  if (family === "tenure") {
    return "No family that other programs know computes what this model does: only tenure loads it.\n";
  }
  if (kind === "adapter") {
    return `peft: PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(${JSON.stringify(base)}), ${path})\n`;
  }
  const note = hasTokenizer ? "" : "It has no tokenizer: add the tokenizer.json of its model.\n";
  return `${note}transformers: AutoModelForCausalLM.from_pretrained(${path})\n`;
}
