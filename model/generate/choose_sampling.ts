import type { SamplerSettings } from "../../engine/ops/sampling.ts";
import type { Generation } from "../checkpoint/generation_config.ts";

/** Settings that somebody asked for; what is absent is left to the model's files. */
export type AskedSampling = SamplerSettings;

/** Settings, and where they come from, in words. */
export interface ChosenSampling {
  readonly settings: SamplerSettings;
  readonly words: string;
}

/** What files leave out where their model samples, since it is the default of transformers. */
const USUAL = { temperature: 1, topK: 50 };

/** Least share that the sampler takes; 0 in a file means the most probable token alone. */
const LEAST_TOP_P = 2 ** -100;

/**
 * Chooses how tokens are drawn: as asked, or else as `generation_config.json` says. Where neither
 * asks for a draw, the most probable token is taken.
 */
export function chooseSampling(
  asked: AskedSampling,
  generation: Generation | undefined,
): ChosenSampling {
  const { doSample = false, repetitionPenalty } = generation ?? {};
  const penalty = asked.repetitionPenalty ?? repetitionPenalty;
  const always = {
    ...(penalty !== undefined && { repetitionPenalty: penalty }),
    seed: asked.seed ?? 0,
  };
  const filters = [asked.topK, asked.topP, asked.minP];
  const asksForDraw = filters.some((value) => value !== undefined);
  const usual = doSample ? USUAL : {};
  const file = { ...usual, ...(generation && filtersOf(generation)) };
  const fallback = doSample ? file.temperature : asksForDraw ? (file.temperature ?? 1) : 0;
  const temperature = asked.temperature ?? fallback ?? 1;
  const source = sourceOf(asked, generation, doSample);
  if (temperature === 0) {
    const { seed: _, ...words } = always; // nothing is drawn
    const settings = { ...always, temperature: 0 };
    return { settings, words: `greedy${inWords(words)} (${source})` };
  }
  const drawn = {
    temperature,
    topK: asked.topK ?? file.topK ?? 0,
    topP: Math.max(LEAST_TOP_P, asked.topP ?? file.topP ?? 1),
    minP: asked.minP ?? file.minP ?? 0,
  };
  const settings = { ...always, ...drawn };
  return { settings, words: `drawn${inWords(settings)} (${source})` };
}

function filtersOf({ temperature, topK, topP, minP }: Generation) {
  return {
    ...(temperature !== undefined && { temperature }),
    ...(topK !== undefined && { topK }),
    ...(topP !== undefined && { topP }),
    ...(minP !== undefined && { minP }),
  };
}

function sourceOf(
  asked: AskedSampling,
  generation: Generation | undefined,
  doSample: boolean,
): string {
  const isAsked = Object.entries(asked).some(
    ([name, value]) => name !== "seed" && value !== undefined,
  );
  const file = doSample
    ? "the model's generation settings"
    : generation === undefined
      ? "no generation settings in the model"
      : "the model's generation settings do not sample";
  return isAsked ? `flags, then ${file}` : file;
}

/** Settings that change something: `", temperature 0.7, top-k 50"`. */
function inWords({ temperature, topK, topP, minP, repetitionPenalty, seed }: SamplerSettings) {
  const parts = [
    temperature !== undefined && `temperature ${temperature}`,
    topK !== undefined && topK > 0 && `top-k ${topK}`,
    topP !== undefined && topP < 1 && `top-p ${topP}`,
    minP !== undefined && minP > 0 && `min-p ${minP}`,
    repetitionPenalty !== undefined &&
      repetitionPenalty !== 1 &&
      `repetition penalty ${repetitionPenalty}`,
    seed !== undefined && `seed ${seed}`,
  ];
  return parts
    .filter((part) => part !== false)
    .map((part) => `, ${part}`)
    .join("");
}
