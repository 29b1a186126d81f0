import type { Career } from "../../data/career.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { destroyAll } from "../../engine/tensor.ts";
import { loadTransformer } from "../../model/pretrained/load_transformer.ts";
import type { TextModel } from "../../model/pretrained/text_model.ts";
import type { Transformer } from "../../model/transformer/transformer.ts";
import type {
  CallOptions,
  FineTuneOptions,
  GenerateOptions,
  LoadOptions,
  ModelInfo,
  TrainedStep,
} from "./api.ts";
import { CareerReader } from "./ask.ts";
import type { OpenedModel } from "./open_source.ts";

type DType = NonNullable<LoadOptions["dtype"]>;

/** A model on a device, with what it takes to ask it; all of it goes with the device. */
export class LoadedModel {
  readonly opened: OpenedModel;
  /** Whether its weights are no longer those of its files. */
  isTuned = false;
  readonly #gpu: Gpu;
  #dtype: DType;
  #loadMs: number;
  /** None if it could not be loaded again for training: then the model is of no use. */
  #transformer: Transformer | undefined;
  #reader: CareerReader | undefined;
  #text: TextModel | undefined;

  private constructor(
    gpu: Gpu,
    opened: OpenedModel,
    parts: { readonly transformer: Transformer; readonly dtype: DType; readonly loadMs: number },
  ) {
    this.#gpu = gpu;
    this.opened = opened;
    this.#transformer = parts.transformer;
    this.#dtype = parts.dtype;
    this.#loadMs = parts.loadMs;
  }

  /** Puts a model onto a device; loading counts from `begin`, in ms. */
  static async load(
    gpu: Gpu,
    opened: OpenedModel,
    { dtype = "f32", ...options }: LoadOptions = {},
    begin = performance.now(),
  ): Promise<LoadedModel> {
    const transformer = await loadWeights(gpu, opened, { dtype, ...options });
    return new LoadedModel(gpu, opened, { transformer, dtype, loadMs: performance.now() - begin });
  }

  /** Whether it can be asked. */
  get isUsable(): boolean {
    return this.#transformer !== undefined;
  }

  get info(): ModelInfo {
    const { name, wording, isWordingKnown } = this.opened;
    const { numParameters, config } = this.#model;
    return {
      name,
      numParameters,
      dtype: this.#dtype,
      maxSeqLen: config.maxSeqLen,
      wording,
      isWordingKnown,
      deviceBytes: this.#gpu.allocatedBytes,
      loadMs: this.#loadMs,
    };
  }

  /** What careers are asked with. @throws {RangeError} If the tokenizer does not tell titles apart. */
  get reader(): CareerReader {
    this.#reader ??= new CareerReader(this.#gpu, this.opened, this.#model);
    return this.#reader;
  }

  /** Goes on with a text. */
  async *generate(prompt: string, options: GenerateOptions = {}): AsyncGenerator<string> {
    const { ignoreEnd = false, onProgress: _, ...settings } = options;
    const text = await this.#openText();
    const endTokens = ignoreEnd ? { endTokens: [] } : {};
    try {
      yield* text.generate(prompt, { ...settings, ...endTokens });
    } catch (error) {
      text.destroyCaches(); // what did not fit would be missing the next time, too
      throw error;
    }
  }

  /**
   * Goes on training. Its weights are loaded again as f32 where they are not trainable yet.
   *
   * @throws {RangeError} If the device has too little memory; the model is of no use any more then.
   */
  async *fineTune(
    careers: readonly Career[],
    options: FineTuneOptions,
  ): AsyncGenerator<TrainedStep> {
    const { planTuning, tune } = await import("./tune.ts");
    const plan = planTuning(careers, this.opened, options);
    const transformer = await this.#trainable(options);
    this.isTuned = true;
    try {
      yield* tune(this.#gpu, transformer, { plan, options });
    } catch (error) {
      this.destroy(); // weights that blew up are of no use
      throw error;
    }
  }

  /** Frees all of its memory. */
  destroy(): void {
    this.#release();
    const { parameters = [] } = this.#transformer ?? {};
    if (this.isTuned) destroyAll(parameters.map(({ gradient }) => gradient));
    this.#transformer?.destroy();
    this.#transformer = undefined;
  }

  get #model(): Transformer {
    if (this.#transformer !== undefined) return this.#transformer;
    throw new Error("Cannot use the model: it must be on the device, got a model that was freed");
  }

  async #openText(): Promise<TextModel> {
    if (this.#text !== undefined) return this.#text;
    const { TextModel: Text } = await import("../../model/pretrained/text_model.ts");
    const { tokenizer, stored } = this.opened;
    const generation = stored.generation === undefined ? {} : { generation: stored.generation };
    this.#text = new Text({
      gpu: this.#gpu,
      transformer: this.#model,
      tokenizer,
      ...generation,
    });
    return this.#text;
  }

  async #trainable({ signal, onProgress }: CallOptions): Promise<Transformer> {
    if (this.#model.parameters.length > 0) {
      this.#release(); // training takes the memory, and what was read of the weights grows old
      return this.#model;
    }
    this.destroy();
    const calls = { ...(signal && { signal }), ...(onProgress && { onProgress }) };
    this.#transformer = await loadWeights(this.#gpu, this.opened, { ...calls, trainable: true });
    this.#dtype = "f32";
    return this.#transformer;
  }

  /** Frees what stands on the weights. */
  #release(): void {
    this.#reader?.destroy();
    this.#reader = undefined;
    this.#text?.destroyCaches();
    this.#text = undefined;
  }
}

function loadWeights(
  gpu: Gpu,
  { stored }: OpenedModel,
  { onProgress, signal, dtype, trainable = false }: LoadOptions & { readonly trainable?: boolean },
): Promise<Transformer> {
  return loadTransformer(gpu, stored, {
    trainable,
    ...(dtype !== undefined && { dtype }),
    ...(signal !== undefined && { signal }),
    ...(onProgress !== undefined && {
      onProgress: ({ label, loadedBytes: done, totalBytes: total }) =>
        onProgress({ phase: "load", what: label, done, total, unit: "bytes" }),
    }),
  });
}
