import type { FileSet } from "../checkpoint/byte_source.ts";
import type { ExportedFile } from "../checkpoint/exported_file.ts";
import { fittedFiles, readFitted } from "../logit/fitted_files.ts";
import { spaceFromJson, spaceToJson } from "../logit/logit_files.ts";
import { BagFeatures } from "./bag_features.ts";
import type { BagWeights } from "./bag_model.ts";

/** `model_type` of the configuration file. */
const BAG_MODEL_TYPE = "tenure-bag-of-jobs";

/** A bag of jobs as files. */
export function bagFiles({ space, dModel, embedding, output }: BagWeights): ExportedFile[] {
  const { numFeatures } = new BagFeatures(space);
  return fittedFiles({
    config: { model_type: BAG_MODEL_TYPE, dModel, ...spaceToJson(space) },
    tensors: new Map([
      ["embedding", { shape: [numFeatures, dModel], values: embedding }],
      ["output", { shape: [space.numOccupations, dModel], values: output }],
    ]),
  });
}

/**
 * Reads what {@linkcode bagFiles} wrote.
 *
 * @throws {SyntaxError} If a file is missing or malformed.
 * @throws {RangeError} If the weights are not those of the configuration.
 */
export async function readBag(files: FileSet): Promise<BagWeights> {
  const { config, values } = await readFitted(files, {
    modelType: BAG_MODEL_TYPE,
    configOf: (fields, json) => ({
      dModel: fields.size("dModel"),
      space: spaceFromJson(fields, json),
    }),
    shapesOf: ({ dModel, space }) =>
      new Map([
        ["embedding", [new BagFeatures(space).numFeatures, dModel]],
        ["output", [space.numOccupations, dModel]],
      ]),
  });
  return { ...config, embedding: values.get("embedding")!, output: values.get("output")! };
}
