import { GpuLostError, type Gpu } from "../../engine/gpu.ts";
import type { LoadOptions, ModelInfo, ModelSource } from "./api.ts";
import { LossWatch, openDevice, type OpenAdapter } from "./device.ts";
import { EngineError } from "./errors.ts";
import { LoadedModel } from "./loaded_model.ts";
import type { FilesOptions } from "./model_files.ts";
import { openSource, type OpenedModel } from "./open_source.ts";

/** A device that is open, or was. */
interface OpenDevice {
  readonly gpu: Gpu;
  readonly watch: LossWatch;
}

/** What a session is made of. */
export interface SessionOptions {
  readonly openAdapter: OpenAdapter;
  readonly openStore: FilesOptions["openStore"];
  /** Called when a device was lost, and another opened. */
  readonly onRecovered: (reason: string) => void;
  /** Called when a device is lost, before anything is done about it. */
  readonly onLost: () => void;
}

/** Waits before an adapter is asked for again: drivers take a while to come back. */
const REOPEN_DELAYS_MS = [0, 200, 1000];

/** A device and the model on it; both are opened again when they are lost. */
export class Session {
  readonly #options: SessionOptions;
  #device: Promise<OpenDevice> | undefined;
  /** Files of the model that is loaded, and how. */
  #opened:
    | { readonly model: OpenedModel; readonly options: LoadOptions; readonly info: ModelInfo }
    | undefined;
  #loaded: LoadedModel | undefined;
  /** Whether a loss took trained weights, and nobody has been told. */
  #hasLostTuning = false;
  #isDestroyed = false;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Whether weights have been trained that no file holds. */
  get isTuned(): boolean {
    return this.#loaded?.isTuned === true;
  }

