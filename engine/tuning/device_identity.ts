import type { Gpu } from "../gpu.ts";
import { hashText } from "./source_hash.ts";
import type { Traits } from "./traits.ts";

/** All of a device that times depend on. */
export interface TuningDeviceIdentity {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  /** Driver and its version, as far as the adapter tells. */
  readonly driver: string;
  readonly variant: string;
  readonly subgroupSize: number;
  readonly maxBindingBytes: number;
  readonly traits: Traits;
  /** Switches of the WebGPU implementation that differ from its defaults. */
  readonly toggles: readonly string[];
}

/** Which device this is. */
export function identityOf(gpu: Gpu, toggles: readonly string[] = []): TuningDeviceIdentity {
  const { info, variant, subgroupSize, maxBindingBytes, traits } = gpu;
  const { vendor, architecture, device, description } = info;
  return {
    vendor,
    architecture,
    device,
    driver: description,
    variant,
    subgroupSize,
    maxBindingBytes,
    traits,
    toggles: toggles.toSorted(),
  };
}

/** A short name for what was measured on a device, good for a file: `mesa-llvmpipe-<hash>`. */
export function tuningKeyOf(identity: TuningDeviceIdentity): string {
  const { vendor, architecture } = identity;
  const name = `${vendor}-${architecture}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  return `${name.replaceAll(/^-|-$/g, "") || "device"}-${hashText(canonical(identity))}`;
}

/** Whether two are the same adapter, perhaps with another driver or other switches. */
export function isSameAdapter(one: TuningDeviceIdentity, other: TuningDeviceIdentity): boolean {
  return (
    one.vendor === other.vendor &&
    one.architecture === other.architecture &&
    one.device === other.device
  );
}

/** Whether two are the same in all that times and bits depend on. */
export function isSameDevice(one: TuningDeviceIdentity, other: TuningDeviceIdentity): boolean {
  return canonical(one) === canonical(other);
}

/** JSON with names in order. */
function canonical(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  const sorted = fields.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${sorted.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join()}}`;
}
