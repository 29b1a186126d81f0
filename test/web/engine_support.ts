import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";
import { trainResumeTokenizer } from "../../data/encode_resume.ts";
import type { Career } from "../../data/career.ts";
import { Random } from "../../data/random.ts";
import { OCCUPATIONS } from "../../data/occupations.ts";
import type { Wording } from "../../data/wording.ts";
import { wordingFile } from "../../model/checkpoint/wording_file.ts";
import { DEFAULT_CONFIG, type ModelConfig } from "../../model/transformer/config.ts";
import { weightShapes } from "../../model/transformer/weight_shapes.ts";
import { exportHuggingFace } from "../../model/checkpoint/export_hugging_face.ts";
import { createEngine, type EngineOptions } from "../../web/engine/engine.ts";
import type { Engine, ModelFile, ModelSource } from "../../web/engine/api.ts";
import { serveEngine } from "../../web/engine/serve_engine.ts";
import { createWorkerEngine } from "../../web/engine/worker_engine.ts";
import { drain, type Files } from "../checkpoint/memory_files.ts";
import { openTestAdapter, uniform } from "../support.ts";

export const WORDING: Wording = {
  dataset: "SYNTHETIC",
  birthYear: false,
  titles: "numeric",
  titleSeed: 3,
  lastRows: 12,
};

/** People of a few years each. */
export const CAREERS: readonly Career[] = Array.from({ length: 6 }, (_, who) => {
  const random = Random.from(1, "person", who);
  let occupation = random.below(OCCUPATIONS.length);
  return {
    id: `person ${who}`,
    gender: who % 2 === 0 ? "female" : "male",
    ethnicity: "white",
    region: "south",
    birthYear: 1960 + who,
    observations: Array.from({ length: 3 + (who % 3) }, (_year, index) => {
      if (random.uniform() < 0.4) occupation = random.below(OCCUPATIONS.length);
      const { code } = OCCUPATIONS[occupation]!;
      return { year: 1990 + index, education: "high school", occupation: code } as const;
    }),
  };
});

/** The first of them. */
export const CAREER: Career = CAREERS[0]!;

const TOKENIZER = trainResumeTokenizer(CAREERS, { ...WORDING, vocabSize: 400 });

const CONFIG: ModelConfig = {
  ...DEFAULT_CONFIG,
  vocabSize: Object.keys(TOKENIZER.model.vocab).length + TOKENIZER.added_tokens.length,
  dModel: 16,
  dHidden: 24,
  numBlocks: 1,
  numHeads: 2,
  numKvHeads: 1,
  headDim: 8,
  maxSeqLen: 512,
};

/** A tiny model that reads careers, as `tenure export` writes it. */
export async function careerFiles(changes: Partial<ModelConfig> = {}): Promise<Files> {
  const config = { ...CONFIG, ...changes };
  const shapes = new Map(Array.from(weightShapes(config), ({ label, shape }) => [label, shape]));
  const labels = [...shapes.keys()];
  const weights = async (label: string) => {
    const shape = shapes.get(label)!;
    const values = uniform(
      shape.reduce((product, length) => product * length, 1),
      labels.indexOf(label) + 1,
    );
    return values.map((value) => (shape.length === 1 ? 1 + value / 4 : value / 2));
  };
  const files = exportHuggingFace({
    config,
    weights,
    dtype: "F32",
    tokenizer: TOKENIZER,
    generation: { endTokens: [1] },
  });
  return drain([...files, wordingFile(WORDING)]);
}

/** Files in memory as a person would choose them. */
export function chosen(files: Files, folder = "careers"): ModelSource {
  const all = Array.from(files, ([name, bytes]): ModelFile => {
    return { path: `${folder}/${name}`, blob: new Blob([bytes]) };
  });
  return { kind: "files", files: all };
}

/** A folder on disk as a person would drop it. */
export function dropped(folder: string): ModelSource {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const files = paths
    .filter((path) => statSync(join(folder, path)).isFile())
    .map((path): ModelFile => ({ path, blob: new Blob([readFileSync(join(folder, path))]) }));
  return { kind: "files", files };
}

/** An engine in this thread, on a device of its own. */
export function localEngine(options: EngineOptions = {}): Engine {
  const engine = createEngine({ openAdapter: openTestAdapter, ...options });
  after(() => engine.destroy());
  return engine;
}

/** Opens a device of its own that has no memory for buffers of which it is told so. */
export function crampedAdapter(
  isTooMuch: (buffer: GPUBufferDescriptor) => boolean,
): () => Promise<GPUAdapter> {
  return async () => {
    const adapter = await openTestAdapter();
    const open = adapter.requestDevice.bind(adapter);
    adapter.requestDevice = async (descriptor) => {
      const device = await open(descriptor);
      const create = device.createBuffer.bind(device);
      const pop = device.popErrorScope.bind(device);
      let isFull = false;
      device.createBuffer = (buffer) => {
        isFull = isTooMuch(buffer);
        return create(buffer);
      };
      device.popErrorScope = async () => {
        const failed = isFull;
        isFull = false;
        const error = await pop();
        return failed ? { message: "no memory left" } : error;
      };
      return device;
    };
    return adapter;
  };
}

/** An engine at the other end of a channel. */
export function remoteEngine(options: EngineOptions = {}): {
  readonly engine: Engine;
  readonly page: MessagePort;
  readonly worker: MessagePort;
} {
  const { port1: page, port2: worker } = new MessageChannel();
  const close = serveEngine(worker, { openAdapter: openTestAdapter, ...options });
  const engine = createWorkerEngine(page);
  after(() => {
    engine.destroy();
    close();
    page.close();
    worker.close();
  });
  return { engine, page, worker };
}

/** All items of a stream. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
