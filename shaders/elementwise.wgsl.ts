/**
 * Kernels of one element at a time.
 *
 *     copy      y  = x
 *     addInto   y += x
 *     add       y  = a + b
 */
import { type Access, type Kernel, paramsBinding, type Storage } from "./kernel.ts";
import { type LaneConstants, mainOfElements } from "./lanes.wgsl.ts";
import { wgsl } from "./wgsl.ts";

/** Constants of every elementwise kernel. */
export interface ElementwiseConstants extends LaneConstants {
  readonly storage: Storage;
  /** Adds to the output instead of storing; kernels without {@linkcode storeOrAdd} ignore it. */
  readonly accumulate: boolean;
}

/** Elementwise kernels know only how many elements there are. */
export const ELEMENTWISE_PARAMS = { length: "u32" } as const;

/** `enable f16;` where the storage needs it; goes first in a kernel. */
export function enableF16(storage: Storage): string {
  return storage === "f16" ? "enable f16;" : "";
}

/** Declares storage buffers at bindings 1…, all of one element type. */
export function storageBindings(
  buffers: Readonly<Record<string, Access>>,
  typeOf: (name: string) => string,
): string {
  return Object.entries(buffers)
    .map(
      ([name, access], index) =>
        `@group(0) @binding(${index + 1}) var<storage, ${access}> ${name}: array<${typeOf(name)}>;`,
    )
    .join("\n    ");
}

/**
 * WGSL statement that stores `value`, of f32, or adds it where the kernel accumulates. Halves are
 * added in f32, so that a sum is rounded once.
 */
export function storeOrAdd(
  target: string,
  value: string,
  accumulate: boolean,
  storage: Storage = "f32",
): string {
  if (storage === "f32") return `${target} ${accumulate ? "+=" : "="} ${value};`;
  return `${target} = f16(${accumulate ? `f32(${target}) + (${value})` : value});`;
}

/** An elementwise kernel with these buffers. */
export type ElementwiseKernel<Buffers extends Record<string, Access>> = Kernel<
  ElementwiseConstants,
  typeof ELEMENTWISE_PARAMS,
  Buffers
>;

/** A kernel that runs `body` for every element `i`; `T` is the storage type. */
export function elementwise<const Buffers extends Record<string, Access>>(
  name: string,
  buffers: Buffers,
  body: string | ((constants: ElementwiseConstants) => string),
): ElementwiseKernel<Buffers> {
  return {
    name,
    params: ELEMENTWISE_PARAMS,
    buffers,
    code: (constants) => {
      const { storage } = constants;
      return wgsl`
    ${enableF16(storage)}
    alias T = ${storage};
    ${paramsBinding(ELEMENTWISE_PARAMS)}
    ${storageBindings(buffers, () => "T")}

    ${mainOfElements(constants, "params.length", typeof body === "string" ? body : body(constants))}`;
    },
  };
}

const UNARY_BUFFERS = { x: "read", y: "read_write" } as const;
const BINARY_BUFFERS = { a: "read", b: "read", y: "read_write" } as const;

/** `y = x`. */
export const copy: ElementwiseKernel<typeof UNARY_BUFFERS> = elementwise(
  "copy",
  UNARY_BUFFERS,
  "y[i] = x[i];",
);

/** `y += x`. */
export const addInto: ElementwiseKernel<typeof UNARY_BUFFERS> = elementwise(
  "addInto",
  UNARY_BUFFERS,
  "y[i] += x[i];",
);

/** `y = a + b`. */
export const add: ElementwiseKernel<typeof BINARY_BUFFERS> = elementwise(
  "add",
  BINARY_BUFFERS,
  "y[i] = T(f32(a[i]) + f32(b[i]));",
);
