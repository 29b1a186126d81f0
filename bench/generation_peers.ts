import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vocabularyOfTokenizerJson } from "../data/tokenizer/vocabulary_of_json.ts";
import type { GgufVocabulary, TokenType } from "../data/tokenizer/vocabulary_data.ts";
import { exportHuggingFace } from "../model/checkpoint/export_hugging_face.ts";
import { encodeGguf } from "../model/checkpoint/gguf/encode.ts";
import { toFloat32 } from "../model/checkpoint/gguf/to_float32.ts";
import type { BenchModel } from "./generation_models.ts";
import type { PeerRound } from "./peers/generation.ts";

/** Decoding of stories260K by doppler, measured earlier on a machine of two cores like this one. */
export const DOPPLER_RECORDED = {
  tokensPerSecond: 45,
  note: "recorded earlier, lavapipe, 2 cores",
};

/** Most time that a peer may take for a round. */
const TIMEOUT_MS = 60_000;

/** Characters of a known text that a peer must begin with, or it computes something else. */
const LEAST_COMMON = 100;

/** An engine beside which tenure is measured. */
export interface Peer {
  readonly name: string;
  /** Takes a round with a model; undefined if it cannot run it. */
  readonly round: (model: BenchModel) => PeerRound | undefined;
}

/** The peers that are installed. @throws {RangeError} If none is. */
export async function generationPeers(models: readonly BenchModel[]): Promise<Peer[]> {
  if (!existsSync("bench/peers/node_modules")) {
    throw new RangeError(
      "Cannot run peers: they must be installed, got none; run: npm --prefix bench/peers install",
    );
  }
  const folder = mkdtempSync(join(tmpdir(), "tenure-bench-"));
  for (const model of models) await writeModel(model, join(folder, model.name));
  return [
    {
      name: "doppler (WebGPU, f16)",
      round: ({ name, text }) =>
        text === undefined
          ? undefined
          : run("doppler_generation.ts", join(folder, name, "safetensors"), text),
    },
    {
      name: "llama.cpp (CPU, f32)",
      round: ({ name, text }) =>
        run("llama_cpp_generation.ts", join(folder, name, "model.gguf"), text),
    },
  ];
}

/** Runs a script of `bench/peers` in a process of its own. */
function run(script: string, path: string, text: string | undefined): PeerRound | undefined {
  try {
    const output = execFileSync(
      process.execPath,
      ["--import", "tsx", `bench/peers/${script}`, path],
      { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: TIMEOUT_MS },
    );
    const round = JSON.parse(output.trim().split("\n").at(-1)!) as PeerRound;
    checkText(script, round, text);
    return round;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n").slice(-6).join("\n") : error;
    process.stderr.write(`  ${script} gave nothing: ${String(reason)}\n`);
    return undefined;
  }
}

/** A speed counts only if the engine runs the same model. */
function checkText(script: string, { text }: PeerRound, expected: string | undefined): void {
  if (expected === undefined || text === undefined) return;
  const begin = expected.slice(0, LEAST_COMMON);
  if (text.trim().startsWith(begin)) return;
  throw new RangeError(`Cannot compare ${script}: it must write "${begin}", got "${text}"`);
}

/** The model as a GGUF file, and where it has a tokenizer in Hugging Face's layout. */
async function writeModel({ stored }: BenchModel, folder: string): Promise<void> {
  const { config, tokenizer } = stored;
  mkdirSync(folder, { recursive: true });
  const weights = async (label: string) => toFloat32(await stored.weights.get(label)!.read());
  const vocabulary =
    tokenizer === undefined
      ? numberedVocabulary(config.vocabSize)
      : vocabularyOfTokenizerJson(tokenizer);
  const gguf = encodeGguf({ config, weights, type: "F32", vocabulary });
  writeFileSync(join(folder, "model.gguf"), await gather(gguf));
  if (tokenizer === undefined) return;
  // Apart from the GGUF file, which doppler would convert instead.
  const safetensors = join(folder, "safetensors");
  mkdirSync(safetensors);
  const tokenizerConfig = { bos_token: "<s>", eos_token: "</s>", unk_token: "<unk>" };
  const generation = { beginToken: 1, endTokens: [2] };
  const model = { config, weights, dtype: "F32", tokenizer, tokenizerConfig, generation } as const;
  for (const { name, chunks } of exportHuggingFace(model)) {
    writeFileSync(join(safetensors, name), await gather(chunks));
  }
}

async function gather(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

/** A vocabulary for a model without one: marks, bytes, and tokens that say their number. */
function numberedVocabulary(length: number): GgufVocabulary {
  const marks = ["<unk>", "<s>", "</s>"];
  const hex = (byte: number) => byte.toString(16).toUpperCase().padStart(2, "0");
  const tokenOf = (id: number) => marks[id] ?? (id < 259 ? `<0x${hex(id - 3)}>` : `t${id}`);
  const typeOf = (id: number): TokenType => (id === 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1);
  const ids = Array.from({ length }, (_, id) => id);
  return {
    model: "llama",
    tokens: ids.map(tokenOf),
    scores: Float32Array.from(ids, (id) => -id),
    tokenTypes: ids.map(typeOf),
    bosId: 1,
    eosId: 2,
    unkId: 0,
  };
}