  /** What is known of the model, if one was loaded. */
  get info(): ModelInfo | undefined {
    if (this.#opened === undefined) return undefined;
    return this.#loaded?.isUsable === true ? this.#loaded.info : this.#opened.info;
  }

  /** Opens the device if need be, another one if it was lost. */
  async gpu(): Promise<Gpu> {
    return (await this.#ready()).gpu;
  }

  /** Opens another device if this one was lost. */
  async recoverIfLost(): Promise<void> {
    if (this.#device !== undefined) await this.#ready();
  }

  /**
   * Does some work on the device; once more, if the device is lost meanwhile.
   *
   * @throws {EngineError} Of kind `"device-lost"` if it is lost again.
   */
  async run<T>(work: (gpu: Gpu) => Promise<T>): Promise<T> {
    const device = await this.#ready();
    try {
      return await device.watch.race(work(device.gpu));
    } catch (error) {
      if (!(await isLost(device, error))) throw error;
    }
    const next = await this.#ready();
    try {
      return await next.watch.race(work(next.gpu));
    } catch (error) {
      throw (await isLost(next, error)) ? lostAgain(error) : error;
    }
  }

  /**
   * Work that gives items as it goes on, which are the same if it is done again: if the device is
   * lost, it begins anew, and leaves out what it has given already.
   *
   * @param canRepeat Whether it may begin anew.
   * @throws {EngineError} Of kind `"device-lost"` if it is lost again, or may not begin anew.
   */
  async *stream<T>(
    work: (gpu: Gpu) => AsyncGenerator<T>,
    canRepeat: boolean,
  ): AsyncGenerator<T, void, undefined> {
    let numGiven = 0;
    for (let attempt = 0; ; attempt++) {
      const device = await this.#ready();
      const items = work(device.gpu);
      let index = 0;
      try {
        for (;;) {
          const item = await device.watch.race(items.next());
          if (item.done === true) return;
          index += 1;
          if (index <= numGiven) continue;
          numGiven += 1;
          yield item.value;
        }
      } catch (error) {
        if (!(await isLost(device, error))) throw error;
        if (attempt > 0) throw lostAgain(error);
        if (!canRepeat) throw lostTuning(error);
      } finally {
        const closed = items.return(undefined);
        // On a lost device it may never end.
        await device.watch.race(closed).catch(() => undefined);
      }
    }
  }

  /** Opens a model's files and puts it onto the device, in place of the one before. */
  async load(gpu: Gpu, source: ModelSource, options: LoadOptions): Promise<LoadedModel> {
    const begin = performance.now();
    const { openStore } = this.#options;
    // A download is of no use to a device that is gone, or was destroyed.
    const ended = new AbortController();
    void gpu.lost.then((error) => ended.abort(error));
    const signal = AbortSignal.any([ended.signal, ...(options.signal ? [options.signal] : [])]);
    const opened = await openSource(source, { ...options, signal, openStore });
    try {
      // If the device went meanwhile, this call has been begun anew, and what stands is that one's.
      gpu.check();
      this.#loaded?.destroy();
      this.#loaded = undefined;
      this.#loaded = await LoadedModel.load(gpu, opened, options, begin);
    } catch (error) {
      opened.release(); // the model before is loaded again when it is next asked
      throw error;
    }
    this.#opened?.model.release();
    const { dtype } = options;
    const { info } = this.#loaded;
    this.#opened = { model: opened, options: dtype === undefined ? {} : { dtype }, info };
    return this.#loaded;
  }

  /**
   * The model on the device, where it is loaded again if it is not there any more.
   *
   * @throws {EngineError} Of kind `"bad-input"` if none was loaded.
   */
  async model(gpu: Gpu): Promise<LoadedModel> {
    if (this.#loaded?.isUsable === true) return this.#loaded;
    if (this.#opened === undefined) {
      throw new EngineError({
        kind: "bad-input",
        message: "Cannot ask a model: one must be loaded, got none",
        remedy: "Load a model first.",
      });
    }
    const { model, options } = this.#opened;
    this.#loaded = await LoadedModel.load(gpu, model, options);
    return this.#loaded;
  }

  /** Frees the model; the device stays open. */
  unload(): void {
    this.#loaded?.destroy();
    this.#loaded = undefined;
    this.#opened?.model.release();
    this.#opened = undefined;
  }

  /** Destroys the device as a crash would; settles when it is lost. */
  async lose(): Promise<void> {
    const { gpu } = await this.#ready();
    gpu.destroy();
    await gpu.lost;
  }

  /** Frees everything. */
  destroy(): void {
    this.#isDestroyed = true;
    this.#opened?.model.release();
    this.#opened = undefined;
    this.#loaded = undefined;
    const device = this.#device;
    this.#device = undefined;
    device?.then(
      ({ gpu }) => gpu.destroy(),
      () => undefined,
    );
  }

  async #ready(): Promise<OpenDevice> {
    if (this.#isDestroyed) throw new Error("Cannot open a device: the engine was destroyed");
    this.#device ??= this.#orElse(this.#open(), undefined);
    const before = this.#device;
    const device = await before;
    const { error } = device.watch;
    if (error === undefined) return device;
    // Whoever comes first opens it for all; whoever comes after a failure tries again.
    if (this.#device === before) this.#device = this.#orElse(this.#reopen(error), before);
    return this.#device ?? this.#ready();
  }

  /** A device that is being opened, in whose place another stands if that fails. */
  #orElse(
    opening: Promise<OpenDevice>,
    other: Promise<OpenDevice> | undefined,
  ): Promise<OpenDevice> {
    opening.catch(() => {
      if (this.#device === opening) this.#device = other;
    });
    return opening;
  }

  async #open(): Promise<OpenDevice> {
    const gpu = await openDevice(this.#options.openAdapter);
    if (this.#isDestroyed) gpu.destroy(); // nobody will
    const watch = new LossWatch(gpu);
    watch.onLoss(() => this.#options.onLost());
    return { gpu, watch };
  }

  async #reopen(lost: GpuLostError): Promise<OpenDevice> {
    const hadModel = this.#loaded !== undefined;
    this.#hasLostTuning ||= this.isTuned;
    this.#loaded = undefined;
    const device = await this.#openAgain(lost);
    if (hadModel) await device.watch.race(this.model(device.gpu));
    const tuned = this.#hasLostTuning
      ? "; the model is again as it was before it was fine-tuned"
      : "";
    this.#hasLostTuning = false;
    this.#options.onRecovered(`the graphics device was lost (${lost.reason})${tuned}`);
    return device;
  }

  async #openAgain(lost: GpuLostError): Promise<OpenDevice> {
    let failure: unknown;
    for (const delay of REOPEN_DELAYS_MS) {
      await new Promise((resolve) => setTimeout(resolve, delay));
      try {
        return await this.#open();
      } catch (error) {
        failure = error;
      }
    }
    const detail = failure instanceof Error ? failure.message : String(failure);
    throw new EngineError({
      kind: "device-lost",
      message: `The graphics device was lost (${lost.reason}), and could not be opened again: ${detail}`,
      remedy: "Reload the page, or restart the browser.",
      cause: failure,
    });
  }
}

/** Whether an error came of a loss, which may become known a moment later. */
async function isLost({ gpu, watch }: OpenDevice, error: unknown): Promise<boolean> {
  if (error instanceof GpuLostError || watch.error !== undefined) return true;
  if (error instanceof EngineError) return false;
  const answered = gpu.device.queue.onSubmittedWorkDone().catch(() => undefined);
  await watch.race(answered).catch(() => undefined);
  return watch.error !== undefined;
}

function lostAgain(cause: unknown): EngineError {
  return new EngineError({
    kind: "device-lost",
    message: "The graphics device was lost twice while it did the same work",
    remedy:
      "The work may be too much for it: use a smaller model or shorter texts, and close other pages that use the GPU.",
    cause,
  });
}

function lostTuning(cause: unknown): EngineError {
  return new EngineError({
    kind: "device-lost",
    message: "The graphics device was lost, and with it what earlier fine-tuning had learned",
    remedy: "Fine-tune again from the beginning.",
    cause,
  });
}
