// The web-standard globals that the core may use, and no others: what Node,
// Deno, Bun, browsers and their workers all offer. The core is checked against
// this file instead of the DOM library, so that `document` or `process` does
// not compile there. Declare a global here when the core first needs it.

type BufferSource = ArrayBuffer | ArrayBufferView<ArrayBuffer>;

interface Event {
  readonly type: string;
}

interface EventTarget {
  addEventListener(
    type: string,
    listener: (event: Event) => void,
    options?: { once?: boolean },
  ): void;
  removeEventListener(type: string, listener: (event: Event) => void): void;
}

interface DOMException extends Error {
  readonly code: number;
}

interface AbortSignal extends EventTarget {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
}

declare class AbortController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}

declare class TextEncoder {
  encode(text?: string): Uint8Array<ArrayBuffer>;
  encodeInto(text: string, target: Uint8Array): { read: number; written: number };
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(bytes?: ArrayBuffer | ArrayBufferView, options?: { stream?: boolean }): string;
}

interface ReadableStreamReadDoneResult<T> {
  done: true;
  value?: T | undefined;
}

interface ReadableStreamReadValueResult<T> {
  done: false;
  value: T;
}

interface ReadableStreamDefaultReader<R> {
  readonly closed: Promise<void>;
  read(): Promise<ReadableStreamReadValueResult<R> | ReadableStreamReadDoneResult<R>>;
  cancel(reason?: unknown): Promise<void>;
  releaseLock(): void;
}

interface ReadableStreamDefaultController<R> {
  readonly desiredSize: number | null;
  enqueue(chunk?: R): void;
  close(): void;
  error(reason?: unknown): void;
}

interface UnderlyingSource<R> {
  start?(controller: ReadableStreamDefaultController<R>): void | PromiseLike<void>;
  pull?(controller: ReadableStreamDefaultController<R>): void | PromiseLike<void>;
  cancel?(reason?: unknown): void | PromiseLike<void>;
}

interface ReadableWritablePair<R, W> {
  readonly readable: ReadableStream<R>;
  readonly writable: WritableStream<W>;
}

declare class ReadableStream<R = unknown> {
  constructor(source?: UnderlyingSource<R>);
  static from<R>(chunks: Iterable<R> | AsyncIterable<R>): ReadableStream<R>;
  readonly locked: boolean;
  cancel(reason?: unknown): Promise<void>;
  getReader(): ReadableStreamDefaultReader<R>;
  pipeThrough<T>(transform: ReadableWritablePair<T, R>): ReadableStream<T>;
  pipeTo(destination: WritableStream<R>, options?: { signal?: AbortSignal }): Promise<void>;
  values(): AsyncIterableIterator<R>;
  [Symbol.asyncIterator](): AsyncIterableIterator<R>;
}

interface WritableStreamDefaultWriter<W> {
  readonly ready: Promise<void>;
  write(chunk: W): Promise<void>;
  close(): Promise<void>;
  abort(reason?: unknown): Promise<void>;
  releaseLock(): void;
}

declare class WritableStream<W = unknown> {
  readonly locked: boolean;
  abort(reason?: unknown): Promise<void>;
  getWriter(): WritableStreamDefaultWriter<W>;
}

interface TransformStreamDefaultController<O> {
  enqueue(chunk: O): void;
  error(reason?: unknown): void;
  terminate(): void;
}

declare class TransformStream<I = unknown, O = unknown> implements ReadableWritablePair<O, I> {
  constructor(transformer?: {
    start?(controller: TransformStreamDefaultController<O>): void | PromiseLike<void>;
    transform?(chunk: I, controller: TransformStreamDefaultController<O>): void | PromiseLike<void>;
    flush?(controller: TransformStreamDefaultController<O>): void | PromiseLike<void>;
  });
  readonly readable: ReadableStream<O>;
  readonly writable: WritableStream<I>;
}

declare class TextDecoderStream implements ReadableWritablePair<string, BufferSource> {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  readonly readable: ReadableStream<string>;
  readonly writable: WritableStream<BufferSource>;
}

declare class DecompressionStream implements ReadableWritablePair<
  Uint8Array<ArrayBuffer>,
  BufferSource
> {
  constructor(format: "deflate" | "deflate-raw" | "gzip");
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<BufferSource>;
}

declare const performance: { now(): number };

declare const crypto: {
  readonly subtle: { digest(algorithm: "SHA-256", data: BufferSource): Promise<ArrayBuffer> };
};

declare function atob(text: string): string;
declare function btoa(bytes: string): string;
declare function queueMicrotask(callback: () => void): void;
declare function structuredClone<T>(value: T): T;

interface Headers {
  get(name: string): string | null;
}

interface Response {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>> | null;
  arrayBuffer(): Promise<ArrayBuffer>;
}

declare function fetch(
  url: string,
  init?: { headers?: Readonly<Record<string, string>>; signal?: AbortSignal },
): Promise<Response>;

declare class URL {
  constructor(url: string, base?: string);
  readonly href: string;
  readonly pathname: string;
}

/** Has `gpu` where the runtime offers WebGPU; Node has none. */
interface Navigator {
  readonly gpu?: GPU;
}
declare const navigator: Navigator;
