import type { Gpu } from "../../engine/gpu.ts";

/** What a device was told during some work. */
export interface Submits {
  readonly numSubmits: number;
  readonly numDispatches: number;
  /** From the first command of each encoder until its submit returned, ms. */
  readonly encodeMs: number;
}

/**
 * Watches what a device is told, by wrapping its methods: how often, and how long telling takes on
 * the host. Dispatches are counted apart from timing, which counting would disturb.
 */
export class SubmitProbe {
  #numSubmits = 0;
  #numDispatches = 0;
  #encodeMs = 0;
  #isCounting = false;
  #since: number | undefined;

  constructor({ device }: Gpu) {
    const encode = device.createCommandEncoder.bind(device);
    device.createCommandEncoder = (...options) => {
      this.#since ??= performance.now();
      const encoder = encode(...options);
      if (this.#isCounting) this.#watch(encoder);
      return encoder;
    };
    const submit = device.queue.submit.bind(device.queue);
    device.queue.submit = (commands) => {
      submit(commands);
      this.#numSubmits += 1;
      this.#encodeMs += performance.now() - (this.#since ?? performance.now());
      this.#since = undefined;
    };
  }

  #watch(encoder: GPUCommandEncoder): void {
    const begin = encoder.beginComputePass.bind(encoder);
    encoder.beginComputePass = (...options) => {
      const pass = begin(...options);
      const dispatch = pass.dispatchWorkgroups.bind(pass);
      pass.dispatchWorkgroups = (...sizes) => {
        this.#numDispatches += 1;
        dispatch(...sizes);
      };
      return pass;
    };
  }

  /** Does some work and counts submits and dispatches; its time is not to be trusted. */
  async count(work: () => Promise<unknown>): Promise<Submits> {
    this.#isCounting = true;
    try {
      return await this.time(work);
    } finally {
      this.#isCounting = false;
    }
  }

  /** Does some work and times what the host spends on encoding and submitting it. */
  async time(work: () => Promise<unknown>): Promise<Submits> {
    this.#numSubmits = this.#numDispatches = this.#encodeMs = 0;
    await work();
    const [numSubmits, numDispatches] = [this.#numSubmits, this.#numDispatches];
    return { numSubmits, numDispatches, encodeMs: this.#encodeMs };
  }
}
