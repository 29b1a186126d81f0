import type { Access, Kernel, ParamType } from "../shaders/kernel.ts";
import { addInto, copy, type ElementwiseConstants } from "../shaders/elementwise.wgsl.ts";
import { laneWorkgroups } from "../shaders/lanes.wgsl.ts";
import type { Gpu, Variant } from "./gpu.ts";
import { lanesOf } from "./lanes.ts";
import { flat, flatParts, rowChunks } from "./split.ts";
import { type DType, describe, isParameter, rootOf, sizeOf, type Tensor } from "./tensor.ts";
import { LEAST_TRAITS, type Traits } from "./tuning/traits.ts";
import {
  type Choice,
  type Choices,
  choose,
  type TuningQuestion,
  type Tunable,
} from "./tuning/tunable.ts";

/** Everything one dispatch needs besides the kernel itself. */
export interface Dispatch<Constants, Params extends string, Buffers extends string> {
  readonly constants: Constants;
  readonly params: Readonly<Record<Params, number>>;
  readonly buffers: Readonly<Record<Buffers, Tensor>>;
  /** Workgroups to launch; the plan folds more than the device's limit into two dimensions. */
  readonly workgroups: number;
}

/** A dispatch as the tape keeps it, its types erased. */
export interface RecordedDispatch extends Dispatch<unknown, string, string> {
  readonly kernel: AnyKernel;
  /** Whether {@linkcode Tape.backward} recorded it; what it computes again is part of it. */
  readonly isBackward: boolean;
}

/** A kernel whose types are erased; its constants travel beside it. */
export interface AnyKernel {
  readonly name: string;
  readonly params: Readonly<Record<string, ParamType>>;
  readonly buffers: Readonly<Record<string, Access>>;
  readonly code: (constants: never) => string;
}

/** Adds the gradient of one tensor to `dx`, or stores it where `accumulate` is false. */
export type GradientWriter = (dx: Tensor, accumulate: boolean) => void;

interface BackwardStep {
  readonly output: Tensor;
  readonly run: (dy: Tensor) => void;
}

interface SharedResult {
  readonly kernel: AnyKernel;
  readonly inputs: Readonly<Record<string, Tensor | number>>;
  readonly result: Tensor;
  /** Dispatches of the tape after it was recorded. */
  readonly end: number;
}

/**
 * A list of dispatches, recorded before anything runs, and how to differentiate them.
 *
 * Ops append their dispatches and, with {@linkcode Tape.onBackward}, a step that appends the
 * dispatches of their gradient. {@linkcode Tape.backward} runs these steps in reverse order, onto
 * the same list. A gradient is stored by the first dispatch that writes it and added to by the
 * rest, so activations' gradients never need clearing.
 *
 * Reverse-mode differentiation: Linnainmaa, 1970; for the tape form see
 * Griewank & Walther, "Evaluating Derivatives", 2008, chapter 3.
 */
export class Tape {
  /** Which variant of the hot kernels the ops record. */
  readonly variant: Variant;
  /** Lanes of a subgroup for the flat variant to share loads in; 0 for none. */
  readonly subgroupSize: number;
  /** Bytes of a tensor that a kernel can see at a time; ops take larger ones in parts. */
  readonly maxBindingBytes: number;
  /** What kernels may use of the device. */
  readonly traits: Traits;
  /** What a tuner chose; ops ask through {@linkcode choose}. */
  readonly choices: Choices;
  /** What ops asked {@linkcode choose}, for a tuner. */
  readonly questions: TuningQuestion[] = [];
  readonly #dispatches: RecordedDispatch[] = [];
  readonly #backward: BackwardStep[] = [];
  #isBackward = false;
  readonly #gradients = new Map<Tensor, Tensor>();
  /** Tensors whose gradient stays as it is once it is complete. */
  readonly #retained = new Set<Tensor>();
  /** What ops share, by the kernel that makes it. */
  readonly #shared: SharedResult[] = [];
  /** Tensors whose gradient is one and the same tensor, while any of them may still be read. */
  readonly #sharers = new Map<Tensor, Set<Tensor>>();

  constructor({
    variant,
    subgroupSize,
    maxBindingBytes = Infinity,
    traits = LEAST_TRAITS,
    choices = new Map(),
  }: Pick<Gpu, "variant" | "subgroupSize"> &
    Partial<Pick<Gpu, "maxBindingBytes" | "traits" | "choices">>) {
    this.variant = variant;
    this.subgroupSize = subgroupSize;
    this.maxBindingBytes = maxBindingBytes;
    this.traits = traits;
    this.choices = choices;
  }

