/**
 * Switches of Dawn that are always on: they take no check away. Experimental features stay off
 * until a device asks for them, and clocks are coarse only to keep web pages from spying.
 */
export const ALWAYS = {
  enable: [
    // Subgroup matrices are experimental, and count as unsafe.
    "allow_unsafe_apis",
    // Dawn holds shader-f16 back on NVIDIA; with it go the matrices of halves.
    "vulkan_enable_f16_on_nvidia",
  ],
  disable: ["timestamp_quantization"],
} as const;

/**
 * Switches that `--fast` adds, each of which takes a check away: a kernel of ours that reads or
 * writes where it must not is then no longer kept from other memory of the process.
 */
export const FAST = [
  // Indices are not clamped to arrays.
  "disable_robustness",
  // Workgroup memory begins as it was left.
  "disable_workgroup_init",
  // Integers may be divided by zero, with whatever result.
  "disable_polyfills_on_integer_div_and_mod",
  // Wrong calls are passed on to the driver.
  "skip_validation",
] as const;

/**
 * Arguments of Dawn's `create()`. Dawn ignores unknown names silently: test/cli/toggles_test.ts
 * checks what each one does.
 */
export function dawnArguments(extra: readonly string[]): string[] {
  return [
    `enable-dawn-features=${[...ALWAYS.enable, ...extra].join(",")}`,
    `disable-dawn-features=${ALWAYS.disable.join(",")}`,
  ];
}
