import { sizeOf } from "../../engine/tensor.ts";
import { careerWeightShapes, type CareerValues, tableLabel } from "./career_model.ts";
import type { CareerConfig } from "./config.ts";
import {
  type Covariate,
  type CovariateVocabulary,
  mergeCovariates,
  numRowsOf,
  rowOf,
} from "./covariates.ts";

/** A model's weights, and what its tables are of. */
export interface CareerParts {
  readonly config: CareerConfig;
  readonly vocabulary: CovariateVocabulary;
  readonly values: CareerValues;
}

/**
 * A model to fine-tune on other people: knows the values of covariates of both, and begins with
 * what the base thinks. The row of a new value begins as the one that the base reads for it, that
 * of the nearest year or of the unknown, so that before the first step both models agree.
 *
 * @param base What was learned before.
 * @param own Covariates of the people to learn from.
 * @param config Sizes of the model; dropout may differ from the base's.
 * @throws {RangeError} If the base has other sizes or other covariates.
 */
export function careerFromBase(
  base: CareerParts,
  own: CovariateVocabulary,
  config: CareerConfig,
): CareerParts {
  checkSizes(base, config);
  const vocabulary = mergeCovariates(base.vocabulary, own);
  const names = (covariates: CovariateVocabulary) => covariates.map(({ name }) => name).join(", ");
  if (names(base.vocabulary) !== names(own)) {
    throw new RangeError(
      `Cannot go on from a CAREER model: covariates must be those of the base, ${names(base.vocabulary)}, got ${names(own)}`,
    );
  }
  const values = new Map(base.values);
  vocabulary.forEach((covariate, which) => {
    const label = tableLabel(covariate.name);
    const from = { table: base.values.get(label)!, covariate: base.vocabulary[which]! };
    values.set(label, grown(from, covariate, config.dModel));
  });
  return { config, vocabulary, values };
}

/** A table with a row for each value of another covariate: copies of those that stood for it. */
function grown(
  from: { readonly table: Float32Array<ArrayBuffer>; readonly covariate: Covariate },
  covariate: Covariate,
  dModel: number,
): Float32Array<ArrayBuffer> {
  const table = new Float32Array(numRowsOf(covariate) * dModel);
  [...covariate.values, undefined].forEach((value, row) => {
    const source = rowOf(from.covariate, value) * dModel;
    table.set(from.table.subarray(source, source + dModel), row * dModel);
  });
  return table;
}

function checkSizes(base: CareerParts, config: CareerConfig): void {
  for (const field of ["numOccupations", "dModel", "dHidden", "numBlocks", "numHeads"] as const) {
    if (base.config[field] === config[field]) continue;
    throw new RangeError(
      `Cannot go on from a CAREER model: ${field} must be the base's, ${base.config[field]}, got ${config[field]}; choose the same sizes for both`,
    );
  }
  for (const { label, shape } of careerWeightShapes(base.config, base.vocabulary)) {
    if (base.values.get(label)?.length === sizeOf(shape)) continue;
    throw new RangeError(
      `Cannot go on from a CAREER model: weight "${label}" must have shape [${shape.join(", ")}], got ${base.values.get(label)?.length ?? "none"}`,
    );
  }
}
