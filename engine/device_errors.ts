import type { DeviceMemory } from "./device_memory.ts";
import { GpuLostError } from "./gpu_errors.ts";

/** What a device reports by itself: its loss, and errors that nobody asked about. */
export class DeviceErrors {
  /** Settles, never rejects, when the device is lost. */
  readonly lost: Promise<GpuLostError>;
  readonly #device: GPUDevice;
  readonly #memory: DeviceMemory;
  #failure: Error | undefined;
  /** Where errors go instead, while somebody takes them on: see {@linkcode catching}. */
  #caught: string[] | undefined;
  /** Settles when it is known of all errors so far whether they fill {@linkcode #failure}. */
  #attributed: Promise<unknown> = Promise.resolve();

  constructor(device: GPUDevice, memory: DeviceMemory) {
    this.#device = device;
    this.#memory = memory;
    this.lost = device.lost.then((lost) => (this.#failure = new GpuLostError(lost)));
    // The event of an error may come after a result that it spoiled. So a scope is open for
    // validation at all times, and who waits for a result closes it and opens the next.
    device.pushErrorScope("validation");
    device.addEventListener("uncapturederror", ({ error: { message } }) => this.#note(message));
  }

  /** Throws what is known by now: the loss of the device, or an error of earlier work. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * Asks for errors of all calls so far. Scopes that others open must be closed in the same task.
   *
   * @returns Settles when they are known to {@linkcode check}.
   */
  async hear(): Promise<void> {
    const scope = this.#device.popErrorScope();
    this.#device.pushErrorScope("validation");
    const error = await scope.catch(() => null); // of a lost device, which is told otherwise
    if (error !== null) this.#note(error.message);
    await this.#attributed;
  }

  /**
   * Does work whose errors are its own, and leave the device as it is; one such work at a time.
   *
   * @returns What the work gives, and what the device had to say about it.
   */
  async catching<T>(
    work: () => Promise<T>,
  ): Promise<{ readonly value: T; readonly errors: readonly string[] }> {
    await this.hear();
    const errors: string[] = [];
    this.#caught = errors;
    try {
      const value = await work();
      await this.hear();
      return { value, errors };
    } finally {
      this.#caught = undefined;
    }
  }

  #note(message: string): void {
    this.#attributed = Promise.all([this.#attributed, this.#attribute(message, this.#caught)]);
  }

  /** Keeps an error, unless it only follows from memory that ran out. */
  async #attribute(message: string, caught: string[] | undefined): Promise<void> {
    await this.#memory.settle();
    if (this.#memory.explains(message)) return;
    if (caught !== undefined) caught.push(message);
    else this.#failure ??= new Error(`Cannot run on the GPU: ${message}`);
  }
}
