/** What can go wrong with an engine, so that a page can offer the right way on. */
export type EngineErrorKind =
  /** The browser has no WebGPU, or no adapter. */
  | "no-webgpu"
  /** The device was lost and could not be opened again. */
  | "device-lost"
  /** The device, or the tab, has too little memory. */
  | "out-of-memory"
  /** The model needs what the device does not have. */
  | "limits"
  /** The origin's storage is full. */
  | "quota"
  /** Files are damaged, malformed, or not those that were promised. */
  | "corrupt"
  /** Files are whole, but not of a model that can be used here. */
  | "unsupported"
  /** Somebody else, such as another tab, is at it. */
  | "busy"
  /** What was asked cannot be asked. */
  | "bad-input"
  /** The server could not be reached, or refused. */
  | "network"
  /** The caller ended it. */
  | "aborted"
  /** A mistake of ours. */
  | "internal";

/** What an {@linkcode EngineError} is made of. */
export interface EngineErrorParts {
  readonly kind: EngineErrorKind;
  /** What happened, in a sentence without a period. */
  readonly message: string;
  /** What a person can do about it, in a sentence. */
  readonly remedy: string;
  readonly cause?: unknown;
}

/** An error of an engine: what happened, and what to do. It crosses from worker to page whole. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly kind: EngineErrorKind;
  readonly remedy: string;

  constructor({ kind, message, remedy, cause }: EngineErrorParts) {
    super(message, cause === undefined ? {} : { cause });
    this.kind = kind;
    this.remedy = remedy;
  }
}
