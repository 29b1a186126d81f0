import { chatTemplateOf } from "../../data/chat_template.ts";
import type { StoredModel } from "../../model/checkpoint/stored_model.ts";
import type {
  GenerateEvent,
  GenerateOptions,
  TextModel,
} from "../../model/pretrained/text_model.ts";
import { checkSamplerSettings } from "../../engine/ops/sampler_state.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { type LoadedModel, type ModelRequest, withModel } from "./load_model.ts";
import {
  checkedTemplate,
  layOutPrompt,
  openPrompts,
  type Prompt,
  type PromptLayout,
  type PromptSource,
} from "./prompts.ts";
import { groupsOf, type Located, type RecordId } from "./records.ts";
import { type AskedSampling, chooseSampling } from "../../model/generate/choose_sampling.ts";

/** What `tenure generate` is asked to do. */
export interface GenerateRequest extends ModelRequest {
  readonly prompts: PromptSource;
  readonly layout: PromptLayout;
  readonly sampling: AskedSampling;
  /** Tokens of a text at most. @default {what the model's generation settings say, or 128} */
  readonly maxNewTokens?: number;
  readonly stop: readonly string[];
  /** Whether texts go on after the model's end tokens. */
  readonly ignoreEnd: boolean;
  /** Takes a text while it comes, where there is one prompt only. */
  readonly onText?: (text: string) => void;
  /** Takes each text once it and those before it are done. */
  readonly onResult?: (result: GeneratedText) => void;
}

/** A text that was generated. */
export interface GeneratedText {
  /** From 1. */
  readonly number: number;
  readonly id?: RecordId;
  readonly prompt: string;
  readonly text: string;
  readonly finish: "end" | "stop" | "length" | "interrupted";
  readonly numPromptTokens: number;
  readonly numTokens: number;
  /** Of all its tokens in the model's own distribution, natural. */
  readonly logProbability: number;
}

/** How long it took. */
export interface GenerateStatistics {
  readonly numPrompts: number;
  readonly numPromptTokens: number;
  readonly numTokens: number;
  readonly loadMs: number;
  /** Until kernels were compiled, of the first prompts. */
  readonly compileMs: number;
  /** Until the first token, compiling included. */
  readonly firstTokenMs: number;
  /** From compiled kernels to first tokens, and from there to the last ones. */
  readonly prefillMs: number;
  readonly decodeMs: number;
  /** Tokens that came after the first ones. */
  readonly numDecodedTokens: number;
}

/** Prompts that are read together. */
const GROUP_SIZE = 8;
/** Tokens of a text at most, where nobody says how many. */
const USUAL_NEW_TOKENS = 128;

/**
 * Goes on with texts.
 *
 * @returns How long it took; after an interruption, of what was done.
 * @throws {CliError} With exit code 5 if the model, exit code 3 if a prompt is not to be had, exit
 *   code 2 if a setting is out of range or the model cannot chat, exit code 4 if the device fails
 *   or lacks memory.
 */
export async function generate(request: GenerateRequest): Promise<GenerateStatistics> {
  const prompts = await openPrompts(request.prompts);
  if (prompts.count === 0) {
    throw new CliError(
      EXIT.data,
      "Cannot generate: there must be at least one prompt, got an empty input",
    );
  }
  const run = async (loaded: LoadedModel) => {
    const { options, words } = optionsOf(request, loaded.model);
    request.progress.line(words);
    const work = new Generation(request, loaded, { options, isSingle: prompts.count === 1 });
    for await (const group of groupsOf(prompts.read(), GROUP_SIZE)) {
      await work.run(group);
      if (request.signal?.aborted === true) break;
    }
    return work.statistics;
  };
  const check = ({ tokenizerConfig = {}, generation }: StoredModel) => {
    if (request.layout.chat) checkedTemplate(chatTemplateOf(tokenizerConfig));
    return failingAs(EXIT.usage, () => checkOptions(request, generation, prompts.count));
  };
  return withModel(request, { check, run });
}

/** Refuses settings that are out of range; prompt n draws with seed + n − 1. */
function checkOptions(
  request: GenerateRequest,
  generation: StoredModel["generation"],
  numPrompts: number,
): void {
  const { options } = optionsOf(request, { generation });
  checkSamplerSettings({ ...options, seed: (options.seed ?? 0) + (numPrompts - 1) });
  if (request.stop.includes("")) {
    throw new RangeError("Cannot stop at a string: it must have characters, got an empty one");
  }
  const { maxNewTokens = USUAL_NEW_TOKENS } = options;
  if (Number.isSafeInteger(maxNewTokens) && maxNewTokens > 0) return;
  throw new RangeError(
    `Cannot generate: maxNewTokens must be a positive integer, got ${maxNewTokens}`,
  );
}

function optionsOf(
  request: GenerateRequest,
  { generation }: { readonly generation?: StoredModel["generation"] },
): { options: GenerateOptions; words: string } {
  const { settings, words } = chooseSampling(request.sampling, generation);
  const maxNewTokens = request.maxNewTokens ?? generation?.maxNewTokens ?? USUAL_NEW_TOKENS;
  const options = {
    ...settings,
    maxNewTokens,
    stop: request.stop,
    ...(request.ignoreEnd && { endTokens: [] }),
  };
  return { options, words: `${words}; at most ${maxNewTokens} new tokens` };
}

