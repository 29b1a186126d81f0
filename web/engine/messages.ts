import type { Engine, Progress } from "./api.ts";
import { EngineError, type EngineErrorParts } from "./errors.ts";

/** Methods of an engine that give one answer. */
export const CALLS = [
  "device",
  "load",
  "model",
  "unload",
  "predict",
  "sampleFuture",
  "stored",
  "save",
  "remove",
  "loseDevice",
] as const satisfies readonly (keyof Engine)[];

/** Methods of an engine that give items as they go on. */
export const STREAMS = [
  "generate",
  "fineTune",
  "bench",
] as const satisfies readonly (keyof Engine)[];

/** One of {@linkcode CALLS}. */
export type CallName = (typeof CALLS)[number];
/** One of {@linkcode STREAMS}. */
export type StreamName = (typeof STREAMS)[number];

/** Tells our messages from others of the same port. */
export const TAG = "tenure";

/**
 * What a page asks of a worker. Each call has a number of its own; arguments cross by structured
 * clone, signals and callbacks stay behind and become messages.
 */
export type Request =
  | {
      readonly kind: "call";
      readonly id: number;
      readonly method: CallName | StreamName;
      /** Without signal and callback. */
      readonly args: readonly unknown[];
      /** Whether anybody listens to its progress. */
      readonly hasProgress: boolean;
    }
  /** Asks a stream for its next item: none is made before. */
  | { readonly kind: "next"; readonly id: number }
  /** Nobody wants further items. */
  | { readonly kind: "return"; readonly id: number }
  | { readonly kind: "abort"; readonly id: number }
  | { readonly kind: "destroy" };

/** What a worker answers. */
export type Reply =
  | { readonly kind: "progress"; readonly id: number; readonly progress: Progress }
  /** The answer of a call, or an item of a stream. */
  | { readonly kind: "value"; readonly id: number; readonly value: unknown }
  /** A stream has no more items, or has been closed. */
  | { readonly kind: "end"; readonly id: number }
  | {
      readonly kind: "failed";
      readonly id: number;
      readonly error: Omit<EngineErrorParts, "cause">;
    }
  | { readonly kind: "recovered"; readonly reason: string };

/** A message under our tag. */
interface Tagged {
  readonly tag: typeof TAG;
  readonly message: unknown;
}

/** A message of ours, or undefined if it is another's. */
export function untag(data: unknown): unknown {
  const isOurs = typeof data === "object" && data !== null && "tag" in data && data.tag === TAG;
  return isOurs ? (data as Tagged).message : undefined;
}

/** An error as it crosses: whole, but for its cause, which need not be cloneable. */
export function errorToMessage({
  kind,
  message,
  remedy,
}: EngineError): Omit<EngineErrorParts, "cause"> {
  return { kind, message, remedy };
}
