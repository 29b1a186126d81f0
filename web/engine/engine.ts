import type { Career, Observation } from "../../data/career.ts";
import type { Gpu } from "../../engine/gpu.ts";
import type {
  BenchEvent,
  BenchOptions,
  CallOptions,
  DeviceInfo,
  Engine,
  FineTuneOptions,
  FutureOptions,
  GenerateOptions,
  LoadOptions,
  ModelInfo,
  ModelSource,
  Prediction,
  Question,
  SaveOptions,
  StoredModelInfo,
  StoreState,
  TrainedStep,
} from "./api.ts";
import { CallQueue } from "./call_queue.ts";
import { describeDevice, type OpenAdapter, openOwnAdapter } from "./device.ts";
import { EngineError } from "./errors.ts";
import { abortedError, type Activity, engineError } from "./explain.ts";
import type { StoredFiles } from "./model_files.ts";
import { Session } from "./session.ts";

/** What an engine takes of the store of its origin. */
export interface EngineStore extends StoredFiles {
  list(): Promise<StoreState>;
  save(source: ModelSource, options?: SaveOptions): Promise<StoredModelInfo>;
  remove(id: string): Promise<void>;
}

/** Options of {@linkcode createEngine}. */
export interface EngineOptions {
  /** Opens an adapter; null where there is none. @default {that of `navigator.gpu`} */
  readonly openAdapter?: OpenAdapter;
  /** Where models are kept. @default {this origin's files (OPFS)} */
  readonly store?: EngineStore;
}

/**
 * An engine in this thread, which its work blocks for moments: in a page, take
 * `createWorkerEngine()`. Nothing is opened before the first call.
 *
 * @example
 * ```ts ignore
 * const engine = createEngine();
 * await engine.load({ kind: "url", url: "/models/careers/" });
 * const { probabilities } = await engine.predict(career);
 * ```
 */
export function createEngine(options: EngineOptions = {}): Engine {
  return new LocalEngine(options);
}

async function openOwnStore(): Promise<EngineStore> {
  const { openModelStore } = await import("../store/model_store.ts");
  return openModelStore();
}

class LocalEngine implements Engine {
  readonly #openStore: () => Promise<EngineStore>;
  readonly #session: Session;
  readonly #queue = new CallQueue();
  readonly #listeners = new Set<(reason: string) => void>();
  #destroyed: EngineError | undefined;

  constructor({ openAdapter = openOwnAdapter, store }: EngineOptions) {
    this.#openStore = store === undefined ? openOwnStore : () => Promise.resolve(store);
    this.#session = new Session({
      openAdapter,
      openStore: this.#openStore,
      onRecovered: (reason) => this.#listeners.forEach((listener) => listener(reason)),
      onLost: () => this.#recoverSoon(),
    });
  }

  device(): Promise<DeviceInfo> {
    return this.#call("open", async () => describeDevice(await this.#session.gpu()));
  }

  load(source: ModelSource, options: LoadOptions = {}): Promise<ModelInfo> {
    const work = async (gpu: Gpu) => (await this.#session.load(gpu, source, options)).info;
    return this.#onDevice("load", work, options);
  }

  model(): Promise<ModelInfo | undefined> {
    // At once, so that whoever follows a long call can ask it.
    return this.#call("load", () => Promise.resolve(this.#session.info));
  }

  unload(): Promise<void> {
    return this.#call("load", () => this.#queue.run(() => Promise.resolve(this.#session.unload())));
  }

  predict(career: Career, question: Question & CallOptions = {}): Promise<Prediction> {
    const work = async (gpu: Gpu) => {
      const { reader } = await this.#session.model(gpu);
      return reader.predict(career, question);
    };
    return this.#onDevice("ask", work, question);
  }

  sampleFuture(career: Career, options: FutureOptions = {}): Promise<Observation[]> {
    const work = async (gpu: Gpu) => {
      const { reader } = await this.#session.model(gpu);
      return reader.sampleFuture(career, options);
    };
    return this.#onDevice("ask", work, options);
  }

  generate(prompt: string, options: GenerateOptions = {}): AsyncIterable<string> {
    const session = this.#session;
    return this.#stream("ask", options, async function* (gpu) {
      yield* (await session.model(gpu)).generate(prompt, options);
    });
  }

  fineTune(careers: readonly Career[], options: FineTuneOptions): AsyncIterable<TrainedStep> {
    const session = this.#session;
    return this.#stream("tune", options, async function* (gpu) {
      yield* (await session.model(gpu)).fineTune(careers, options);
    });
  }

  bench(options: BenchOptions = {}): AsyncIterable<BenchEvent> {
    return this.#stream("bench", options, async function* (gpu) {
      const { benchKernels } = await import("./bench.ts");
      yield* benchKernels(gpu, options);
    });
  }

  stored(): Promise<StoreState> {
    return this.#call("store", async () => (await this.#openStore()).list());
  }

  save(source: ModelSource, options: SaveOptions = {}): Promise<StoredModelInfo> {
    const work = async () => (await this.#openStore()).save(source, options);
    return this.#call("store", work, options);
  }

  remove(id: string): Promise<void> {
    return this.#call("store", async () => (await this.#openStore()).remove(id));
  }

  onRecovered(listener: (reason: string) => void): () => void {
    const own = (reason: string) => listener(reason); // so that a listener can listen twice
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  loseDevice(): Promise<void> {
    return this.#call("open", () => this.#session.lose());
  }

  destroy(): void {
    this.#destroyed ??= new EngineError({
      kind: "aborted",
      message: "The engine was destroyed",
      remedy: "Create another engine.",
    });
    this.#queue.destroy(this.#destroyed);
    this.#session.destroy();
    this.#listeners.clear();
  }

  /** A call on the device, once those before it are done. */
  #onDevice<T>(
    activity: Activity,
    work: (gpu: Gpu) => Promise<T>,
    { signal }: CallOptions = {},
  ): Promise<T> {
    const run = () => this.#queue.run(() => this.#session.run(work), signal);
    return this.#call(activity, run, { ...(signal && { signal }) });
  }

  /** A call whose errors are an engine's. */
  async #call<T>(
    activity: Activity,
    work: () => Promise<T>,
    { signal }: CallOptions = {},
  ): Promise<T> {
    try {
      if (this.#destroyed !== undefined) throw this.#destroyed;
      return await work();
    } catch (error) {
      throw this.#explain(error, activity, signal);
    }
  }

  async *#stream<T>(
    activity: Activity,
    { signal }: CallOptions,
    work: (gpu: Gpu) => AsyncGenerator<T>,
  ): AsyncGenerator<T, void, undefined> {
    let end: (() => void) | undefined;
    try {
      if (this.#destroyed !== undefined) throw this.#destroyed;
      end = await this.#queue.turn(signal);
      const isOnTuned = activity === "tune" && this.#session.isTuned;
      yield* this.#session.stream(work, !isOnTuned);
      if (signal?.aborted === true) throw abortedError(signal.reason);
    } catch (error) {
      throw this.#explain(error, activity, signal);
    } finally {
      end?.();
    }
  }

  #explain(error: unknown, activity: Activity, signal: AbortSignal | undefined): EngineError {
    if (this.#destroyed !== undefined) return this.#destroyed;
    if (signal?.aborted === true) return abortedError(signal.reason);
    return engineError(error, activity);
  }

  /** Opens another device once calls under way, which do so themselves, are done. */
  #recoverSoon(): void {
    if (this.#destroyed !== undefined) return;
    // Who asks next is told what went wrong.
    this.#queue.run(() => this.#session.recoverIfLost()).catch(() => undefined);
  }
}
