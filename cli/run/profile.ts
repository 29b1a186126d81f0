import { measureRoofline, type MeasuredRoofline } from "../../engine/profile/roofline.ts";
import type { Profile } from "../../engine/profile/profile.ts";
import { profilePlan } from "../../engine/profile/profiler.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import type { Kernels } from "./choices.ts";
import { type DeviceOptions, withDevice } from "./device.ts";
import { openModel } from "./load_model.ts";
import {
  checkSubject,
  defaultLength,
  prepareSubject,
  type SubjectOptions,
} from "./profile_subject.ts";
import { BUILT_IN_SIZES } from "./built_in_sizes.ts";
import { randomModel } from "./random_model.ts";
import type { Progress } from "./progress.ts";

/** What to profile, and how thoroughly. */
export interface ProfileRequest extends Omit<SubjectOptions, "length"> {
  /** Tokens of a row. @default {256, or as many as the model takes} */
  readonly length?: number;
  /** A model as the other commands take it; or one of {@linkcode BUILT_IN_SIZES}. */
  readonly model: { readonly path: string; readonly revision?: string } | { readonly size: string };
  readonly kernels: Kernels;
  readonly device: DeviceOptions;
  /** Times that each dispatch is measured. */
  readonly runs: number;
  /** Measures the adapter's ceilings first. */
  readonly roofline: boolean;
  readonly progress: Progress;
}

/** A profile, and of what. */
export interface ProfiledModel {
  readonly name: string;
  readonly numWeights: number;
  /** Tokens that a step works on. */
  readonly numTokens: number;
  readonly loadMs: number;
  readonly profile: Profile;
}

/**
 * Profiles a model's work on a device. Files stay as they are; weights on the device do, too.
 *
 * @throws {CliError} With exit code 2 if the size is unknown or the length does not fit the model,
 *   5 if the model cannot be read, 4 if the device cannot hold it.
 */
export async function profileModel(request: ProfileRequest): Promise<ProfiledModel> {
  const { model, kernels, device, runs, progress } = request;
  const stored =
    "size" in model ? randomModel(model.size, configOf(model.size)) : await openModel(model);
  const length = request.length ?? defaultLength(stored, request.what);
  const options = { ...request, length };
  checkSubject(stored, options);
  return withDevice(
    kernels,
    async (gpu) => {
      const roofline = request.roofline
        ? await measureRoofline(gpu, { onRun: showing(progress) })
        : undefined;
      progress.update(() => `loading and compiling ${stored.name}`);
      const subject = await failingAs(EXIT.device, () => prepareSubject(gpu, stored, options));
      const { plans, seenKeys, planMs, compileMs, loadMs, numTokens, numWeights } = subject;
      try {
        progress.update(() => `measuring ${runs} times each`);
        const profile = await failingAs(EXIT.device, () =>
          profilePlan(gpu, plans, {
            runs,
            seenKeys,
            prepared: { recordMs: planMs, compileMs },
            ...(roofline !== undefined && { roofline }),
          }),
        );
        return { name: stored.name, numWeights, numTokens, loadMs, profile };
      } finally {
        progress.clear();
        subject.destroy();
      }
    },
    device,
  );
}

/** Measures the ceilings of the best adapter. */
export async function benchRoofline({
  kernels,
  device,
  progress,
}: Pick<ProfileRequest, "kernels" | "device" | "progress">): Promise<{
  readonly adapter: string;
  readonly roofline: MeasuredRoofline;
}> {
  return withDevice(
    kernels,
    async (gpu) => {
      const roofline = await measureRoofline(gpu, { onRun: showing(progress) });
      progress.clear();
      const { info } = gpu;
      return { adapter: info.description || info.device || info.vendor, roofline };
    },
    device,
  );
}

/** Says on the progress line what was just measured. */
function showing(progress: Progress) {
  return ({ kind, shape, perSecond }: MeasuredRoofline["runs"][number]): void => {
    const unit = kind === "copy" ? "GB/s" : "GFLOP/s";
    progress.update(
      () => `roofline: ${kind} ${(perSecond / 1e9).toPrecision(3)} ${unit}, ${shape}`,
    );
  };
}

function configOf(size: string) {
  const config = BUILT_IN_SIZES[size];
  if (config !== undefined) return config;
  throw new CliError(
    EXIT.usage,
    `Cannot profile: --size must be ${Object.keys(BUILT_IN_SIZES).join(", ")}, got "${size}"`,
  );
}
