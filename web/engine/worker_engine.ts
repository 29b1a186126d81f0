import type { Career, Observation } from "../../data/career.ts";
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
import { EngineError } from "./errors.ts";
import { abortedError, badInput } from "./explain.ts";
import {
  type CallName,
  type Reply,
  type Request,
  type StreamName,
  TAG,
  untag,
} from "./messages.ts";
import type { MessageEnd } from "./serve_engine.ts";

/**
 * An engine in a worker, so that the page never waits for it: every call becomes a message, which
 * `serveEngine()` answers at the other end.
 *
 * @param worker A worker that serves an engine, or a port to one.
 * @example
 * ```ts ignore
 * const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
 * const engine = createWorkerEngine(worker);
 * ```
 */
export function createWorkerEngine(worker: MessageEnd): Engine {
  return new WorkerEngine(worker);
}

/** A request that has not been answered yet. */
interface Waiting {
  readonly resolve: (reply: Reply & { readonly kind: "value" | "end" }) => void;
  readonly reject: (error: EngineError) => void;
}

type OnProgress = NonNullable<CallOptions["onProgress"]>;

class WorkerEngine implements Engine {
  readonly #worker: MessageEnd;
  readonly #waiting = new Map<number, Waiting>();
  readonly #progress = new Map<number, OnProgress>();
  readonly #listeners = new Set<(reason: string) => void>();
  readonly #ends: readonly [type: string, listener: (event: Event) => void][];
  #numCalls = 0;
  /** Why nothing can be asked any more. */
  #failure: EngineError | undefined;