  /** How to compute a problem: what a tuner chose, or the default. */
  choose<Problem>(tunable: Tunable<Problem>, problem: Problem): Choice {
    this.questions.push({ tunable, problem });
    return choose(this, tunable, problem);
  }

  /** What was recorded, in order. */
  get dispatches(): readonly RecordedDispatch[] {
    return this.#dispatches;
  }

  /**
   * A new activation.
   *
   * @param shape Its shape; its memory is undefined until a dispatch writes it.
   * @param options `from`: the tensors it is computed from, which decide whether it carries a gradient.
   */
  activation(
    shape: readonly number[],
    {
      label,
      dtype = "f32",
      from = [],
    }: {
      readonly label: string;
      readonly dtype?: DType;
      readonly from?: readonly (Tensor | undefined)[];
    },
  ): Tensor {
    const needsGradient = from.some((tensor) => tensor?.needsGradient === true);
    return { shape, dtype, purpose: "activations", label, needsGradient };
  }

  /** Appends one dispatch. */
  dispatch<
    Constants,
    Params extends Record<string, ParamType>,
    Buffers extends Record<string, Access>,
  >(
    kernel: Kernel<Constants, Params, Buffers>,
    dispatch: Dispatch<Constants, keyof Params & string, keyof Buffers & string>,
  ): void {
    this.#dispatches.push({ ...dispatch, kernel, isBackward: this.#isBackward });
  }

  /**
   * What a kernel makes of its inputs, for all ops that ask: recorded for the first of them, and
   * again where a dispatch has written an input since.
   *
   * @param kernel What makes it.
   * @param inputs Tensors and numbers that it depends on.
   * @param record Appends the dispatches, and returns their result.
   */
  share(
    kernel: AnyKernel,
    inputs: Readonly<Record<string, Tensor | number>>,
    record: () => Tensor,
  ): Tensor {
    const names = Object.keys(inputs);
    const found = this.#shared.findLast(
      (one) => one.kernel === kernel && names.every((name) => one.inputs[name] === inputs[name]),
    );
    if (found !== undefined && !this.#areWritten(inputs, found.end)) return found.result;
    const result = record();
    this.#shared.push({ kernel, inputs, result, end: this.#dispatches.length });
    return result;
  }

