/**
 * A small Llama in doppler, on the adapter that tenure uses: converts a folder in Hugging Face's
 * layout as doppler wants it, the way it has MiniCPM, then prints a round.
 *
 *     npx tsx bench/peers/doppler_generation.ts FOLDER
 *
 * Weights and cache are f16, as its kernels have them; activations are f32.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { argv, execPath } from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { importPeer, PEER_STEPS, printRound } from "./generation.ts";
import { providePlatform } from "./platform.ts";

/** What is used of doppler-gpu. */
interface DopplerModule {
  readonly load: (source: { readonly url: string }) => Promise<{
    generate(prompt: string, options: object): AsyncIterable<string>;
    resetGenerationState(): void;
  }>;
}

/** Sizes of the model that its configuration repeats. */
const HEAD_DIM = 8;
const CONTEXT = 512;

const library = fileURLToPath(new URL("node_modules/doppler-gpu", import.meta.url));
const folder = argv[2]!;
const converted = join(folder, "doppler");
if (!existsSync(converted)) convert();
await providePlatform();
const { load } = await importPeer<DopplerModule>("doppler-gpu");
const begin = performance.now();
const model = await load({ url: pathToFileURL(converted).href });
const loadMs = performance.now() - begin;
await run(8); // first steps compile
printRound({ loadMs, ...(await run(PEER_STEPS)) });

async function run(maxTokens: number) {
  const options = { maxTokens, temperature: 0, repetitionPenalty: 1, useChatTemplate: false };
  model.resetGenerationState();
  const times: number[] = [];
  let text = "";
  for await (const piece of model.generate("<s>", options)) {
    times.push(performance.now());
    text += piece;
  }
  return { decodeMs: (times.at(-1)! - times[0]!) / (times.length - 1), text };
}

/** Its converter has no preset for a plain Llama; MiniCPM is one with three scales more. */
function convert(): void {
  const preset = join(library, "src/config/conversion/minicpm/minicpm4-0-5b-f16-af32.json");
  const config = JSON.parse(readFileSync(preset, "utf8")) as {
    readonly inference: { readonly rope: object };
  };
  const { rope } = config.inference;
  const longRope = Object.keys(rope).filter((key) => key.startsWith("longrope"));
  const noLongRope = Object.fromEntries(longRope.map((key) => [key, null]));
  const converterConfig = merged(config, {
    output: { baseDir: converted, modelBaseId: "stories260k-f16-af32" },
    manifest: { artifactIdentity: { sourceCheckpointId: "stories260K" }, eosTokenId: 2 },
    inference: {
      attention: { queryPreAttnScalar: HEAD_DIM },
      rope: { ...noLongRope, ropeScalingType: null },
      output: { embeddingScale: null, logitInputScale: 1 },
      layerPattern: { residualBranchScale: 1 },
      chatTemplate: { type: null, enabled: false },
    },
    session: { kvcache: { maxSeqLen: CONTEXT } },
  });
  const request = {
    inputDir: folder,
    outputDir: converted,
    convertPayload: { converterConfig },
  };
  const cli = join(library, "src/cli/doppler-cli.js");
  const args = ["convert", "--config", JSON.stringify({ request }), "--surface", "node"];
  execFileSync(execPath, [cli, ...args], { stdio: "ignore", cwd: folder }); // it leaves reports
}

/** An object with some of its fields replaced, however deep. */
function merged(base: object, changes: object): object {
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(changes)) {
    const old = result[key];
    const isDeep = isRecord(value) && isRecord(old);
    result[key] = isDeep ? merged(old, value) : value;
  }
  return result;
}

function isRecord(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
