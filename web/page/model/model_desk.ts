import type { Wording } from "../../../data/wording.ts";
import type { WeightDType } from "../../../engine/pack.ts";
import type { CallOptions, ModelSource, StoredModelInfo, StoreState } from "../../engine/api.ts";
import { type App, doWork, noticeOf } from "../app.ts";
import { Signal } from "../signal.ts";
import { forgetStart, rememberStart } from "./start_model.ts";

/** A model to load. */
export interface ModelChoice {
  readonly name: string;
  readonly source: ModelSource;
  /** SHA-256 that its files must have, by path. */
  readonly sha256?: Readonly<Record<string, string>>;
}

/** How a model is loaded again. */
export interface Reload {
  readonly dtype?: WeightDType;
  readonly wording?: Partial<Wording>;
}

/** What the model panel does: it keeps, loads and removes models, one at a time. */
export class ModelDesk {
  readonly #app: App;
  /** How weights are held from the next load on. */
  readonly dtype = new Signal<WeightDType>("f32");
  /** Whether models are kept in this browser. */
  readonly keep = new Signal(true);
  readonly stored = new Signal<StoreState | undefined>(undefined);
  /** Id of the model that was just kept, whose sums are worth a look. */
  readonly justSaved = new Signal<string | undefined>(undefined);
  #current: { readonly choice: ModelChoice; readonly wording?: Partial<Wording> } | undefined;

  constructor(app: App) {
    this.#app = app;
  }

  /** Loads a model, after it is kept if it is to be kept. */
  async open(choice: ModelChoice): Promise<void> {
    await this.#work(choice.name, async (options) => {
      const source = this.keep.value ? await this.#save(choice, options) : choice.source;
      await this.#load({ ...choice, source }, {}, options);
    });
  }

  /** Loads a model that is kept. @param wording Told before, where its files do not say. */
  async openStored(
    { id, name }: Pick<StoredModelInfo, "id" | "name">,
    wording?: Partial<Wording>,
  ): Promise<void> {
    const choice: ModelChoice = { name, source: { kind: "stored", id } };
    await this.#work(name, (options) =>
      this.#load(choice, wording === undefined ? {} : { wording }, options),
    );
  }

  /** Loads the model that is loaded once more, in another precision or wording. */
  async reload({ dtype, wording }: Reload): Promise<void> {
    const current = this.#current;
    if (dtype !== undefined) this.dtype.value = dtype;
    if (current === undefined) return;
    const words = wording ?? current.wording;
    await this.#work(current.choice.name, (options) =>
      this.#load(current.choice, words === undefined ? {} : { wording: words }, options),
    );
  }

  async unload(): Promise<void> {
    await this.#try(() => this.#app.engine.unload());
    this.#current = undefined;
    forgetStart();
    await this.#askModel();
  }

  async remove({ id }: Pick<StoredModelInfo, "id">): Promise<void> {
    await this.#try(() => this.#app.engine.remove(id));
    forgetStart(id);
    await this.refresh();
  }

  /** Asks anew what is kept. */
  async refresh(): Promise<void> {
    await this.#try(async () => {
      this.stored.value = await this.#app.engine.stored();
    });
  }

  async #save(
    { name, source, sha256 }: ModelChoice,
    options: CallOptions,
  ): Promise<Extract<ModelSource, { kind: "stored" }>> {
    const { id } = await this.#app.engine.save(source, {
      ...options,
      name,
      ...(sha256 !== undefined && { sha256 }),
    });
    this.justSaved.value = id;
    await this.refresh();
    return { kind: "stored", id };
  }

  async #load(choice: ModelChoice, { wording }: Reload, options: CallOptions): Promise<void> {
    // If loading takes the page down with it, the next start does not try again by itself.
    forgetStart();
    const words = wording === undefined ? {} : { wording };
    const { source } = choice;
    this.#app.model.value = await this.#app.engine.load(source, {
      ...options,
      ...words,
      dtype: this.dtype.value,
    });
    this.#current = { choice, ...words };
    if (source.kind === "stored")
      rememberStart({ id: source.id, dtype: this.dtype.value, ...words });
  }

  async #work(name: string, task: (options: CallOptions) => Promise<void>): Promise<void> {
    const done = await doWork(this.#app, `Loading ${name}`, async (options) => {
      await task(options);
      return true;
    });
    if (done === undefined) await this.#askModel();
  }

  /** After a failure nobody knows which model is loaded but the engine. */
  async #askModel(): Promise<void> {
    this.#app.model.value = await this.#app.engine.model().catch(() => undefined);
  }

  async #try(task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      this.#app.notice.value = noticeOf(error);
    }
  }
}
