/** What ops may ask of a device, as plain data. */
export interface Traits {
  /** Whether kernels may use f16. */
  readonly hasFloat16: boolean;
  /** Bytes of workgroup memory that a kernel may declare. */
  readonly maxWorkgroupBytes: number;
  /** Lanes that a workgroup may have. */
  readonly maxWorkgroupLanes: number;
  /** Sizes of the matrices that subgroups multiply, f16 · f16 summed in f32; absent without them. */
  readonly matrix?: MatrixTraits;
}

/** Products of subgroup matrices: an `m` × `k` by a `k` × `n` one. */
export interface MatrixTraits {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Lanes of the subgroup that holds a matrix. */
  readonly subgroupSize: number;
  /**
   * Replaces the matrices by workgroup memory, so that kernels written for them run, slowly, on any
   * adapter: for tests.
   */
  readonly emulated: boolean;
}

/** What every WebGPU device can do. */
export const LEAST_TRAITS: Traits = {
  hasFloat16: false,
  maxWorkgroupBytes: 16_384,
  maxWorkgroupLanes: 256,
};

/** The feature of subgroup matrices; the WebGPU proposal is not a standard yet. */
export const SUBGROUP_MATRIX = "chromium-experimental-subgroup-matrix" as GPUFeatureName;

/** A product that a device's subgroup matrices can do, as Dawn lists them. */
export interface MatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** Traits of an open device. */
export function traitsOf(device: GPUDevice, info: GPUAdapterInfo): Traits {
  const { limits, features } = device;
  const matrix = features.has(SUBGROUP_MATRIX) ? matrixTraits(info) : undefined;
  return {
    hasFloat16: features.has("shader-f16"),
    maxWorkgroupBytes: limits.maxComputeWorkgroupStorageSize,
    maxWorkgroupLanes: Math.min(
      limits.maxComputeInvocationsPerWorkgroup,
      limits.maxComputeWorkgroupSizeX,
    ),
    ...(matrix !== undefined && { matrix }),
  };
}

/** The largest f16 product with f32 sums that an adapter lists, where its subgroups have one size. */
function matrixTraits(
  info: GPUAdapterInfo & { readonly subgroupMatrixConfigs?: readonly MatrixConfig[] },
): MatrixTraits | undefined {
  const { subgroupMatrixConfigs = [], subgroupMinSize = 0, subgroupMaxSize = 0 } = info;
  if (subgroupMinSize !== subgroupMaxSize) return undefined;
  const [best] = subgroupMatrixConfigs
    .filter((one) => one.componentType === "f16" && one.resultComponentType === "f32")
    .toSorted((one, other) => other.M * other.N * other.K - one.M * one.N * one.K);
  if (best === undefined) return undefined;
  return { m: best.M, n: best.N, k: best.K, subgroupSize: subgroupMaxSize, emulated: false };
}
