/** An allocation that the device had no memory for. */
export interface AllocationFailure {
  readonly label: string;
  readonly bytes: number;
  /** Bytes of all other buffers when it was asked for, without those that did not fit either. */
  readonly allocatedBytes: number;
  /** What the driver said. */
  readonly message: string;
}

/** Who hears of a buffer that did not fit: whoever asks next, or who asks for that buffer. */
export type Audience = "device" | "owner";

/** A buffer that the device has not confirmed yet. */
interface Pending {
  readonly bytes: number;
  /** When it was created, and when destroyed, counted in buffers. */
  readonly born: number;
  died: number;
  /** Bytes of the others at its creation; less with each of them that turns out not to fit. */
  besideBytes: number;
}

/**
 * Counts the buffers of a device and hears of those that did not fit.
 *
 * A device says so only later, in the order of their creation, and asking it costs a round trip:
 * many buffers are asked for at once, after all of them were created.
 */
export class DeviceMemory {
  readonly #device: GPUDevice;
  readonly #pending = new Map<Pending, Promise<void>>();
  readonly #settled = new WeakMap<GPUBuffer, Promise<void>>();
  readonly #failed = new WeakMap<GPUBuffer, AllocationFailure>();
  /** Failures for the device's audience that nobody has heard of yet. */
  readonly #untold = new Map<GPUBuffer, AllocationFailure>();
  readonly #failedLabels = new Set<string>();
  #allocatedBytes = 0;
  #peakBytes = 0;
  #numCreated = 0;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Bytes of the buffers that were created and not yet destroyed. */
  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  /** The largest that {@linkcode allocatedBytes} has been, of buffers that the device confirmed. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** A zero-filled buffer, counted until it is destroyed, by whomever. */
  create(
    descriptor: GPUBufferDescriptor & { readonly label: string },
    audience: Audience = "device",
  ): GPUBuffer {
    const { label, size: bytes } = descriptor;
    this.#device.pushErrorScope("out-of-memory");
    const buffer = this.#device.createBuffer(descriptor);
    const scope = this.#device.popErrorScope();
    const entry = this.#count(buffer, bytes);
    const settled = scope.then(
      (error) => {
        this.#pending.delete(entry);
        if (error === null) {
          this.#peakBytes = Math.max(this.#peakBytes, entry.besideBytes + bytes);
          return;
        }
        const failure = this.#fail(entry, { label, message: error.message });
        this.#failed.set(buffer, failure);
        if (audience === "device") this.#untold.set(buffer, failure);
      },
      () => void this.#pending.delete(entry), // a lost device pops no scopes
    );
    this.#pending.set(entry, settled);
    this.#settled.set(buffer, settled);
    return buffer;
  }

  /** Settles when the device has answered for all buffers so far. */
  async settle(): Promise<void> {
    await Promise.all(this.#pending.values());
  }

  /** Why a buffer did not fit, as far as the device has answered. */
  failureOf(buffer: GPUBuffer): AllocationFailure | undefined {
    return this.#failed.get(buffer);
  }

  /**
   * The first of some buffers that did not fit, after the device has answered for them; of all
   * buffers for the device's audience, those that nobody has heard of yet.
   */
  async takeFailure(buffers?: readonly GPUBuffer[]): Promise<AllocationFailure | undefined> {
    if (buffers === undefined) {
      await this.settle();
      const [first] = this.#untold.values();
      this.#untold.clear();
      return first;
    }
    await Promise.all(buffers.flatMap((buffer) => this.#settled.get(buffer) ?? []));
    for (const buffer of buffers) this.#untold.delete(buffer);
    const failed = buffers.find((buffer) => this.#failed.has(buffer));
    return failed && this.#failed.get(failed);
  }

  /**
   * Whether an error only follows from a buffer that did not fit: it says that something is invalid,
   * and names such a buffer, or comes before anybody has heard of one, or is of commands, whose own
   * fault has been reported before.
   */
  explains(message: string): boolean {
    if (this.#failedLabels.size === 0 || !/invalid/i.test(message)) return false;
    if (this.#untold.size > 0 || /command ?buffer/i.test(message)) return true;
    return [...this.#failedLabels].some(
      (label) => message.includes(`"${label}"`) || message.includes(`'${label}'`),
    );
  }

  /** Counts a buffer's bytes until it is destroyed. */
  #count(buffer: GPUBuffer, bytes: number): Pending {
    const born = (this.#numCreated += 1);
    const entry: Pending = { bytes, born, died: Infinity, besideBytes: this.#allocatedBytes };
    this.#allocatedBytes += bytes;
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      this.#free(entry);
      return destroy();
    };
    return entry;
  }

  #free(entry: Pending): void {
    if (entry.died !== Infinity) return;
    entry.died = this.#numCreated;
    this.#allocatedBytes -= entry.bytes;
  }

  /** Takes back what was counted of a buffer that did not fit. */
  #fail(
    entry: Pending,
    { label, message }: Pick<AllocationFailure, "label" | "message">,
  ): AllocationFailure {
    for (const other of this.#pending.keys()) {
      const isCounted = entry.born < other.born && other.born <= entry.died;
      if (isCounted) other.besideBytes -= entry.bytes;
    }
    this.#free(entry);
    this.#failedLabels.add(label);
    const { bytes, besideBytes: allocatedBytes } = entry;
    return { label, bytes, allocatedBytes, message };
  }
}
