import type { Career } from "../../data/mod.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { sizeOf } from "../../engine/tensor.ts";
import { CareerModel } from "../../model/career/career_model.ts";
import { CAREER_CONFIG, type CareerConfig } from "../../model/career/config.ts";
import { covariatesOf, type CovariateVocabulary } from "../../model/career/covariates.ts";
import { type PersonYears, personYears } from "../../model/career/person_years.ts";
import type { Person } from "../../model/occupation/occupation_model.ts";
import { uniform } from "../support.ts";

/** A model small enough to be differentiated. */
export const TINY_CAREER: CareerConfig = {
  ...CAREER_CONFIG,
  numOccupations: 7,
  dModel: 8,
  dHidden: 12,
  numBlocks: 2,
  numHeads: 2,
  maxSeqLen: 16,
  dropout: 0,
  birthYear: true,
};

/** People of some lengths; region and birth year are not always known. */
export function peopleOf(lengths: readonly number[], seed = 1): Person[] {
  const levels = ["high school", "some college", "college"] as const;
  return lengths.map((length, which) => {
    const draws = uniform(length, seed * 1000 + which);
    const occupations = Array.from(draws, (draw) => Math.floor(((draw + 1) / 2) * 7));
    const career: Career = {
      id: `person ${which}`,
      gender: which % 2 === 0 ? "female" : "male",
      ethnicity: ["white", "hispanic", "black"][which % 3]!,
      ...(which % 4 !== 3 && { region: ["south", "west"][which % 2]! }),
      ...(which % 5 !== 4 && { birthYear: 1960 + which }),
      observations: occupations.map((occupation, i) => ({
        year: 1990 + which + 2 * i,
        education: levels[Math.min(2, Math.floor(i / 2))]!,
        occupation: String(occupation),
      })),
    };
    return { career, occupations };
  });
}

/** Covariates of people. */
export function vocabularyOf(people: readonly Person[], config = TINY_CAREER): CovariateVocabulary {
  return covariatesOf(
    people.map(({ career }) => career),
    config,
  );
}

/** People as a model reads them. */
export function encodeAll(
  people: readonly Person[],
  vocabulary: CovariateVocabulary,
  config = TINY_CAREER,
): PersonYears[] {
  return people.map((person) => personYears(person, vocabulary, config));
}

/** A model whose every weight is random, gains and biases too, and no gradient vanishes. */
export function tinyCareer(
  gpu: Gpu,
  vocabulary: CovariateVocabulary,
  config = TINY_CAREER,
): CareerModel {
  const model = new CareerModel(gpu, { config, vocabulary });
  model.parameters.forEach((parameter, index) => {
    const values = uniform(sizeOf(parameter.shape), index + 1);
    const isGain = parameter.shape.length === 1 && parameter.label.endsWith("weight");
    gpu.write(
      parameter,
      values.map((value) => (isGain ? 1 + value / 2 : value / 2)),
    );
  });
  return model;
}
