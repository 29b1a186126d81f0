import { parquetReadObjects } from "hyparquet";
import { parquetWriteBuffer } from "hyparquet-writer";
import { OCCUPATIONS, occupationIndex } from "../../data/mod.ts";
import { emptyPredictions, type Predictions } from "../../model/evaluation/predictions.ts";
import { type Kind, KINDS } from "../../model/occupation/metrics.ts";

/** A row of the file. */
interface Row {
  readonly id: string;
  readonly year: number;
  readonly occupation: string;
  readonly kind: string;
  readonly log_probability: number;
  readonly log_probability_normalized: number;
  readonly probability_of_staying: number | null;
  readonly rank: number;
}

/** Columns of the file, with their types. */
const COLUMNS: readonly (readonly [keyof Row, "STRING" | "INT32" | "DOUBLE"])[] = [
  ["id", "STRING"],
  ["year", "INT32"],
  ["occupation", "STRING"],
  ["kind", "STRING"],
  ["log_probability", "DOUBLE"],
  ["log_probability_normalized", "DOUBLE"],
  ["probability_of_staying", "DOUBLE"],
  ["rank", "INT32"],
];

/**
 * Predictions as a Parquet file for any program, a row an observation; numbers keep all bits.
 *
 * @returns The bytes of the file.
 */
export function predictionsToParquet(predictions: Predictions): Uint8Array {
  const { ids, person, year, occupation, kind, raw, normalized, stay, rank } = predictions;
  const data: { readonly [name in keyof Row]: Row[name][] } = {
    id: Array.from(person, (at) => ids[at]!),
    year: [...year],
    occupation: Array.from(occupation, (index) => OCCUPATIONS[index]!.code),
    kind: Array.from(kind, (index) => KINDS[index]!),
    log_probability: [...raw],
    log_probability_normalized: [...normalized],
    probability_of_staying: Array.from(stay, (p) => (Number.isNaN(p) ? null : p)),
    rank: [...rank],
  };
  const columnData = COLUMNS.map(([name, type]) => ({ name, type, data: data[name] }));
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}

/**
 * Reads predictions back.
 *
 * @param bytes Content of the file.
 * @param file Its name, for errors.
 * @throws {SyntaxError} If a row is not as {@linkcode predictionsToParquet} writes it.
 */
export async function predictionsOfParquet(bytes: Uint8Array, file: string): Promise<Predictions> {
  const buffer = bytes.slice().buffer;
  const rows = (await parquetReadObjects({ file: buffer }).catch((cause: unknown) => {
    throw new SyntaxError(
      `Cannot read "${file}": it must be a Parquet file, got ${(cause as Error).message}`,
      { cause },
    );
  })) as unknown as readonly Row[];
  const ids: string[] = [];
  const predictions = emptyPredictions(ids, rows.length);
  rows.forEach((row, at) => {
    const kind = KINDS.indexOf(row.kind as Kind);
    if (kind < 0 || typeof row.id !== "string" || typeof row.log_probability !== "number") {
      throw new SyntaxError(
        `Cannot read "${file}": row ${at + 1} must be a prediction of a study, got ${JSON.stringify(row)}; delete the file and run the study again`,
      );
    }
    if (ids.at(-1) !== row.id) ids.push(row.id);
    predictions.person[at] = ids.length - 1;
    predictions.year[at] = row.year;
    predictions.occupation[at] = occupationIndex(row.occupation);
    predictions.kind[at] = kind;
    predictions.raw[at] = row.log_probability;
    predictions.normalized[at] = row.log_probability_normalized;
    predictions.stay[at] = row.probability_of_staying ?? NaN;
    predictions.rank[at] = row.rank;
  });
  return predictions;
}
