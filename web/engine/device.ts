import { Gpu, GpuLostError, isSoftware } from "../../engine/gpu.ts";
import type { DeviceInfo } from "./api.ts";
import { EngineError } from "./errors.ts";

/** Opens an adapter; null where there is none. */
export type OpenAdapter = () => Promise<GPUAdapter | null>;

/** Storage buffers that our kernels bind at most. */
const STORAGE_BUFFERS = 8;

/** Bytes of a binding below which large vocabularies are taken in parts. */
const SMALL_BINDING = 2 ** 27;

/** The adapter of this runtime. */
export const openOwnAdapter: OpenAdapter = async () => {
  const entry = (globalThis.navigator as Partial<Navigator> | undefined)?.gpu;
  if (entry === undefined) throw withoutWebGpu();
  return entry.requestAdapter({ powerPreference: "high-performance" });
};

/**
 * Opens a device.
 *
 * @throws {EngineError} Of kind `"no-webgpu"`, with a remedy for each cause; of kind `"limits"` if
 *   the device has less than every kernel needs.
 */
export async function openDevice(openAdapter: OpenAdapter): Promise<Gpu> {
  const adapter = await openAdapter().catch((cause: unknown) => {
    if (cause instanceof EngineError) throw cause;
    throw unopened("the browser failed to look for a graphics adapter", cause);
  });
  if (adapter === null) throw withoutAdapter();
  const { maxStorageBuffersPerShaderStage: buffers } = adapter.limits;
  if (buffers < STORAGE_BUFFERS) {
    throw new EngineError({
      kind: "limits",
      message: `Cannot use this graphics adapter: a kernel must see ${STORAGE_BUFFERS} buffers, got ${buffers}`,
      remedy: "Use a newer graphics adapter or driver.",
    });
  }
  try {
    return await Gpu.open(adapter);
  } catch (cause) {
    throw unopened("the graphics adapter refused to open a device", cause);
  }
}

function withoutWebGpu(): EngineError {
  const isInsecure = (globalThis as Partial<typeof globalThis>).isSecureContext === false;
  return new EngineError({
    kind: "no-webgpu",
    message: isInsecure
      ? "Cannot use the GPU: WebGPU is there only for pages that come over HTTPS or from this computer"
      : "Cannot use the GPU: this browser has no WebGPU",
    remedy: isInsecure
      ? "Open the page over https://, or from localhost."
      : "Use a current Chrome, Edge, Safari or Firefox; in Chrome under Linux, chrome://flags/#enable-unsafe-webgpu switches it on.",
  });
}

function withoutAdapter(): EngineError {
  return new EngineError({
    kind: "no-webgpu",
    message: "Cannot use the GPU: this browser has WebGPU, but found no graphics adapter for it",
    remedy:
      "Switch on hardware acceleration in the browser's settings and update the graphics driver; chrome://gpu says why an adapter is blocked.",
  });
}

function unopened(what: string, cause: unknown): EngineError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new EngineError({
    kind: "no-webgpu",
    message: `Cannot use the GPU: ${what} (${detail})`,
    remedy: "Close other pages that use the GPU, then reload this one or restart the browser.",
    cause,
  });
}

/** What a page should know of a device. */
export function describeDevice(gpu: Gpu): DeviceInfo {
  const { info, device, subgroupSize, maxBindingBytes } = gpu;
  const name = info.description || info.device || `${info.vendor} ${info.architecture}`.trim();
  return {
    name: name === "" ? "unknown adapter" : name,
    isSoftware: isSoftware(info),
    hasFloat16: device.features.has("shader-f16"),
    subgroupSize,
    maxBindingBytes,
    maxBufferBytes: device.limits.maxBufferSize,
    limitations: limitationsOf(gpu),
  };
}

function limitationsOf({ info, device, maxBindingBytes }: Gpu): string[] {
  const mebibytes = (bytes: number) => `${Math.floor(bytes / 2 ** 20)} MiB`;
  const found: string[] = [];
  if (isSoftware(info)) {
    found.push(
      "It does its arithmetic on the processor: everything works, but large models are slow.",
    );
  }
  if (!device.features.has("shader-f16")) {
    found.push(
      "It has no 16-bit arithmetic: weights of 16 bits are unpacked to 32, which is slower.",
    );
  }
  if (maxBindingBytes <= SMALL_BINDING) {
    found.push(
      `A kernel sees at most ${mebibytes(maxBindingBytes)} at a time: larger weights are taken in parts, and contexts of very long texts are cut.`,
    );
  }
  return found;
}

/** Hears of the loss of a device at once, and forgets who has stopped listening. */
export class LossWatch {
  readonly #listeners = new Set<(error: GpuLostError) => void>();
  /** Set once the device is lost. */
  error: GpuLostError | undefined;

  constructor(gpu: Gpu) {
    void gpu.lost.then((error) => {
      this.error = error;
      for (const listener of this.#listeners) listener(error);
      this.#listeners.clear();
    });
  }

  /** Calls back when the device is lost. @returns Ends that. */
  onLoss(listener: (error: GpuLostError) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * What work on the device comes to, or its loss, whichever is first: promises of a lost device
   * may never settle.
   *
   * @throws {GpuLostError} As soon as the device is lost.
   */
  async race<T>(work: Promise<T>): Promise<T> {
    let stop: () => void = () => undefined;
    const loss = new Promise<never>((_, reject) => {
      if (this.error === undefined) stop = this.onLoss(reject);
      else reject(this.error);
    });
    try {
      return await Promise.race([work, loss]);
    } finally {
      stop();
    }
  }
}
