/**
 * A GGUF file in llama.cpp on the CPU, by node-llama-cpp's prebuilt binaries; prints a round.
 *
 *     npx tsx bench/peers/llama_cpp_generation.ts MODEL.gguf
 */
import { availableParallelism } from "node:os";
import { argv } from "node:process";
import { BEGIN_TOKEN } from "../generation_speed.ts";
import { importPeer, PEER_PROMPTS, PEER_STEPS, printRound } from "./generation.ts";

/** What is used of node-llama-cpp. */
interface LlamaModule {
  readonly getLlama: (options: object) => Promise<{
    loadModel(options: object): Promise<{
      createContext(options: object): Promise<{ getSequence(): Sequence }>;
      detokenize(tokens: readonly number[]): string;
    }>;
  }>;
}

interface Sequence {
  clearHistory(): Promise<void>;
  evaluate(tokens: readonly number[], options: object): AsyncIterable<number>;
}

const { getLlama } = await importPeer<LlamaModule>("node-llama-cpp");
const llama = await getLlama({ gpu: false, build: "never", logLevel: "error" });
const begin = performance.now();
const model = await llama.loadModel({ modelPath: argv[2], gpuLayers: 0 });
const loadMs = performance.now() - begin;
const threads = availableParallelism();
const context = await model.createContext({ contextSize: 512, batchSize: 512, threads });
const sequence = context.getSequence();

await run([BEGIN_TOKEN], 8); // first steps allocate
const firstTokenMs: number[] = [];
for (const length of PEER_PROMPTS) {
  const prompt = Array.from({ length }, (_, i) => 259 + ((i * 37) % 250));
  firstTokenMs.push((await run(prompt, 1)).firstMs);
}
const { tokens, decodeMs } = await run([BEGIN_TOKEN], PEER_STEPS);
printRound({ loadMs, firstTokenMs, decodeMs, text: model.detokenize(tokens) });

/** Greedy steps after a prompt; end tokens do not end them. */
async function run(prompt: readonly number[], steps: number) {
  await sequence.clearHistory();
  const start = performance.now();
  const times: number[] = [];
  const made: number[] = [];
  for await (const token of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
    times.push(performance.now());
    made.push(token);
    if (made.length === steps) break;
  }
  const decode = (times.at(-1)! - times[0]!) / Math.max(1, times.length - 1);
  return { tokens: made, firstMs: times[0]! - start, decodeMs: decode };
}
