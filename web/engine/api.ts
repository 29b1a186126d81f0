import type { Career, Education, Observation } from "../../data/career.ts";
import type { Wording } from "../../data/wording.ts";
import type { WeightDType } from "../../engine/pack.ts";
import type { Group } from "../../bench/cases/kernel_case.ts";
import type { BenchRow } from "../../bench/report/row.ts";
import type { Roofline } from "../../engine/profile/limit.ts";

/** A file of a model, with its path from the model's folder. Blobs cross to a worker without a copy. */
export interface ModelFile {
  readonly path: string;
  readonly blob: Blob;
}

/**
 * Where a model is: files that a person chose, a folder or a GGUF file of a web server, or one that
 * the store of this origin keeps.
 */
export type ModelSource =
  | { readonly kind: "files"; readonly files: readonly ModelFile[] }
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "stored"; readonly id: string };

/** How far long work is. */
export interface Progress {
  /** What is going on: files are copied or checked, weights go to the device, kernels compile. */
  readonly phase: "download" | "check" | "load" | "compile" | "sample" | "train" | "bench";
  /** What is being worked on, such as a file's name. */
  readonly what: string;
  readonly done: number;
  /** In the unit of `done`; absent where nobody knows. */
  readonly total?: number;
  readonly unit: "bytes" | "steps" | "years" | "cases" | "kernels";
}

/** Options of every call that takes long. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

/** Options of {@linkcode Engine.load}. */
export interface LoadOptions extends CallOptions {
  /** How weights are held. @default {"f32"} */
  readonly dtype?: WeightDType;
  /** How careers become text, where the model's files do not say. */
  readonly wording?: Partial<Wording>;
}

/** The device that an engine works on. */
export interface DeviceInfo {
  /** Such as `"Apple M2"` or `"llvmpipe"`. */
  readonly name: string;
  /** Whether it does its arithmetic on the CPU, and so is slow. */
  readonly isSoftware: boolean;
  readonly hasFloat16: boolean;
  readonly subgroupSize: number;
  /** Bytes that a kernel can see of one buffer. */
  readonly maxBindingBytes: number;
  readonly maxBufferBytes: number;
  /** What is missing, and what that means, in sentences. */
  readonly limitations: readonly string[];
}

/** A model that is loaded. */
export interface ModelInfo {
  readonly name: string;
  readonly numParameters: number;
  readonly dtype: WeightDType;
  /** Tokens that the model can read at once. */
  readonly maxSeqLen: number;
  /** How it reads careers. */
  readonly wording: Wording;
  /** Whether the model's files say so; if not, `wording` holds defaults. */
  readonly isWordingKnown: boolean;
  /** Bytes on the device. */
  readonly deviceBytes: number;
  readonly loadMs: number;
}

/** What is asked of a career: the occupation in a year, the ones before being told. */
export interface Question {
  /** Years from this one on are not told. @default {the one after the last} */
  readonly year?: number;
  /** Education in that year. @default {the last that is told} */
  readonly education?: Education;
  /**
   * Probability that may stay unexplored among titles, for speed; see `LanguageModel`.
   * @default {0}
   */
  readonly tolerance?: number;
}

/** An answer. */
export interface Prediction {
  readonly year: number;
  readonly education: Education;
  /** The resume as the model reads it, up to the title in question. */
  readonly prompt: string;
  /** Tokens of the prompt; of `maxSeqLen`, the titles in question take some, too. */
  readonly numTokens: number;
  /** Normalized, in the order of `OCCUPATIONS`, `[335]`. */
  readonly probabilities: Float64Array;
  /** Occupation of the last year told; none if no year is. */
  readonly last?: string;
  /** P(the same occupation again); none if no year is told. */
  readonly stay?: number;
  readonly ms: number;
}

/** Options of {@linkcode Engine.sampleFuture}. */
export interface FutureOptions extends CallOptions {
  /** Years to go on for. @default {10} */
  readonly years?: number;
  /** Education of the years to come. @default {the last that is told} */
  readonly education?: Education;
  /** The same seed gives the same future. @default {0} */
  readonly seed?: number;
}

/** Options of {@linkcode Engine.generate}. */
export interface GenerateOptions extends CallOptions {
  /** @default {128} */
  readonly maxNewTokens?: number;
  /** @default {as the model's files say} */
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly seed?: number;
  /** Goes on behind the token that ends a text. @default {false} */
  readonly ignoreEnd?: boolean;
}

