import type { Engine, Progress } from "./api.ts";
import { createEngine, type EngineOptions } from "./engine.ts";
import { engineError } from "./explain.ts";
import {
  CALLS,
  type CallName,
  errorToMessage,
  type Reply,
  type Request,
  type StreamName,
  TAG,
  untag,
} from "./messages.ts";

/** What messages go through: a worker's own scope, a worker seen from its page, a `MessagePort`. */
export interface MessageEnd {
  postMessage(message: unknown): void;
  addEventListener(type: string, listener: (event: Event) => void): void;
  removeEventListener(type: string, listener: (event: Event) => void): void;
  /** Of ports alone, which keep messages back until then. */
  start?(): void;
}

/** A call under way. */
interface Call {
  readonly controller: AbortController;
  /** Items of a stream. */
  readonly items?: AsyncIterator<unknown>;
}

/**
 * Answers what `createWorkerEngine()` asks at the other end. This is all that a worker of one's own
 * has to do:
 *
 * ```ts ignore
 * import { serveEngine } from "tenure/web";
 * serveEngine();
 * ```
 *
 * @param end Where messages come in. @default {the worker's own scope}
 * @param options As of `createEngine()`.
 * @returns Ends it, and frees everything.
 */
export function serveEngine(end: MessageEnd = globalThis, options: EngineOptions = {}): () => void {
  const server = new EngineServer(end, createEngine(options));
  return () => server.close();
}

class EngineServer {
  readonly #end: MessageEnd;
  readonly #engine: Engine;
  readonly #calls = new Map<number, Call>();
  readonly #listener = (event: Event) => {
    const request = untag((event as MessageEvent<unknown>).data) as Request | undefined;
    if (request !== undefined) this.#receive(request);
  };

  constructor(end: MessageEnd, engine: Engine) {
    this.#end = end;
    this.#engine = engine;
    engine.onRecovered((reason) => this.#send({ kind: "recovered", reason }));
    end.addEventListener("message", this.#listener);
    end.start?.();
  }

  close(): void {
    this.#end.removeEventListener("message", this.#listener);
    this.#engine.destroy();
  }

  #receive(request: Request): void {
    if (request.kind === "destroy") return this.close();
    const { id } = request;
    if (request.kind === "call") return this.#begin(request);
    const call = this.#calls.get(id);
    if (call === undefined) return; // it ended while the message was on its way
    if (request.kind === "abort") call.controller.abort();
    else if (request.kind === "next") void this.#answer(id, () => this.#next(id, call));
    else void this.#answer(id, () => this.#return(id, call));
  }

  #begin(request: Request & { readonly kind: "call" }): void {
    const { id, method } = request;
    const controller = new AbortController();
    const options: { signal: AbortSignal; onProgress?: (progress: Progress) => void } = {
      signal: controller.signal,
    };
    if (request.hasProgress) {
      options.onProgress = (progress) => this.#send({ kind: "progress", id, progress });
    }
    const args = withOptions(request.args, options);
    if (isCall(method)) {
      this.#calls.set(id, { controller });
      const ask = this.#engine[method] as (...all: unknown[]) => Promise<unknown>;
      void this.#answer(id, async () => {
        const value = await ask.apply(this.#engine, args);
        this.#calls.delete(id);
        this.#send({ kind: "value", id, value });
      });
      return;
    }
    const start = this.#engine[method] as (...all: unknown[]) => AsyncIterable<unknown>;
    const items = start.apply(this.#engine, args)[Symbol.asyncIterator]();
    this.#calls.set(id, { controller, items });
  }

  async #next(id: number, { items }: Call): Promise<void> {
    const item = await items!.next();
    if (item.done !== true) return this.#send({ kind: "value", id, value: item.value });
    this.#calls.delete(id);
    this.#send({ kind: "end", id });
  }

  async #return(id: number, { items }: Call): Promise<void> {
    await items?.return?.();
    this.#calls.delete(id);
    this.#send({ kind: "end", id });
  }

  async #answer(id: number, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#calls.delete(id);
      this.#send({ kind: "failed", id, error: errorToMessage(engineError(error, "open")) });
    }
  }

  #send(message: Reply): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- it is no window
    this.#end.postMessage({ tag: TAG, message });
  }
}

function isCall(method: CallName | StreamName): method is CallName {
  return CALLS.some((name) => name === method);
}

/** Arguments with the signal and callback that stayed behind, in the last, the options. */
function withOptions(args: readonly unknown[], options: object): unknown[] {
  const last = args.at(-1) as object | undefined;
  return [...args.slice(0, -1), { ...last, ...options }];
}
