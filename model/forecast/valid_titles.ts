import type { Tokenizer } from "../../data/tokenizer/tokenizer.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { TextModel } from "../pretrained/text_model.ts";
import type { Transformer } from "../transformer/transformer.ts";

/** What writes titles, and which there are. */
export interface TitleWriter {
  readonly gpu: Gpu;
  readonly transformer: Transformer;
  readonly tokenizer: Tokenizer;
  /** Titles of the vocabulary. */
  readonly titles: readonly string[];
}

/** Options of {@linkcode sampleTitles}. */
export interface SampleTitlesOptions {
  readonly seed: number;
  /** Called as titles come to their end, with how many did. */
  readonly onTitle?: (numDone: number) => void;
  readonly signal?: AbortSignal;
}

/** What a model wrote where titles should stand. */
export interface SampledTitles {
  readonly numSampled: number;
  /** How many of them are titles of the vocabulary, to the letter, and end with their line. */
  readonly numValid: number;
  /** What else it wrote, the commonest first. */
  readonly invalid: readonly { readonly text: string; readonly count: number }[];
}

/** Different texts that are reported. */
const MOST_INVALID = 20;
/** Longest text that is reported, in UTF-16 units; longer ones are cut. */
const MOST_SHOWN = 120;
/** Tokens that a text may go on beyond the longest title. */
const SPARE_TOKENS = 4;

/**
 * Lets a language model write a title after each of some prompts, freely: at temperature 1, from
 * all tokens. Whether it stays within the vocabulary tells how well it learned the titles.
 *
 * @param writer A model, its tokenizer, and the titles.
 * @param prompts Tokens of resumes up to where a title stands.
 * @param options The seed; the same prompts and seed give the same texts.
 * @throws {RangeError} If a prompt is empty or leaves no room for a token.
 *
 * @see {@link https://arxiv.org/abs/2406.17972 | Athey et al., 2024}, on valid titles
 */
export async function sampleTitles(
  { titles, ...parts }: TitleWriter,
  prompts: readonly Uint32Array[],
  { seed, onTitle, signal }: SampleTitlesOptions,
): Promise<SampledTitles> {
  const { tokenizer } = parts;
  const lengths = titles.map(
    (title) => tokenizer.encode(` ${title}\n`, { continues: true }).length,
  );
  const model = new TextModel(parts); // its caches go with the device
  const texts = prompts.map(() => "");
  const isEnded = prompts.map(() => false);
  const events = model.generateBatch(prompts, {
    temperature: 1,
    seed,
    stop: ["\n"],
    maxNewTokens: Math.max(...lengths) + SPARE_TOKENS,
    ...(signal !== undefined && { signal }),
  });
  let numDone = 0;
  for await (const { row, text, finish } of events) {
    texts[row] += text;
    if (finish === undefined) continue;
    isEnded[row] = finish !== "length";
    numDone += 1;
    onTitle?.(numDone);
  }
  return countTitles(texts, isEnded, titles);
}

function countTitles(
  texts: readonly string[],
  isEnded: readonly boolean[],
  titles: readonly string[],
): SampledTitles {
  const known = new Set(titles);
  const others = new Map<string, number>();
  let numValid = 0;
  texts.forEach((text, index) => {
    const title = text.replace(/^ /, ""); // between the prompt and a title
    if (isEnded[index] && known.has(title)) numValid += 1;
    else {
      const shown = isEnded[index] ? title : `${title}…`;
      const cut = shown.length > MOST_SHOWN ? `${shown.slice(0, MOST_SHOWN)}…` : shown;
      others.set(cut, (others.get(cut) ?? 0) + 1);
    }
  });
  const invalid = Array.from(others, ([text, count]) => ({ text, count }));
  const commonest = invalid.toSorted((a, b) => b.count - a.count).slice(0, MOST_INVALID);
  return { numSampled: texts.length, numValid, invalid: commonest };
}
