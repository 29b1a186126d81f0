import type { Gpu } from "../../engine/gpu.ts";
import { add } from "../../engine/ops/add.ts";
import { linear } from "../../engine/ops/linear.ts";
import { softmaxLoss } from "../../engine/ops/softmax_loss.ts";
import { sparseRows } from "../../engine/ops/sparse_rows.ts";
import { Plan, submitAndRead } from "../../engine/plan.ts";
import { SparseInput } from "../../engine/sparse_input.ts";
import { Tape } from "../../engine/tape.ts";
import type { Parameter, Tensor } from "../../engine/tensor.ts";
import { type Design, sliceRows } from "./design.ts";
import type { Evaluation } from "./lbfgs.ts";

/** Options of a {@linkcode SoftmaxRegression}. */
export interface SoftmaxRegressionOptions {
  readonly numClasses: number;
  /** Logits are clamped to ±limit. @default {Infinity} */
  readonly limit?: number;
  /** Rows of a batch, at most; fewer where a device binds less. @default {2048} */
  readonly batchRows?: number;
}

/** Weights of a softmax regression, without padding. */
export interface SoftmaxWeights {
  /** Of sparse features, `[numFeatures, numClasses]`. */
  readonly table: Float32Array<ArrayBuffer>;
  /** Of dense columns, `[numClasses, numColumns]`. */
  readonly dense?: Float32Array<ArrayBuffer>;
}

/** Classes are padded to a multiple of this, so that kernels read four at a time. */
const CLASS_MULTIPLE = 4;

const BATCH_ROWS = 2048;

/**
 * Mean loss and gradient of a softmax regression over a design that stays on the device.
 *
 *     logits[r] = Σ_k values[k] · table[columns[k]] + dense · x[r]
 *     loss      = mean_r(log Σ_v exp(logits[r, v]) − logits[r, target[r]])
 *
 * One plan holds all batches, recorded once: an evaluation writes the weights and is one submit.
 * Weights are f64 on the host and f32 on the device, whose gradients are sums in f32 of a fixed
 * order; losses of rows are added in f64. All of the design is in the device's memory; logits are
 * there for one batch at a time.
 */
export class SoftmaxRegression {
  /** Weights with padding: the table `[numFeatures, stride]`, then `[stride, numColumns]`. */
  readonly length: number;
  /** Weights of a feature, with padding. */
  readonly stride: number;
  readonly #gpu: Gpu;
  readonly #design: Design;
  readonly #numClasses: number;
  readonly #table: Parameter;
  readonly #dense: Parameter | undefined;
  readonly #plan: Plan;
  readonly #losses: Tensor[] = [];
  readonly #inputs: { destroy(): void }[] = [];

  /**
   * Writes the design to the device and records the plan; it compiles at the first evaluation.
   *
   * @throws {RangeError} If the design's arrays do not fit together, or a class is out of range.
   */
  constructor(gpu: Gpu, design: Design, options: SoftmaxRegressionOptions) {
    const { numClasses, limit = Infinity } = options;
    check(design, numClasses);
    const { numFeatures, numRows, dense } = design;
    const stride = Math.ceil(numClasses / CLASS_MULTIPLE) * CLASS_MULTIPLE;
    this.#gpu = gpu;
    this.#design = design;
    this.#numClasses = numClasses;
    this.stride = stride;
    this.#table = gpu.parameter([numFeatures, stride], { label: "table" });
    this.#dense = dense && gpu.parameter([stride, dense.numColumns], { label: "dense weights" });
    this.length = stride * (numFeatures + (dense?.numColumns ?? 0));
    const rowBytes = 4 * Math.max(stride, dense?.numColumns ?? 0);
    const fitting = Math.max(1, Math.floor(gpu.maxBindingBytes / rowBytes));
    const batchRows = Math.min(options.batchRows ?? BATCH_ROWS, fitting, numRows);
    const tape = new Tape(gpu);
    for (let begin = 0; begin < numRows; begin += batchRows) {
      this.#record(tape, { begin, end: Math.min(begin + batchRows, numRows), limit });
    }
    this.#plan = new Plan(gpu, tape, { keep: this.#losses });
  }

