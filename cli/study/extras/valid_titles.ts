import { type Career, Random } from "../../../data/mod.ts";
import { sampleTitles } from "../../../model/forecast/valid_titles.ts";
import type { OpenedModel } from "../family.ts";
import type { Extras } from "../results.ts";
import type { ExtraTask } from "./task.ts";

/** Titles that are sampled, unless the study says. */
const SAMPLES = 200;

/**
 * Lets a language model write titles, and counts how many are in the vocabulary.
 *
 * @param opened Which model.
 * @param people After whose prompts; which observations is drawn by the seed.
 * @param task `settings.samples`: how many titles, 200 by default.
 * @throws {TypeError} If the model writes no text.
 */
export async function measureValidTitles(
  { language, model }: OpenedModel,
  people: readonly Career[],
  { settings, seed, progress, signal }: ExtraTask,
): Promise<Pick<Extras, "validTitles">> {
  if (language === undefined) {
    throw new TypeError(
      `Cannot sample titles of "${model.name}": it must be a language model, got one that writes no text; leave it out of valid_titles`,
    );
  }
  const { samples = SAMPLES } = settings;
  const random = Random.from(seed, "valid titles");
  const prompts = Array.from({ length: people.length === 0 ? 0 : samples }, () => {
    const career = people[random.below(people.length)]!;
    return language.prompt(career, random.below(career.observations.length));
  });
  const validTitles = await sampleTitles(language, prompts, {
    seed: random.uint32() >>> 1,
    signal,
    onTitle: (numDone) => progress.update(() => `titles: ${numDone}/${prompts.length}`),
  });
  const { numSampled, numValid, invalid } = validTitles;
  const example = invalid[0] === undefined ? "" : `; other: ${JSON.stringify(invalid[0].text)}`;
  progress.line(`  titles: ${numValid} of ${numSampled} in the vocabulary${example}`);
  return { validTitles };
}
