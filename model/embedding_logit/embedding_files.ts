import type { FileSet } from "../checkpoint/byte_source.ts";
import type { ExportedFile } from "../checkpoint/exported_file.ts";
import { fittedFiles, readFitted } from "../logit/fitted_files.ts";
import type { EmbeddingLogitWeights } from "./embedding_model.ts";

/** `model_type` of the configuration file. */
const EMBEDDING_MODEL_TYPE = "tenure-embedding-logit";

/** A logit on embeddings as files; the language model is not among them. */
export function embeddingFiles(weights: EmbeddingLogitWeights): ExportedFile[] {
  const { dModel, numOccupations, weight, bias, limit } = weights;
  return fittedFiles({
    config: {
      model_type: EMBEDDING_MODEL_TYPE,
      dModel,
      numOccupations,
      limit: Number.isFinite(limit) ? limit : 0, // JSON has no infinity
    },
    tensors: new Map([
      ["weight", { shape: [numOccupations, dModel], values: weight }],
      ["bias", { shape: [numOccupations], values: bias }],
    ]),
  });
}

/**
 * Reads what {@linkcode embeddingFiles} wrote.
 *
 * @throws {SyntaxError} If a file is missing or malformed.
 * @throws {RangeError} If the weights are not those of the configuration.
 */
export async function readEmbeddingLogit(files: FileSet): Promise<EmbeddingLogitWeights> {
  const { config, values } = await readFitted(files, {
    modelType: EMBEDDING_MODEL_TYPE,
    configOf: (fields) => {
      const limit = fields.number("limit");
      if (limit < 0) fields.refuse("limit", "must be positive, or 0 for none");
      return {
        dModel: fields.size("dModel"),
        numOccupations: fields.size("numOccupations"),
        limit: limit === 0 ? Infinity : limit,
      };
    },
    shapesOf: ({ dModel, numOccupations }) =>
      new Map([
        ["weight", [numOccupations, dModel]],
        ["bias", [numOccupations]],
      ]),
  });
  return { ...config, weight: values.get("weight")!, bias: values.get("bias")! };
}