  constructor(worker: MessageEnd) {
    this.#worker = worker;
    this.#ends = [
      ["message", (event) => this.#receive((event as MessageEvent<unknown>).data)],
      ["error", (event) => this.#die((event as ErrorEvent).message)],
      ["messageerror", () => this.#die("a message could not be read")],
      ["close", () => this.#die("it was closed")],
    ];
    for (const [type, listener] of this.#ends) worker.addEventListener(type, listener);
    worker.start?.();
  }

  device(): Promise<DeviceInfo> {
    return this.#call("device", []);
  }

  load(source: ModelSource, options: LoadOptions = {}): Promise<ModelInfo> {
    return this.#call("load", [absolute(source)], options);
  }

  model(): Promise<ModelInfo | undefined> {
    return this.#call("model", []);
  }

  unload(): Promise<void> {
    return this.#call("unload", []);
  }

  predict(career: Career, question: Question & CallOptions = {}): Promise<Prediction> {
    return this.#call("predict", [career], question);
  }

  sampleFuture(career: Career, options: FutureOptions = {}): Promise<Observation[]> {
    return this.#call("sampleFuture", [career], options);
  }

  generate(prompt: string, options: GenerateOptions = {}): AsyncIterable<string> {
    return this.#stream("generate", [prompt], options);
  }

  fineTune(careers: readonly Career[], options: FineTuneOptions): AsyncIterable<TrainedStep> {
    return this.#stream("fineTune", [careers], options);
  }

  bench(options: BenchOptions = {}): AsyncIterable<BenchEvent> {
    return this.#stream("bench", [], options);
  }

  stored(): Promise<StoreState> {
    return this.#call("stored", []);
  }

  save(source: ModelSource, options: SaveOptions = {}): Promise<StoredModelInfo> {
    return this.#call("save", [absolute(source)], options);
  }

  remove(id: string): Promise<void> {
    return this.#call("remove", [id]);
  }

  onRecovered(listener: (reason: string) => void): () => void {
    const own = (reason: string) => listener(reason); // so that a listener can listen twice
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  loseDevice(): Promise<void> {
    return this.#call("loseDevice", []);
  }

  destroy(): void {
    if (this.#failure === undefined) this.#post({ kind: "destroy" });
    const message = "The engine was destroyed";
    this.#fail(new EngineError({ kind: "aborted", message, remedy: "Create another engine." }));
  }

  async #call<T>(
    method: CallName,
    args: readonly unknown[],
    options: CallOptions = {},
  ): Promise<T> {
    const { signal } = options;
    if (signal?.aborted === true) throw abortedError(signal.reason);
    const id = this.#begin(method, args, options);
    const stop = this.#forwardAbort(id, signal);
    try {
      const reply = await this.#reply(id);
      return (reply.kind === "value" ? reply.value : undefined) as T;
    } catch (error) {
      throw this.#withReason(error, signal);
    } finally {
      stop();
      this.#progress.delete(id);
    }
  }

  async *#stream<T>(
    method: StreamName,
    args: readonly unknown[],
    options: CallOptions,
  ): AsyncGenerator<T, void, undefined> {
    const { signal } = options;
    if (signal?.aborted === true) throw abortedError(signal.reason);
    const id = this.#begin(method, args, options);
    const stop = this.#forwardAbort(id, signal);
    let isOpen = true;
    try {
      for (;;) {
        isOpen = false; // an error closes it
        const reply = await this.#ask({ kind: "next", id });
        if (reply.kind === "end") return;
        isOpen = true;
        yield reply.value as T;
      }
    } catch (error) {
      throw this.#withReason(error, signal);
    } finally {
      stop();
      this.#progress.delete(id);
      if (isOpen) await this.#ask({ kind: "return", id });
    }
  }

  /** Reasons of an abort stay on this side, so that they need not be cloneable. */
  #withReason(error: unknown, signal: AbortSignal | undefined): unknown {
    const isAbort = error instanceof EngineError && error.kind === "aborted";
    return isAbort && signal?.aborted === true ? abortedError(signal.reason) : error;
  }

  /** Sends a call without signal and callback; gives its number. */
  #begin(
    method: CallName | StreamName,
    args: readonly unknown[],
    { onProgress, ...others }: CallOptions,
  ): number {
    const options: Record<string, unknown> = { ...others };
    delete options["signal"];
    const id = (this.#numCalls += 1);
    const hasProgress = onProgress !== undefined;
    // Methods without options take no harm of some.
    this.#post({ kind: "call", id, method, args: [...args, options], hasProgress });
    if (onProgress !== undefined) this.#progress.set(id, onProgress);
    return id;
  }

  #forwardAbort(id: number, signal: AbortSignal | undefined): () => void {
    const abort = () => {
      if (this.#failure === undefined) this.#post({ kind: "abort", id });
    };
    signal?.addEventListener("abort", abort);
    return () => signal?.removeEventListener("abort", abort);
  }

  #ask(request: Request & { readonly id: number }) {
    this.#post(request);
    return this.#reply(request.id);
  }

  #reply(id: number): Promise<Reply & { readonly kind: "value" | "end" }> {
    return new Promise((resolve, reject) => {
      if (this.#failure === undefined) this.#waiting.set(id, { resolve, reject });
      else reject(this.#failure);
    });
  }

  #post(message: Request): void {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- it is no window
      this.#worker.postMessage({ tag: TAG, message });
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      throw badInput(`Cannot send the call to the worker: ${detail}`, "Pass plain data only.");
    }
  }

  #receive(data: unknown): void {
    const reply = untag(data) as Reply | undefined;
    if (reply === undefined) return;
    if (reply.kind === "recovered") {
      for (const listener of this.#listeners) listener(reply.reason);
      return;
    }
    if (reply.kind === "progress") {
      this.#progress.get(reply.id)?.(reply.progress);
      return;
    }
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.kind === "failed") waiting?.reject(new EngineError(reply.error));
    else waiting?.resolve(reply);
  }

  #die(detail: string | undefined): void {
    const reason = detail === undefined || detail === "" ? "its script could not be run" : detail;
    const message = `The worker of the engine stopped: ${reason}`;
    const remedy = "Reload the page; if it happens again, the page's worker script may be missing.";
    this.#fail(new EngineError({ kind: "internal", message, remedy }));
  }

  /** Rejects all calls, and those to come. */
  #fail(failure: EngineError): void {
    this.#failure ??= failure;
    for (const [type, listener] of this.#ends) this.#worker.removeEventListener(type, listener);
    for (const { reject } of this.#waiting.values()) reject(failure);
    this.#waiting.clear();
    this.#listeners.clear();
  }
}

/** A source whose address counts from the page, not from the worker's script. */
function absolute(source: ModelSource): ModelSource {
  if (source.kind !== "url") return source;
  const scope = globalThis as { document?: { baseURI: string }; location?: { href: string } };
  const base = scope.document?.baseURI ?? scope.location?.href;
  if (base === undefined) return source;
  try {
    return { kind: "url", url: new URL(source.url, base).href };
  } catch {
    return source; // the engine says what is wrong with it
  }
}