/** Texts on their way, group by group. */
class Generation {
  readonly #request: GenerateRequest;
  readonly #model: TextModel;
  readonly #options: GenerateOptions;
  readonly #isSingle: boolean;
  #statistics: GenerateStatistics;

  constructor(
    request: GenerateRequest,
    { model, loadMs }: LoadedModel,
    { options, isSingle }: { readonly options: GenerateOptions; readonly isSingle: boolean },
  ) {
    this.#request = request;
    this.#model = model;
    this.#options = options;
    this.#isSingle = isSingle;
    const counts = { numPrompts: 0, numPromptTokens: 0, numTokens: 0, numDecodedTokens: 0 };
    const times = { compileMs: 0, firstTokenMs: 0, prefillMs: 0, decodeMs: 0 };
    this.#statistics = { ...counts, loadMs, ...times };
  }

  get statistics(): GenerateStatistics {
    return this.#statistics;
  }

  async run(group: readonly Located<Prompt>[]): Promise<void> {
    const { layout, signal, onText, onResult, progress } = this.#request;
    const tokens = await Promise.all(
      group.map((prompt) => layOutPrompt(this.#model, prompt, layout)),
    );
    const done = this.#statistics.numPrompts;
    const drafts = group.map((prompt, row) => new Draft(prompt, tokens[row]!.length));
    const clock = new Clock();
    await failingAs(EXIT.device, async () => {
      const events = this.#model.generateBatch(tokens, {
        ...this.#options,
        seed: (this.#options.seed ?? 0) + done, // as if all prompts were one batch
        onCompiled: () => clock.compiled(),
      });
      for await (const event of events) {
        clock.token();
        drafts[event.row]!.push(event);
        if (this.#isSingle) onText?.(event.text);
        else progress.update(() => inProgress(drafts, done));
        if (signal?.aborted === true) break;
      }
    });
    progress.clear();
    drafts.forEach((draft, row) => onResult?.(draft.result(done + row + 1)));
    this.#count(drafts, clock);
  }

  #count(drafts: readonly Draft[], { compileMs, prefillMs, decodeMs }: Clock): void {
    const sum = (valueOf: (draft: Draft) => number) =>
      drafts.reduce((total, draft) => total + valueOf(draft), 0);
    const before = this.#statistics;
    this.#statistics = {
      ...before,
      numPrompts: before.numPrompts + drafts.length,
      numPromptTokens: before.numPromptTokens + sum((draft) => draft.numPromptTokens),
      numTokens: before.numTokens + sum((draft) => draft.numTokens),
      numDecodedTokens: before.numDecodedTokens + sum((draft) => Math.max(0, draft.numTokens - 1)),
      ...(before.numPrompts === 0 && { compileMs, firstTokenMs: compileMs + prefillMs }),
      prefillMs: before.prefillMs + prefillMs,
      decodeMs: before.decodeMs + decodeMs,
    };
  }
}

function inProgress(drafts: readonly Draft[], done: number): string {
  const numTokens = drafts.reduce((sum, draft) => sum + draft.numTokens, 0);
  return `prompts ${done + 1} to ${done + drafts.length} · ${numTokens} tokens`;
}

/** When what happened to a group of prompts. */
class Clock {
  readonly #begin = performance.now();
  #compiled = this.#begin;
  #first: number | undefined;
  #last = this.#begin;

  compiled(): void {
    this.#compiled = performance.now();
  }

  token(): void {
    this.#last = performance.now();
    this.#first ??= this.#last;
  }

  get compileMs(): number {
    return this.#compiled - this.#begin;
  }

  /** From compiled kernels to the first tokens. */
  get prefillMs(): number {
    return (this.#first ?? this.#compiled) - this.#compiled;
  }

  /** From the first tokens to the last. */
  get decodeMs(): number {
    return this.#last - (this.#first ?? this.#last);
  }
}

/** A text on its way. */
class Draft {
  readonly numPromptTokens: number;
  readonly #prompt: Prompt;
  readonly #pieces: string[] = [];
  #numTokens = 0;
  #logProbability = 0;
  #finish: GeneratedText["finish"] = "interrupted";

  constructor({ value }: Located<Prompt>, numPromptTokens: number) {
    this.#prompt = value;
    this.numPromptTokens = numPromptTokens;
  }

  get numTokens(): number {
    return this.#numTokens;
  }

  push({ text, logProbability, finish }: GenerateEvent): void {
    this.#pieces.push(text);
    this.#numTokens += 1;
    this.#logProbability += logProbability;
    if (finish !== undefined) this.#finish = finish;
  }

  result(number: number): GeneratedText {
    const { id, text: prompt } = this.#prompt;
    return {
      number,
      ...(id !== undefined && { id }),
      prompt,
      text: this.#pieces.join(""),
      finish: this.#finish,
      numPromptTokens: this.numPromptTokens,
      numTokens: this.#numTokens,
      logProbability: this.#logProbability,
    };
  }
}
