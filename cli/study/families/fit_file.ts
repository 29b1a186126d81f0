import { join } from "node:path";
import { z } from "zod";
import { parseJsonObject } from "../../../model/checkpoint/strict_json.ts";
import { readWhole } from "../../platform/checkpoint_folder.ts";
import { CliError, EXIT } from "../../platform/errors.ts";
import type { FitReport } from "../family.ts";

/** Name of the file beside a model that says how it was fitted. */
export const FIT_FILE = "fit.json";

const REPORT = z.strictObject({
  numParameters: z.int().optional(),
  numTotalParameters: z.int().optional(),
  curve: z.array(z.strictObject({ step: z.int(), perplexity: z.number() })).optional(),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  learnedFrom: z.strictObject({ numPeople: z.int(), numObservations: z.int() }).optional(),
});

/**
 * Reads the report beside a fitted model.
 *
 * @throws {CliError} If it is missing or malformed.
 */
export async function readFit(folder: string): Promise<FitReport> {
  const path = join(folder, FIT_FILE);
  const read = REPORT.safeParse(parseJsonObject(await readWhole(path), path));
  if (read.success) return read.data as FitReport;
  const [issue] = read.error.issues;
  throw new CliError(
    EXIT.checkpoint,
    `Cannot read "${path}": it must be the report of a fit, got ${issue?.path.join(".")}: ${issue?.message}; remove the folder to fit again`,
  );
}
