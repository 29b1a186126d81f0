/** An allocation that the device had no memory for. */
export interface AllocationFailure {
  readonly label: string;
  readonly bytes: number;
  /** Bytes of all other buffers at that time. */
  readonly allocatedBytes: number;
  /** What the driver said. */
  readonly message: string;
}

/**
 * Counts the buffers of a device and hears of those that did not fit.
 *
 * A device says so only later, and asking it costs a round trip: failures are collected, to be asked
 * for once, after many allocations.
 */
export class DeviceMemory {
  readonly #device: GPUDevice;
  readonly #pending = new Set<Promise<void>>();
  #failure: AllocationFailure | undefined;
  #allocatedBytes = 0;
  #peakBytes = 0;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Bytes of the buffers that were created and not yet destroyed. */
  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  /** The largest that {@linkcode allocatedBytes} has been. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** A zero-filled buffer, counted until it is destroyed, by whomever. */
  create(descriptor: GPUBufferDescriptor & { readonly label: string }): GPUBuffer {
    const { label, size } = descriptor;
    this.#device.pushErrorScope("out-of-memory");
    const buffer = this.#device.createBuffer(descriptor);
    const scope = this.#device.popErrorScope();
    const free = this.#count(size);
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      free();
      return destroy();
    };
    const settled = scope.then(
      (error) => {
        this.#pending.delete(settled);
        if (error === null) return;
        free();
        const { allocatedBytes } = this;
        this.#failure ??= { label, bytes: size, allocatedBytes, message: error.message };
      },
      () => void this.#pending.delete(settled), // a lost device pops no scopes
    );
    this.#pending.add(settled);
    return buffer;
  }

  /** The first allocation that has failed since this was last asked, after all so far are settled. */
  async takeFailure(): Promise<AllocationFailure | undefined> {
    await Promise.all(this.#pending);
    const failure = this.#failure;
    this.#failure = undefined;
    return failure;
  }

  /** Counts bytes, until the returned function is called. */
  #count(bytes: number): () => void {
    this.#allocatedBytes += bytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.#allocatedBytes);
    let isFree = false;
    return () => {
      if (!isFree) this.#allocatedBytes -= bytes;
      isFree = true;
    };
  }
}
