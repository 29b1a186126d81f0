import type { Command } from "commander";
import { CliError, EXIT } from "../platform/errors.ts";
import type { PullFlags } from "../run/pull.ts";

/** Adds `tenure pull` to the program. */
export function pullCommand(program: Command): void {
  program
    .command("pull")
    .description("Download a model into the cache that Hugging Face's programs share.")
    .argument("<model>", "name on the hub, as in org/name")
    .option("--revision <name>", "branch, tag or commit", "main")
    .option(
      "--include <pattern...>",
      'files to download instead of the usual ones, as in "*.gguf"; may be repeated',
    )
    .option("--gguf <name>", "the GGUF file of that name, or with that in its name, as in Q8_0")
    .option("--endpoint <url>", "address of the hub (default: HF_ENDPOINT, or huggingface.co)")
    .option("--cache-dir <folder>", "cache to use (default: HF_HUB_CACHE, or HF_HOME/hub)")
    .option("--dry-run", "say what would be downloaded")
    .addHelpText("after", HELP)
    .action(async (repo: string, flags: PullFlags) => {
      if (flags.include !== undefined && flags.gguf !== undefined) {
        throw new CliError(
          EXIT.usage,
          "Cannot choose files: either --include or --gguf must be given, got both",
        );
      }
      const { pull } = await import("../run/pull.ts");
      await pull(repo, flags);
    });
}

const HELP = `
Downloads configuration, tokenizer and weights as safetensors, or one GGUF file. Lengths
and digests (SHA-256; git's SHA-1 for small files) must be those that the hub lists;
until then a file has no name that another program would find. What is in the cache is
checked, not downloaded again. Pickles (.bin, .pt, .pth, .pkl, .ckpt) are refused:
reading one runs the code in it.

An interrupted download goes on where it ended: run the same command again. The token
of a private or gated model comes from HF_TOKEN or from the file that "hf auth login"
wrote, and is sent to the hub only. HF_HUB_OFFLINE=1 makes no request.

Examples:
  $ tenure pull HuggingFaceTB/SmolLM2-135M
  $ tenure pull Qwen/Qwen3-0.6B --revision main --dry-run
  $ tenure pull Qwen/Qwen2.5-0.5B-Instruct-GGUF --gguf q8_0`;
