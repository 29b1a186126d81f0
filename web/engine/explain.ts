import { GpuLostError } from "../../engine/gpu_errors.ts";
import { EngineError, type EngineErrorKind } from "./errors.ts";

/** What was going on when an error came: whose fault it is depends on that. */
export type Activity = "open" | "load" | "ask" | "tune" | "bench" | "store";

const REMEDIES: Readonly<Record<EngineErrorKind, string>> = {
  "no-webgpu": "Use a current browser with WebGPU, and switch on hardware acceleration.",
  "device-lost":
    "Close other pages that use the GPU, then reload this one; if it happens again, use a smaller model.",
  "out-of-memory":
    "Load the model with fewer bits a weight, or a smaller one, and close other pages.",
  limits: "Use a smaller model, or a device with larger buffers.",
  quota: "Remove models that are kept, or free space on this device.",
  corrupt: "Copy or download the file again.",
  unsupported: "Use a model in Hugging Face's layout or a GGUF file of a supported family.",
  busy: "Close the other tab, or wait until it is done.",
  "bad-input": "Correct what is named and try again.",
  network: "Check the connection and the address, then try again.",
  aborted: "Start again if you like.",
  internal: "Reload the page; if it happens again, please report it.",
};

/** Files that are whole, but ask for what this program does not do. */
const UNSUPPORTED = new RegExp(
  [
    "(model_type|architectures|auto_map|quantization_config|hidden_act|rope_scaling|layer_types) must",
    "must be GGUF or llama2\\.c's",
    "must have a tokenizer",
    "pickle",
    "not supported",
    "general\\.architecture",
    "Cannot tell occupations apart",
    "Cannot write resumes with this tokenizer",
  ].join("|"),
);

/**
 * Any error as an engine's, so that a page can say what to do about it.
 *
 * @param error What was thrown.
 * @param activity What was going on.
 */
export function engineError(error: unknown, activity: Activity): EngineError {
  if (error instanceof EngineError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const kind = kindOf(error, activity);
  return new EngineError({ kind, message, remedy: REMEDIES[kind], cause: error });
}

/** The error of a call that its caller ended. */
export function abortedError(reason?: unknown): EngineError {
  const detail = reason instanceof Error && reason.name !== "AbortError" ? reason.message : "";
  return new EngineError({
    kind: "aborted",
    message: detail === "" ? "The call was ended before it was done" : detail,
    remedy: REMEDIES.aborted,
    cause: reason,
  });
}

/** The error of a question that cannot be asked. */
export function badInput(message: string, remedy = REMEDIES["bad-input"]): EngineError {
  return new EngineError({ kind: "bad-input", message, remedy });
}

function kindOf(error: unknown, activity: Activity): EngineErrorKind {
  if (error instanceof GpuLostError) return "device-lost";
  const { name = "", message = "" } = error instanceof Error ? error : {};
  if (name === "AbortError") return "aborted";
  if (name === "QuotaExceededError") return "quota";
  if (name === "NotFoundError" || name === "NotReadableError") return "corrupt";
  const memory = memoryKind(error, message);
  if (memory !== undefined) return memory;
  if (UNSUPPORTED.test(message)) return "unsupported";
  if (activity === "load") return kindOfLoading(error);
  if (error instanceof RangeError || name === "NotFiniteError") return "bad-input";
  if (activity === "ask" && error instanceof SyntaxError) return "bad-input";
  return "internal";
}

function memoryKind(error: unknown, message: string): EngineErrorKind | undefined {
  if (/a buffer of this device holds at most/.test(message)) return "limits";
  const isOurs = /^Cannot (allocate|hold) /.test(message);
  // What browsers say when the tab, not the device, runs out.
  const isHosts = /Array buffer allocation failed|Invalid (typed )?array (buffer )?length/i;
  const isHost = error instanceof RangeError && isHosts.test(message);
  return isOurs || isHost || /out of memory/i.test(message) ? "out-of-memory" : undefined;
}

function kindOfLoading(error: unknown): EngineErrorKind {
  if (error instanceof SyntaxError || error instanceof RangeError) return "corrupt";
  return error instanceof TypeError ? "unsupported" : "internal";
}
