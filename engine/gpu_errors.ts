import type { AllocationFailure } from "./device_memory.ts";

/** The device is gone: its memory is lost, and a new one must be opened. */
export class GpuLostError extends Error {
  override readonly name = "GpuLostError";
  /** `"destroyed"` when we closed it, `"unknown"` when the driver did. */
  readonly reason: GPUDeviceLostReason;

  constructor({ reason, message }: GPUDeviceLostInfo) {
    super(`Cannot use the GPU: the device must be open, got device lost (${reason}) ${message}`);
    this.reason = reason;
  }
}

/** The error of a buffer that did not fit. */
export function unallocated({
  label,
  bytes,
  allocatedBytes,
  message,
}: AllocationFailure): RangeError {
  return new RangeError(
    `Cannot allocate "${label}": the device must have ${bytes} bytes free beside the ${allocatedBytes} allocated, got ${message}; use a smaller batch or model, or fewer bits a weight`,
  );
}
