import { readFileSync } from "node:fs";
import { arch, cpus, platform, totalmem } from "node:os";
import { Gpu } from "../../engine/gpu.ts";
import { identityOf, tuningKeyOf } from "../../engine/tuning/device_identity.ts";
import { loadTuning } from "../../engine/tuning/store.ts";
import type { MatrixConfig } from "../../engine/tuning/traits.ts";
import { type AdapterKind, adviceFor, lavapipeManifests } from "../platform/adapter.ts";
import { type OpenedAdapter, openAdapter } from "../platform/dawn.ts";
import { runtimeGpu, runtimeName } from "../platform/deno.ts";
import { EXIT, explain } from "../platform/errors.ts";
import { ALWAYS, FAST } from "../platform/toggles.ts";
import { FolderTuningStore } from "../platform/tuning_store.ts";
import { packageVersion } from "../platform/version.ts";
import { formatBytes } from "./format.ts";

/** Optional features, and what each one is good for. */
const FEATURES = {
  "shader-f16": "half-precision weights: half the memory",
  subgroups: "faster sums across a workgroup",
  "timestamp-query": "times of single kernels",
  "chromium-experimental-subgroup-matrix": "matrix units",
} as const;

/** Limits that decide how large a model and a batch may be. */
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupsPerDimension",
] as const;

/** What `tenure doctor --json` prints. */
export interface Diagnosis {
  readonly ok: boolean;
  readonly tenure: string;
  readonly runtime: string;
  readonly system: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly adapter: AdapterReport | null;
  /** One sentence for each thing that is missing, with its remedy. */
  readonly advice: readonly string[];
}

/** The part of the diagnosis about the adapter. */
export interface AdapterReport {
  readonly kind: AdapterKind;
  readonly vendor: string;
  readonly architecture: string;
  readonly driver: string;
  readonly subgroupSizes: readonly [number, number];
  readonly features: Readonly<Record<string, boolean>>;
  readonly limits: Readonly<Record<string, number>>;
  /** Products that subgroups can do as matrices, such as `"16×16×16 f16 → f32"`. */
  readonly subgroupMatrices: readonly string[];
  /** Whether each of Dawn's switches is on; empty where the WebGPU is not Dawn's. */
  readonly toggles: Readonly<Record<string, boolean>>;
  readonly tuning: TuningState;
  /** Time of one small copy to the device and back, in ms; the median of several. */
  readonly roundTripMs: number;
}

/** What `tenure tune` has found on this device. */
export interface TuningState {
  /** Where it is kept. */
  readonly file: string;
  readonly numChoices: number;
  /** When the last of it was measured; absent if nothing was. */
  readonly date?: string;
  /** What is wrong with the file. */
  readonly problem?: string;
}

/** Examines the machine; a missing adapter is a finding, not an error. */
export async function diagnose(fast: boolean): Promise<Diagnosis> {
  const machine = {
    tenure: packageVersion(),
    runtime: runtimeName(),
    system: `${systemName()}, ${platform()} ${arch()}`,
    cores: cpus().length,
    memoryBytes: totalmem(),
  };
  try {
    const adapter = await examine(await openAdapter({ fast }), await tuningState(fast));
    return { ok: true, ...machine, adapter, advice: adviseOn(adapter) };
  } catch (error) {
    const { line, exitCode } = explain(error);
    if (exitCode === EXIT.usage) throw error;
    return { ok: false, ...machine, adapter: null, advice: [line] };
  }
}

function systemName(): string {
  try {
    const text = readFileSync("/etc/os-release", "utf8");
    return /^PRETTY_NAME="?([^"\n]+)/m.exec(text)?.[1] ?? "Linux";
  } catch {
    return platform() === "darwin" ? "macOS" : platform();
  }
}

async function examine(
  { adapter, kind, toggles }: OpenedAdapter,
  tuning: TuningState,
): Promise<AdapterReport> {
  const { info, features, limits } = adapter;
  return {
    kind,
    vendor: info.vendor,
    architecture: info.architecture,
    driver: info.description || info.device,
    subgroupSizes: [info.subgroupMinSize, info.subgroupMaxSize],
    features: Object.fromEntries(
      Object.keys(FEATURES).map((name) => [name, features.has(name as GPUFeatureName)]),
    ),
    limits: Object.fromEntries(LIMITS.map((name) => [name, limits[name]])),
    subgroupMatrices: matricesOf(info),
    toggles: switchesOf(toggles),
    tuning,
    roundTripMs: await timeRoundTrip(adapter),
  };
}

/** Which of Dawn's switches are on; a runtime with another WebGPU has none of them. */
function switchesOf(toggles: readonly string[]): Record<string, boolean> {
  if (runtimeGpu() !== undefined) return {};
  return Object.fromEntries([
    ...ALWAYS.enable.map((name) => [name, true]),
    ...ALWAYS.disable.map((name) => [name, false]),
    ...FAST.map((name) => [name, toggles.includes(name)]),
  ]);
}

function matricesOf(
  info: GPUAdapterInfo & { readonly subgroupMatrixConfigs?: readonly MatrixConfig[] },
): string[] {
  return Array.from(
    info.subgroupMatrixConfigs ?? [],
    ({ M, N, K, componentType, resultComponentType }) =>
      `${M}×${N}×${K} ${componentType} → ${resultComponentType}`,
  );
}

