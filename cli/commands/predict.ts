import { type Command, Option } from "commander";
import { EDUCATION_LEVELS, type Education } from "../../data/career.ts";
import { alignTable } from "../../model/occupation/text_table.ts";
import { CliError, EXIT } from "../platform/errors.ts";
import { addDeviceFlags, deviceOf, type DeviceFlags } from "../run/device_flags.ts";
import { wholeNumber } from "../run/flags.ts";
import type { Prediction, PredictRequest } from "../run/predict.ts";

/** Flags of `tenure predict`. */
interface PredictFlags extends DeviceFlags {
  readonly model?: string;
  readonly career?: string;
  readonly id?: string;
  readonly resumeText?: string;
  readonly year?: number;
  readonly education?: Education;
  readonly top: number;
  readonly showText?: boolean;
  readonly json?: boolean;
}

/** Adds `tenure predict` to the program. */
export function predictCommand(program: Command): void {
  const command = program
    .command("predict")
    .description("Predict a person's occupation in a year: the most probable ones.")
    .argument("<model>", "folder of a run (its best checkpoint) or of a checkpoint")
    .option("--model <path>", "the model beneath adapters, if it has moved since training")
    .option("--career <file>", "a .jsonl, .tsv or .csv of careers, gzipped or not")
    .option("--id <id>", "whose career to take, if the file has several")
    .option("--resume-text <file>", 'a resume as the model reads it, in place; "-" for stdin')
    .option(
      "--year <year>",
      "year in question (default: the one after the last); later years are not told",
      wholeNumber({ least: 1000, most: 9999 }),
    )
    .addOption(
      new Option("--education <level>", "education in that year (default: the last)").choices(
        EDUCATION_LEVELS,
      ),
    )
    .option("--top <n>", "occupations to give", wholeNumber({ least: 1, most: 335 }), 10)
    .option("--show-text", "show the resume that the model reads")
    .option("--json", "print one JSON object instead of a table");
  addDeviceFlags(command)
    .addHelpText(
      "after",
      `
Probabilities are normalized over all 335 occupations.

Examples:
  $ tenure predict runs/small --career runs/nlsy97/test.jsonl --id 1234
  $ tenure predict runs/small --career me.jsonl --year 2030 --education college
  $ tenure predict runs/small --resume-text resume.txt --top 3 --json`,
    )
    .action(async (model: string, flags: PredictFlags) => {
      const { model: baseModel, year, education, top } = flags;
      const career = careerOf(flags);
      const { predict } = await import("../run/predict.ts");
      const prediction = await predict({
        model,
        ...(baseModel !== undefined && { baseModel }),
        career,
        ...(year !== undefined && { year }),
        ...(education !== undefined && { education }),
        top,
        device: deviceOf(flags),
      });
      const text =
        flags.json === true
          ? JSON.stringify(prediction, null, 2)
          : formatPrediction(prediction, flags.showText === true);
      process.stdout.write(`${text}\n`);
    });
}

function careerOf({ career, id, resumeText }: PredictFlags): PredictRequest["career"] {
  if ((career === undefined) === (resumeText === undefined)) {
    throw new CliError(
      EXIT.usage,
      `Cannot predict: there must be either --career or --resume-text, got ${career === undefined ? "neither" : "both"}`,
    );
  }
  if (career !== undefined) return { file: career, ...(id !== undefined && { id }) };
  return { resume: resumeText! };
}

/** A table of occupations; before it, the resume, if it is to be shown. */
function formatPrediction(prediction: Prediction, showText: boolean): string {
  const { id, year, education, prompt, occupations } = prediction;
  const table = alignTable([
    ["occupation", "code", "probability"],
    ...occupations.map(({ title, code, probability }) => [
      title,
      code,
      `${(100 * probability).toFixed(2)}%`,
    ]),
  ]);
  const text = showText ? `${prompt}\n\n` : "";
  return `${text}Career "${id}", ${year} (${education}):\n\n${table}`;
}