  /** Whether a dispatch from `begin` on writes memory of one of the inputs. */
  #areWritten(inputs: Readonly<Record<string, Tensor | number>>, begin: number): boolean {
    const roots = new Set<unknown>();
    for (const input of Object.values(inputs)) {
      if (typeof input !== "number") roots.add(rootOf(input));
    }
    return this.#dispatches
      .slice(begin)
      .some(({ kernel, buffers }) =>
        Object.entries(buffers).some(
          ([name, tensor]) => kernel.buffers[name] !== "read" && roots.has(rootOf(tensor)),
        ),
      );
  }

  /**
   * Registers one op's backward step. It runs if a gradient reached `output`.
   *
   * @param output What the op computed.
   * @param run Appends the dispatches of the gradient, given `dy`, shaped as `output`.
   */
  onBackward(output: Tensor, run: (dy: Tensor) => void): void {
    if (output.needsGradient) this.#backward.push({ output, run });
  }

  /**
   * Records every backward step, last op first.
   *
   * @param output Tensor to differentiate.
   * @param seed Gradient of the loss with respect to `output`, of its shape and dtype; data, so
   *   that one plan serves any scale of the loss.
   * @param retain Activations whose {@linkcode gradient} will be read; others' memory is reused.
   * @throws {RangeError} If the seed is not shaped and stored as `output`.
   */
  backward(output: Tensor, seed: Tensor, retain: readonly Tensor[] = []): void {
    if (sizeOf(seed.shape) !== sizeOf(output.shape) || seed.dtype !== output.dtype) {
      throw new RangeError(
        `Cannot differentiate "${output.label}": the seed must be shaped ${describe(output)}, got ${describe(seed)}`,
      );
    }
    this.#gradients.set(output, seed);
    for (const tensor of retain) this.#retained.add(tensor);
    this.#isBackward = true;
    this.#differentiate(0);
    this.#isBackward = false;
  }

  /**
   * Records a part of the forward pass whose activations are not kept: backward records the part
   * again before it differentiates it, so that memory holds them for one part at a time.
   *
   * @param record Appends the part's dispatches; each call must append the same.
   * @returns What `record` returned at first.
   * @see {@link https://arxiv.org/abs/1604.06174 | Chen et al., 2016}
   */
  checkpoint(record: () => Tensor): Tensor {
    const begin = this.#backward.length;
    const y = record();
    this.#backward.length = begin;
    this.onBackward(y, (dy) => {
      const first = this.#backward.length;
      const again = record();
      this.passGradient(again, dy);
      this.#differentiate(first);
    });
    return y;
  }

  /** Records the backward steps from `begin` on, last one first, and forgets them. */
  #differentiate(begin: number): void {
    for (const { output: y, run } of this.#backward.splice(begin).toReversed()) {
      const dy = this.#gradients.get(y);
      if (dy === undefined) continue;
      run(dy);
      if (!this.#retained.has(y)) this.#sharers.get(dy)?.delete(y);
    }
  }

  /**
   * Gradient that has reached `tensor`: a parameter, or an activation that backward() retained.
   *
   * @throws {RangeError} If none has, or it was not retained.
   */
  gradient(tensor: Tensor): Tensor {
    const gradient = isParameter(tensor) ? tensor.gradient : this.#gradients.get(tensor);
    if (gradient !== undefined && !isParameter(tensor) && !this.#retained.has(tensor)) {
      throw new RangeError(
        `Cannot give the gradient of "${tensor.label}": backward() must retain it, got one that others may overwrite`,
      );
    }
    if (gradient === undefined) {
      throw new RangeError(
        `Cannot give the gradient of "${tensor.label}": no gradient has reached it, call backward() first`,
      );
    }
    return gradient;
  }

  /** Lets `write` add to the gradient of `x`; does nothing where `x` carries none. */
  addGradient(x: Tensor, write: GradientWriter): void {
    if (!x.needsGradient) return;
    if (isParameter(x)) {
      write(x.gradient, true);
      return;
    }
    const held = this.#gradients.get(x);
    const dx = held === undefined || this.#isShared(held) ? this.#ownGradient(x) : held;
    if (held !== undefined && dx !== held) {
      this.#sharers.get(held)?.delete(x);
      this.elementwise(copy, { x: held, y: dx });
    }
    write(dx, held !== undefined);
  }

  /** The gradient of `x` is `dy` itself: shares the memory where nothing has reached `x` yet. */
  passGradient(x: Tensor, dy: Tensor): void {
    if (x.needsGradient && !isParameter(x) && !this.#gradients.has(x)) {
      this.#gradients.set(x, dy);
      const sharers = this.#sharers.get(dy) ?? new Set();
      this.#sharers.set(dy, sharers.add(x));
    } else {
      this.addGradient(x, (dx) => this.elementwise(addInto, { x: dy, y: dx }));
    }
  }

  /**
   * Dispatches a kernel of one element at a time, in as many parts as the buffers are bound in; all
   * buffers are stored as the first.
   */
  elementwise<Buffers extends Record<string, Access>>(
    kernel: Kernel<ElementwiseConstants, { length: "u32" }, Buffers>,
    buffers: Readonly<Record<keyof Buffers & string, Tensor>>,
    accumulate = false,
  ): void {
    const first = Object.values<Tensor>(buffers)[0]!;
    const lanes = lanesOf(this.variant);
    const constants = {
      storage: first.dtype === "f16" ? "f16" : "f32",
      ...lanes,
      accumulate,
    } as const;
    for (const range of rowChunks(flat(first), this.maxBindingBytes)) {
      const length = range.end - range.begin;
      this.dispatch(kernel, {
        constants,
        params: { length },
        buffers: flatParts(buffers, range),
        workgroups: laneWorkgroups(lanes, length),
      });
    }
  }

  /** Whether another tensor, whose gradient is yet to be read, has the same gradient tensor. */
  #isShared(gradient: Tensor): boolean {
    return rootOf(gradient).buffer !== undefined || (this.#sharers.get(gradient)?.size ?? 0) > 1;
  }

  #ownGradient(x: Tensor): Tensor {
    const dx = this.activation(x.shape, { label: `d(${x.label})`, dtype: x.dtype });
    this.#gradients.set(x, dx);
    this.#sharers.set(dx, new Set([x]));
    return dx;
  }
}