/** Looks up what was measured on the device that commands would open. */
async function tuningState(fast: boolean): Promise<TuningState> {
  const { adapter, toggles } = await openAdapter({ fast });
  const gpu = await Gpu.open(adapter);
  try {
    const identity = identityOf(gpu, toggles);
    const store = new FolderTuningStore();
    let problem: string | undefined;
    const { choices } = await loadTuning(store, identity, (message) => (problem = message));
    const date = Object.values(choices).reduce(
      (last, one) => (one.date > last ? one.date : last),
      "",
    );
    return {
      file: store.pathOf(tuningKeyOf(identity)),
      numChoices: Object.keys(choices).length,
      ...(date !== "" && { date }),
      ...(problem !== undefined && { problem }),
    };
  } finally {
    gpu.destroy();
  }
}

/** Proves that the adapter gives out a working device: bytes written come back. */
async function timeRoundTrip(adapter: GPUAdapter): Promise<number> {
  const device = await adapter.requestDevice();
  try {
    const sent = Uint32Array.of(0x600d, 0xcafe, 1, 2);
    const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
    const source = device.createBuffer({ size: 16, usage: STORAGE | COPY_SRC | COPY_DST });
    const target = device.createBuffer({ size: 16, usage: MAP_READ | COPY_DST });
    const times: number[] = [];
    for (let repeat = 0; repeat < 9; repeat++) {
      const begin = performance.now();
      device.queue.writeBuffer(source, 0, sent);
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(source, 0, target, 0, 16);
      device.queue.submit([encoder.finish()]);
      await target.mapAsync(GPUMapMode.READ);
      const received = new Uint32Array(target.getMappedRange().slice(0));
      target.unmap();
      if (received.some((value, i) => value !== sent[i])) {
        throw new Error(
          `Cannot use the adapter: bytes must come back as written, got ${received.join(", ")}`,
        );
      }
      times.push(performance.now() - begin);
    }
    return times.toSorted((a, b) => a - b)[times.length >> 1]!;
  } finally {
    device.destroy();
  }
}

function adviseOn({ kind, features, limits, tuning }: AdapterReport): string[] {
  const advice: string[] = [];
  if (tuning.problem !== undefined) advice.push(tuning.problem);
  else if (tuning.numChoices === 0) {
    advice.push("Kernels run with defaults: tenure tune finds what is fastest on this device");
  }
  const choice = process.env["TENURE_ADAPTER"];
  const faster = adviceFor(kind);
  if (choice)
    advice.push(`TENURE_ADAPTER=${choice} rules out the others: unset it to use the best`);
  else if (kind === "swiftshader" && lavapipeManifests().length > 0) {
    advice.push(
      "Dawn refuses the lavapipe on this machine (it needs Mesa 23 or newer); a newer one is about 7 times faster: npx tenure setup-adapter",
    );
  } else if (faster !== undefined) advice.push(faster.replace(/^a /, "A "));
  if (features["shader-f16"] === false) {
    advice.push("Without shader-f16, weights stay in f32: twice the memory");
  }
  if (limits["maxStorageBufferBindingSize"]! < 2 ** 30) {
    const mib = Math.floor(limits["maxStorageBufferBindingSize"]! / 2 ** 20);
    advice.push(
      `Kernels see at most ${mib} MiB of a tensor at a time: larger weights are taken in parts, larger activations are refused`,
    );
  }
  return advice;
}

/** A diagnosis for people to read. */
export function formatDiagnosis(diagnosis: Diagnosis): string {
  const { adapter } = diagnosis;
  const rows: [string, string][] = [
    ["tenure", diagnosis.tenure],
    ["Runtime", diagnosis.runtime],
    ["System", diagnosis.system],
    ["Machine", `${diagnosis.cores} cores, ${formatBytes(diagnosis.memoryBytes)} of memory`],
  ];
  if (adapter === null) {
    rows.push(["Adapter", "none"]);
  } else {
    const [least, most] = adapter.subgroupSizes;
    rows.push(
      ["Adapter", `${adapter.driver} (${adapter.kind === "gpu" ? "GPU" : "software, on the CPU"})`],
      ["Kind", adapter.kind],
      ["Subgroups", least === most ? `${least} lanes` : `${least} to ${most} lanes`],
      ["Matrices", adapter.subgroupMatrices.join(", ") || "none in subgroups"],
      ["Tuning", tuningText(adapter.tuning)],
      ["Round trip", `${adapter.roundTripMs.toFixed(2)} ms for a write and a read`],
    );
  }
  const sections = [rows.map(([name, value]) => `${name.padEnd(12)}${value}`).join("\n")];
  if (adapter !== null) {
    sections.push(
      section(
        "Features",
        Object.entries(FEATURES).map(
          ([name, use]) => `${adapter.features[name] ? "yes" : "no "}  ${name.padEnd(38)}${use}`,
        ),
      ),
      ...switchSections(adapter.toggles),
      section(
        "Limits",
        Object.entries(adapter.limits).map(
          ([name, value]) =>
            `${name.padEnd(34)}${name.endsWith("Size") ? formatBytes(value) : value}`,
        ),
      ),
    );
  }
  if (diagnosis.advice.length > 0) sections.push(section("Advice", diagnosis.advice));
  return `${sections.join("\n\n")}\n`;
}

function switchSections(toggles: AdapterReport["toggles"]): string[] {
  const rows = Object.entries(toggles).map(
    ([name, isOn]) => `${isOn ? "on " : "off"}  ${name.padEnd(42)}${useOf(name)}`,
  );
  return rows.length === 0 ? [] : [section("Dawn's switches", rows)];
}

/** When a switch is what it is. */
function useOf(name: string): string {
  return FAST.some((each) => each === name) ? "with --fast" : "always";
}

function tuningText({ numChoices, date, file }: TuningState): string {
  return date === undefined
    ? "nothing measured yet, defaults hold"
    : `${numChoices} choices, the last of ${date.slice(0, 10)}: ${file}`;
}

function section(title: string, lines: readonly string[]): string {
  return [title, ...lines.map((line) => `  ${line}`)].join("\n");
}