  /** Records loss and gradient of a batch of rows, each of which counts 1 / numRows. */
  #record(
    tape: Tape,
    { begin, end, limit }: { readonly begin: number; readonly end: number; readonly limit: number },
  ): void {
    const gpu = this.#gpu;
    const numRows = end - begin;
    const { numFeatures, sparse, dense, targets } = this.#design;
    const slice = sliceRows(sparse, begin, end);
    const maxEntries = slice.columns.length;
    const rows = new SparseInput(gpu, { numRows, numFeatures, maxEntries });
    rows.write(slice);
    this.#inputs.push(rows);
    let logits = sparseRows(tape, this.#table, rows);
    if (dense !== undefined) {
      const { numColumns } = dense;
      const values = dense.values.slice(begin * numColumns, end * numColumns);
      const x = this.#input([numRows, numColumns], { label: "dense columns", values });
      logits = add(tape, logits, linear(tape, x, this.#dense!));
    }
    const own = this.#input([numRows], {
      label: "targets",
      dtype: "u32",
      values: targets.slice(begin, end),
    });
    const weights = this.#input([numRows], {
      label: "weights of rows",
      values: new Float32Array(numRows).fill(1 / this.#design.numRows),
    });
    const numClasses = this.#numClasses;
    const nll = softmaxLoss(tape, { logits, targets: own, numClasses, limit });
    tape.backward(nll, weights);
    this.#losses.push(nll);
  }

  #input(shape: readonly number[], options: Parameters<Gpu["tensor"]>[1]): Tensor {
    const tensor = this.#gpu.tensor(shape, options);
    this.#inputs.push(tensor.buffer);
    return tensor;
  }

  /**
   * Mean loss and its gradient.
   *
   * @param weights Padded, as {@linkcode padded} gives them, `[length]`.
   */
  async evaluate(weights: Float64Array): Promise<Evaluation> {
    await this.#plan.compile();
    const parameters = this.#dense === undefined ? [this.#table] : [this.#table, this.#dense];
    let offset = 0;
    for (const parameter of parameters) {
      const length = parameter.shape[0]! * parameter.shape[1]!;
      const part = Float32Array.from(weights.subarray(offset, offset + length));
      this.#gpu.write(parameter, part);
      this.#gpu.write(parameter.gradient, new Float32Array(length));
      offset += length;
    }
    const outputs = [...this.#losses, ...parameters.map(({ gradient }) => gradient)];
    const results = await submitAndRead(
      this.#gpu,
      [this.#plan],
      outputs.map((output) => this.#plan.source(output)),
    );
    let sum = 0;
    for (const losses of results.slice(0, this.#losses.length)) {
      for (const loss of losses) sum += loss;
    }
    const gradient = new Float64Array(this.length);
    offset = 0;
    for (const part of results.slice(this.#losses.length)) {
      gradient.set(part, offset);
      offset += part.length;
    }
    return { value: sum / this.#design.numRows, gradient };
  }

  /** Weights with padding, in float64. */
  padded({ table, dense }: SoftmaxWeights): Float64Array {
    const all = new Float64Array(this.length);
    const { numFeatures } = this.#design;
    for (let feature = 0; feature < numFeatures; feature++) {
      const row = table.subarray(feature * this.#numClasses, (feature + 1) * this.#numClasses);
      all.set(row, feature * this.stride);
    }
    if (dense !== undefined) all.set(dense, numFeatures * this.stride);
    return all;
  }

  /** Weights without padding, as f32. */
  unpadded(weights: Float64Array): SoftmaxWeights {
    const { numFeatures, dense } = this.#design;
    const table = new Float32Array(numFeatures * this.#numClasses);
    for (let feature = 0; feature < numFeatures; feature++) {
      const begin = feature * this.stride;
      const row = weights.subarray(begin, begin + this.#numClasses);
      table.set(row, feature * this.#numClasses);
    }
    if (dense === undefined) return { table };
    const begin = numFeatures * this.stride;
    const length = this.#numClasses * dense.numColumns;
    return { table, dense: Float32Array.from(weights.subarray(begin, begin + length)) };
  }

  /** Frees the memory of the design, the plan and the weights. */
  destroy(): void {
    this.#plan.destroy();
    for (const input of this.#inputs) input.destroy();
    for (const parameter of [this.#table, this.#dense]) {
      parameter?.gradient.buffer?.destroy();
      parameter?.buffer?.destroy();
    }
  }
}

function check({ numRows, sparse, dense, targets }: Design, numClasses: number): void {
  const cannot = (must: string, got: string | number | undefined) =>
    new RangeError(`Cannot fit a softmax regression: ${must}, got ${got}`);
  if (numRows < 1) throw cannot("there must be rows", numRows);
  const lengths = { targets: targets.length, "starts less one": sparse.starts.length - 1 };
  for (const [name, length] of Object.entries(lengths)) {
    if (length !== numRows) throw cannot(`there must be ${numRows} ${name}`, length);
  }
  const wrong = targets.findIndex((target) => target >= numClasses);
  if (wrong >= 0) {
    throw cannot(`classes must be below ${numClasses}`, `${targets[wrong]} in row ${wrong}`);
  }
  if (dense === undefined) return;
  const filled = numRows * dense.numColumns;
  if (dense.values.length !== filled) {
    throw cannot(`dense columns must have ${filled} values`, dense.values.length);
  }
  const odd = dense.values.findIndex((value) => !Number.isFinite(value));
  if (odd >= 0) throw cannot("dense values must be finite", `${dense.values[odd]} at ${odd}`);
}
