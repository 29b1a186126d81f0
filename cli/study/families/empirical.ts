import { z } from "zod";
import { NUM_OCCUPATIONS, occupationIndex } from "../../../data/mod.ts";
import { backOff, transitionFrequencies, unigram } from "../../../model/occupation/empirical.ts";
import type { OccupationModel, Person } from "../../../model/occupation/occupation_model.ts";
import type { Family } from "../family.ts";

const SCHEMA = z.strictObject({
  /**
   * How counts become probabilities: the paper's (as printed in `raw`, normalized to add-one
   * estimates otherwise), discounted with back-off, Kneser-Ney, or without regard to history.
   */
  smoothing: z.enum(["add-one", "back-off", "kneser-ney", "unigram"]).default("add-one"),
});

type Smoothing = z.output<typeof SCHEMA>["smoothing"];

const MODELS: Readonly<Record<Smoothing, (people: readonly Person[]) => OccupationModel>> = {
  "add-one": (people) => transitionFrequencies(people, NUM_OCCUPATIONS),
  "back-off": (people) => backOff(people, NUM_OCCUPATIONS),
  "kneser-ney": (people) => backOff(people, NUM_OCCUPATIONS, { lower: "continuations" }),
  unigram: (people) => unigram(people, NUM_OCCUPATIONS),
};

/** Transition frequencies. They are counted again each time: that is as fast as reading them. */
export const empiricalFamily: Family<typeof SCHEMA> = {
  name: "empirical",
  schema: SCHEMA,
  canPretrain: false,
  async fit() {
    return {};
  },
  async open({ spec, cohort, name }) {
    const model = MODELS[spec.smoothing](cohort.train.map(countedPerson));
    return { model: { ...model, name }, person: countedPerson, close() {} };
  },
};

/** A career for models that read no text. */
export function countedPerson(career: Person["career"]): Person {
  const occupations = career.observations.map(({ occupation }) => occupationIndex(occupation));
  return { career, occupations };
}
