import { type Command, Option } from "commander";
import { POPULATION_NAMES, type PopulationName } from "../../data/synthetic/population.ts";
import { CliError, EXIT } from "../platform/errors.ts";
import { wholeNumber } from "../run/flags.ts";
import type { PrepareRequest } from "../run/prepare.ts";

/** Flags of `tenure prepare`. */
interface PrepareFlags {
  readonly output: string;
  readonly synthetic?: PopulationName;
  readonly numPeople?: number;
  readonly datasetName?: string;
  readonly vocabSize?: number;
  readonly seed: number;
  readonly birthYear: boolean;
  readonly titles: "authentic" | "numeric";
  readonly lastRows: number;
  readonly overwrite?: boolean;
}

/** Fewest tokens: one for each byte, and two with a role. */
const LEAST_VOCAB_SIZE = 258;

/** Adds `tenure prepare` to the program. */
export function prepareCommand(program: Command): void {
  program
    .command("prepare")
    .description("Split careers by person and train a tokenizer on their resumes.")
    .argument("[careers]", "a .tsv, .csv or .jsonl of careers, gzipped or not")
    .requiredOption("-o, --output <folder>", "folder to write, new or empty")
    .addOption(
      new Option("--synthetic <population>", "draw synthetic people in place of a file").choices(
        POPULATION_NAMES,
      ),
    )
    .option("--num-people <n>", "number of synthetic people", wholeNumber({ least: 10 }))
    .option("--dataset-name <name>", "name in the first line of each resume (default: NLSY97)")
    .option(
      "--vocab-size <n>",
      "tokens of the tokenizer (default: 512, 1024 or 2048 by the person-years)",
      wholeNumber({ least: LEAST_VOCAB_SIZE, most: 2 ** 20 }),
    )
    .option("--seed <n>", "seed of the split", wholeNumber(), 1)
    .option("--no-birth-year", "leave the year of birth out of resumes")
    .addOption(
      new Option("--titles <kind>", "titles in words, or numbers without meaning")
        .choices(["authentic", "numeric"])
        .default("authentic"),
    )
    .option("--last-rows <n>", "keep only each person's latest years; 0 for all", wholeNumber(), 0)
    .option("--overwrite", "replace an earlier preparation in the folder")
    .addHelpText(
      "after",
      `
Writes train.jsonl (70% of the people), valid.jsonl (10%), test.jsonl (20%),
tokenizer.json, and prepare.json, which says how, with SHA-256 sums.

Examples:
  $ tenure prepare nlsy97.tsv.gz -o runs/nlsy97
  $ tenure prepare nlsy97.tsv.gz -o runs/nby --no-birth-year --vocab-size 1024
  $ tenure prepare --synthetic survey --num-people 2000 -o runs/synthetic`,
    )
    .action(async (careers: string | undefined, flags: PrepareFlags) => {
      const { output, seed, birthYear, titles, lastRows } = flags;
      const dataset = flags.datasetName ?? (flags.synthetic ? "SYNTHETIC" : "NLSY97");
      const source = sourceOf(careers, flags);
      const { prepare } = await import("../run/prepare.ts");
      const { countTable } = await import("../run/split_counts.ts");
      const { folder, vocabSize, counts } = await prepare({
        source,
        folder: output,
        seed,
        wording: { dataset, birthYear, titles, titleSeed: seed, lastRows },
        ...(flags.vocabSize !== undefined && { vocabSize: flags.vocabSize }),
        overwrite: flags.overwrite === true,
      });
      process.stdout.write(
        `${countTable(counts)}\n\nPrepared "${folder}" with a vocabulary of ${vocabSize} tokens. ` +
          `Next: tenure train ${folder} -o <run>\n`,
      );
    });
}

function sourceOf(
  careers: string | undefined,
  { synthetic, numPeople }: PrepareFlags,
): PrepareRequest["source"] {
  if ((careers === undefined) === (synthetic === undefined)) {
    throw new CliError(
      EXIT.usage,
      `Cannot prepare careers: there must be either a file or --synthetic, got ${synthetic === undefined ? "neither" : "both"}; see tenure help prepare`,
    );
  }
  if (careers !== undefined) {
    if (numPeople === undefined) return careers;
    throw new CliError(
      EXIT.usage,
      `Cannot prepare careers: --num-people must go with --synthetic, got a file`,
    );
  }
  return { population: synthetic!, numPeople: numPeople ?? 2000 };
}