/** Options of {@linkcode Engine.fineTune}. */
export interface FineTuneOptions extends CallOptions {
  readonly steps: number;
  /** @default {1e-3} */
  readonly learningRate?: number;
  /** Tokens of a step. @default {512} */
  readonly batchTokens?: number;
  /** @default {0} */
  readonly seed?: number;
}

/** A step of training. */
export interface TrainedStep {
  readonly step: number;
  /** Mean negative log-likelihood of a token, before the step. */
  readonly loss: number;
  readonly tokensPerSecond: number;
}

/** Options of {@linkcode Engine.bench}. */
export interface BenchOptions extends CallOptions {
  /** @default {by device: "small" on a software adapter, else "full"} */
  readonly scale?: "small" | "full";
  /** A few cases of each group. @default {true} */
  readonly quick?: boolean;
  /** Only cases whose id contains this. */
  readonly only?: string;
  /** Only cases of this family. */
  readonly group?: Group;
}

/**
 * What a bench finds, as it goes on: the adapter's ceilings first, then a row a case, and at last
 * the ceilings once more, for the device may have been busy at first; see `againstLimit()`.
 */
export type BenchEvent =
  | ({ readonly kind: "roofline" } & Roofline)
  | { readonly kind: "row"; readonly row: BenchRow; readonly group: Group }
  /** A case that the device cannot run, or gets wrong. */
  | { readonly kind: "left out"; readonly id: string; readonly why: string };

/** A model that the store keeps. */
export interface StoredModelInfo {
  readonly id: string;
  readonly name: string;
  readonly bytes: number;
  /** When it was saved, ISO 8601. */
  readonly savedAt: string;
  readonly files: readonly {
    readonly path: string;
    readonly bytes: number;
    /** Lower-case hex. */
    readonly sha256: string;
  }[];
}

/** What is kept, and how much room there is. */
export interface StoreState {
  readonly models: readonly StoredModelInfo[];
  /** Bytes that this origin takes, and may take, as the browser estimates it. */
  readonly usage?: number;
  readonly quota?: number;
  /** Whether the browser promised not to remove it by itself. */
  readonly isPersistent?: boolean;
  /** What cannot be loaded any more, and why, in a sentence; it can be removed by its id. */
  readonly damaged?: readonly { readonly id: string; readonly message: string }[];
}

/** Options of {@linkcode Engine.save}. */
export interface SaveOptions extends CallOptions {
  /** What people call it. @default {the folder's or file's name} */
  readonly name?: string;
  /** SHA-256 that files must have, by path. */
  readonly sha256?: Readonly<Record<string, string>>;
}

/**
 * An occupation model on the visitor's GPU. One engine holds one model; calls are done one after
 * the other, whoever makes them.
 *
 * Every call may reject with an {@linkcode EngineError}, whose `kind` says what happened and whose
 * `remedy` says what to do. If the device is lost, the engine opens another one, loads the weights
 * again, and repeats the call once.
 */
export interface Engine {
  /** Opens the device, if it is not open yet. */
  device(): Promise<DeviceInfo>;
  /** Loads a model, in place of the one before. */
  load(source: ModelSource, options?: LoadOptions): Promise<ModelInfo>;
  /** The model that is loaded. */
  model(): Promise<ModelInfo | undefined>;
  unload(): Promise<void>;
  /** Probabilities of all occupations in a year of a career. */
  predict(career: Career, question?: Question & CallOptions): Promise<Prediction>;
  /** Years to come, drawn one after the other. */
  sampleFuture(career: Career, options?: FutureOptions): Promise<Observation[]>;
  /** Goes on with any text; pieces come as they are final. */
  generate(prompt: string, options?: GenerateOptions): AsyncIterable<string>;
  /** Goes on training the model that is loaded on some careers; the files it came from stay as they are. */
  fineTune(careers: readonly Career[], options: FineTuneOptions): AsyncIterable<TrainedStep>;
  /** Measures kernels on this device. */
  bench(options?: BenchOptions): AsyncIterable<BenchEvent>;
  /** What the store of this origin keeps. */
  stored(): Promise<StoreState>;
  /** Copies a model into the store, checked and whole, or not at all. */
  save(source: ModelSource, options?: SaveOptions): Promise<StoredModelInfo>;
  /** Removes a model from the store. */
  remove(id: string): Promise<void>;
  /** Called whenever the device was lost and opened again. @returns Ends the subscription. */
  onRecovered(listener: (reason: string) => void): () => void;
  /** Destroys the device as a crash would, to see a page recover. */
  loseDevice(): Promise<void>;
  /** Frees everything; calls under way reject. */
  destroy(): void;
}
