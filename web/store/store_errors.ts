import { EngineError, type EngineErrorParts } from "../engine/errors.ts";

/** What a browser's exceptions say of a file or of storage, by their names. */
const BY_NAME: Readonly<Record<string, Pick<EngineErrorParts, "kind" | "remedy">>> = {
  QuotaExceededError: {
    kind: "quota",
    remedy: "Remove a stored model, or free disk space, and try again.",
  },
  NoModificationAllowedError: {
    kind: "busy",
    remedy: "Close the other tabs of this page and try again.",
  },
  NotReadableError: {
    kind: "bad-input",
    remedy: "The file was changed or moved since it was chosen: choose it again.",
  },
  SecurityError: {
    kind: "unsupported",
    remedy: "Allow this page to keep data, or leave the private window.",
  },
};

/** Whether something thrown says that storage is full. */
export function isQuotaError(error: unknown): boolean {
  return (
    (error instanceof Error && error.name === "QuotaExceededError") ||
    (error instanceof EngineError && error.kind === "quota")
  );
}

/**
 * An error as pages get it; those that are already such stay as they are.
 *
 * @param task What could not be done, such as `save "my model"`.
 */
export function storeError(
  task: string,
  { error, signal }: { readonly error: unknown; readonly signal?: AbortSignal | undefined },
): EngineError {
  if (signal?.aborted === true) return aborted(task, error);
  if (error instanceof EngineError) return error;
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  if (name === "AbortError") return aborted(task, error);
  if (error instanceof SyntaxError) {
    return new EngineError({
      kind: "corrupt",
      message,
      remedy: "Get the model's files again.",
      cause: error,
    });
  }
  const { kind, remedy } = BY_NAME[name] ?? {
    kind: "internal" as const,
    remedy: "Reload the page and try again.",
  };
  return new EngineError({ kind, message: `Cannot ${task}: ${message}`, remedy, cause: error });
}

/** The caller ended it. */
function aborted(task: string, cause?: unknown): EngineError {
  return new EngineError({
    kind: "aborted",
    message: `Cannot ${task}: it was ended`,
    remedy: "Start it again to go on.",
    cause,
  });
}
