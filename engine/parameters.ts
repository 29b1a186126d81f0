/**
 * Parameters that lie side by side in a few large buffers, and their gradients and moments in the
 * same order: what treats all of them alike, as the optimizer does, takes them as one.
 */
import type { Gpu } from "./gpu.ts";
import {
  BINDING_ALIGNMENT,
  byteOffsetOf,
  bytesOf,
  type Parameter,
  type Purpose,
  rootOf,
  type Tensor,
} from "./tensor.ts";

/** A parameter to be. */
export interface ParameterSpec {
  readonly label: string;
  readonly shape: readonly number[];
}

/** Most bytes of a buffer of several parameters: larger ones are hard to place in a full memory. */
const MOST_BYTES = 2 ** 29;

/**
 * Trainable f32 tensors, zeros at first, packed into as few buffers as the device can bind whole;
 * matrices first, vectors behind them, since optimizers treat these differently. Gradients are
 * allocated in the same way when a backward pass asks for one.
 *
 * @param gpu Where to.
 * @param specs What to allocate.
 * @returns In the order of `specs`, which is not that of their memory.
 * @throws {RangeError} If the device has no buffers as large as one of them.
 */
export function packParameters(gpu: Gpu, specs: Iterable<ParameterSpec>): Parameter[] {
  const given = [...specs];
  const packed = new Map<ParameterSpec, Parameter>();
  const ordered = given.toSorted((one, other) => +isVector(one) - +isVector(other));
  for (const group of groupsOf(ordered, Math.min(gpu.maxBindingBytes, MOST_BYTES))) {
    const weights = packGroup(gpu, group, { purpose: "weights", name: (label) => label });
    let gradients: readonly Tensor[] | undefined;
    const gradientsOf = () =>
      (gradients ??= packGroup(gpu, group, {
        purpose: "gradients",
        name: (label) => `d(${label})`,
      }));
    group.forEach((spec, index) => {
      packed.set(spec, {
        ...weights[index]!,
        needsGradient: true,
        get gradient() {
          return gradientsOf()[index]!;
        },
      });
    });
  }
  return given.map((spec) => packed.get(spec)!);
}

/**
 * Zeros for every parameter, in memory that is laid out as theirs is.
 *
 * @param gpu Where to.
 * @param parameters Whose shapes and places.
 * @param options What the tensors are for, and their labels.
 */
export function besideParameters(
  gpu: Gpu,
  parameters: readonly Parameter[],
  { purpose, name }: { readonly purpose: Purpose; readonly name: (label: string) => string },
): Tensor[] {
  const roots = new Map<Tensor, Tensor>();
  return parameters.map(({ shape, label, view }) => {
    const tensor = {
      shape,
      label: name(label),
      dtype: "f32",
      purpose,
      needsGradient: false,
    } as const;
    if (view === undefined) return gpu.tensor(shape, tensor);
    const root =
      roots.get(view.of) ?? gpu.tensor(view.of.shape, { ...tensor, label: name("packed") });
    roots.set(view.of, root);
    return { ...tensor, view: { of: root, byteOffset: view.byteOffset } };
  });
}

/**
 * Groups items whose tensors follow one another in memory.
 *
 * @param items In any order.
 * @param tensorsOf The f32 tensors of an item, as many of each.
 * @param fit Whether two neighbors may be treated as one. @default {always}
 * @returns For each run, its first item, and one flat view per tensor that spans all of its items,
 *   the gaps of less than 256 bytes between them included.
 */
export function runsOf<Item>(
  items: readonly Item[],
  tensorsOf: (item: Item) => readonly Tensor[],
  fit: (one: Item, other: Item) => boolean = () => true,
): { readonly first: Item; readonly spans: readonly Tensor[] }[] {
  const roots = new Map<Tensor, number>();
  const placed = items.map((item) => {
    const tensors = tensorsOf(item);
    const root = rootOf(tensors[0]!);
    if (!roots.has(root)) roots.set(root, roots.size);
    return { item, tensors, order: roots.get(root)!, at: byteOffsetOf(tensors[0]!) };
  });
  placed.sort((one, other) => one.order - other.order || one.at - other.at);
  const runs: (typeof placed)[] = [];
  for (const one of placed) {
    const last = runs.at(-1)?.at(-1);
    const follows =
      last !== undefined &&
      fit(last.item, one.item) &&
      one.tensors.every((tensor, index) => isNext(last.tensors[index]!, tensor));
    if (follows) runs.at(-1)!.push(one);
    else runs.push([one]);
  }
  return runs.map((run) => ({
    first: run[0]!.item,
    spans: run[0]!.tensors.map((tensor, index) => span(tensor, run.at(-1)!.tensors[index]!)),
  }));
}

/** Whether a tensor begins where a binding may, right behind another. */
function isNext(before: Tensor, tensor: Tensor): boolean {
  return (
    rootOf(before) === rootOf(tensor) &&
    byteOffsetOf(tensor) === align(byteOffsetOf(before) + bytesOf(before))
  );
}

/** The elements from the first of one tensor to the last of another in the same memory. */
function span(first: Tensor, last: Tensor): Tensor {
  const root = rootOf(first);
  const byteOffset = byteOffsetOf(first);
  const bytes = byteOffsetOf(last) + bytesOf(last) - byteOffset;
  const { dtype, purpose, label } = first;
  return {
    shape: [bytes / 4],
    dtype,
    purpose,
    label: first === last ? label : `${label} to ${last.label}`,
    needsGradient: false,
    view: { of: root, byteOffset },
  };
}

/** One buffer, and a view of it for each of a group. */
function packGroup(
  gpu: Gpu,
  group: readonly ParameterSpec[],
  { purpose, name }: { readonly purpose: Purpose; readonly name: (label: string) => string },
): Tensor[] {
  const [only] = group;
  if (group.length === 1) return [gpu.tensor(only!.shape, { label: name(only!.label), purpose })];
  const offsets: number[] = [];
  let end = 0;
  for (const { shape } of group) {
    offsets.push(align(end));
    end = align(end) + bytesOf({ shape, dtype: "f32" });
  }
  const of = gpu.tensor([end / 4], { label: name("packed"), purpose });
  return group.map(({ shape, label }, index) => ({
    shape,
    dtype: "f32",
    purpose,
    label: name(label),
    needsGradient: false,
    view: { of, byteOffset: offsets[index]! },
  }));
}

/** Cuts a list where a group would exceed the bytes; what is larger alone is a group of its own. */
function groupsOf(specs: readonly ParameterSpec[], mostBytes: number): ParameterSpec[][] {
  const groups: ParameterSpec[][] = [];
  let bytes = Infinity;
  for (const spec of specs) {
    const own = align(bytesOf({ shape: spec.shape, dtype: "f32" }));
    if (bytes + own > mostBytes) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)!.push(spec);
    bytes += own;
  }
  return groups;
}

function isVector({ shape }: ParameterSpec): boolean {
  return shape.length < 2;
}

function align(bytes: number): number {
  return Math.ceil(bytes / BINDING_ALIGNMENT) * BINDING_ALIGNMENT;
}
