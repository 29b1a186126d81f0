import { stringify } from "yaml";
import { checkId } from "./check_document.ts";
import type { Estimate } from "./document.ts";
import { cellText } from "./cells.ts";
import { escapeMarkdown, plainText } from "./escape.ts";

/** What a model card says of a model; the rest is the same for all that learn from surveys. */
export interface ModelCardInput {
  /** Names the file: lower case, words joined by "-". */
  readonly id: string;
  /** As tables name the model: `"CAREER, pretrained"`. */
  readonly name: string;
  /** A sentence or two on what kind of model it is. */
  readonly description: string;
  /** Repository or folder of the model it was made from; absent for one trained from nothing. */
  readonly base?: string;
  /** Whether it reads and writes text, and Hugging Face may show it as such. */
  readonly isLanguageModel: boolean;
  /** What it learned from, in the order in which it did. */
  readonly training: readonly TrainingStage[];
  /** Settings as they were: `["Learning rate", "1e-4"]`. */
  readonly settings: readonly (readonly [label: string, value: string])[];
  readonly evaluation: {
    /** How it was judged: who the test people are, what the brackets are. */
    readonly text: string;
    readonly results: readonly CardResult[];
  };
  /** What is known to be wrong with this one, beside what holds for all of them. */
  readonly limits: readonly string[];
  /** What it was computed on and by which sources: `["Adapter", "llvmpipe …"]`. */
  readonly facts: readonly (readonly [label: string, value: string])[];
}

/** People that a model learned from. */
export interface TrainingStage {
  /** `"Pretraining"`, `"Fine-tuning"`. */
  readonly name: string;
  /** Name of the population, as its survey calls it. */
  readonly population: string;
  readonly numPeople: number;
  readonly numObservations: number;
  /** Whether nobody behind these careers lives. */
  readonly isSynthetic: boolean;
}

/** A measure of a model on the test people of a population. */
export interface CardResult {
  readonly population: string;
  /** `"Perplexity"`. */
  readonly metric: string;
  readonly value: Estimate;
}

/** Stands where only the person who publishes a model can know. */
const LEFT_TO_USER = "*To be filled in by whoever publishes this model.*";

/**
 * A model card: Markdown under the front matter that Hugging Face's hub reads. It says what the
 * model learned from whom, how it was judged, with which errors, what it is for and what not, and
 * what it may tell about the people of a survey. Licenses stay open: they are the user's to give.
 *
 * @throws {RangeError} If the id is no name of a file.
 * @see https://huggingface.co/docs/hub/model-cards
 */
export function modelCard(card: ModelCardInput): string {
  checkId(card.id, "model card");
  const { name, description, training, settings, evaluation, facts } = card;
  return `---
${frontMatter(card)}---

# ${escapeMarkdown(name)}

${escapeMarkdown(description)}

## Training

${table(["Stage", "Population", "People", "Person-years"], ["l", "l", "r", "r"], training.map(stageRow))}
${base(card)}${listOf("Settings:", settings)}
## Evaluation

${escapeMarkdown(evaluation.text)}

${table(["Test people of", "Measure", "Value"], ["l", "l", "r"], evaluation.results.map(resultRow))}
## Intended use

Research on occupations: the probability of each next occupation given a person's earlier ones, for populations like those above. Compare and calibrate it on people of your own population before you rely on it.

It is not made for decisions about single people (hiring, credit, benefits, immigration, policing), and its probabilities are no statement of what causes what.

## Limits

${limits(card)}
## Privacy

${privacy(training)}
## License

${LEFT_TO_USER} Three terms meet here: those of the base model, if there is one, those of each survey or data set above, which may forbid passing on models made from it, and those of this model itself.

${listOf("Made with:", facts)}`;
}

function frontMatter({
  base: source,
  isLanguageModel,
  training,
  evaluation,
  name,
}: ModelCardInput): string {
  const results = evaluation.results.filter(({ value }) => Number.isFinite(value.value));
  return stringify(
    {
      language: ["en"],
      license: "other",
      license_name: "to-be-filled-in",
      library_name: "tenure",
      ...(isLanguageModel ? { pipeline_tag: "text-generation" } : {}),
      ...(source === undefined ? {} : { base_model: plainText(source) }),
      tags: [
        "occupation",
        "career",
        "labor-economics",
        ...(training.some(({ isSynthetic }) => isSynthetic) ? ["synthetic-data"] : []),
      ],
      ...(results.length === 0
        ? {}
        : {
            "model-index": [{ name: plainText(name), results: results.map(indexEntry) }],
          }),
    },
    { defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "PLAIN", lineWidth: 0 },
  );
}

function indexEntry({ population, metric, value }: CardResult): object {
  return {
    task: { type: "other", name: "Next occupation" },
    dataset: { type: "other", name: plainText(population) },
    metrics: [
      {
        type: plainText(metric).toLowerCase(),
        name: plainText(metric),
        value: value.value,
        ...(value.error === undefined || !Number.isFinite(value.error)
          ? {}
          : { args: { standard_error: value.error } }),
      },
    ],
  };
}

function stageRow(stage: TrainingStage): string[] {
  const { name, population, numPeople, numObservations, isSynthetic } = stage;
  return [
    escapeMarkdown(name),
    `${escapeMarkdown(population)}${isSynthetic ? " (synthetic)" : ""}`,
    count(numPeople),
    count(numObservations),
  ];
}

function resultRow({ population, metric, value }: CardResult): string[] {
  const { text, error } = cellText(value, { label: metric });
  const number = error === undefined ? text : `${text} (${error})`;
  return [escapeMarkdown(population), escapeMarkdown(metric), escapeMarkdown(number)];
}

function base({ base: source }: ModelCardInput): string {
  return source === undefined
    ? "\nIt was trained from random weights or counts; there is no base model.\n"
    : `\nBase model: ${escapeMarkdown(source)}.\n`;
}

function limits({ limits: own, isLanguageModel }: ModelCardInput): string {
  const all = [
    ...own.map(escapeMarkdown),
    "Occupations are those of the coding it learned, coarse and dated; a change of coding between survey years looks like a change of jobs.",
    "Surveys lose people, and cohorts are born in a few years: what it knows of other ages, years and places is extrapolation.",
    "It repeats differences between genders and ethnicities that were in the labor market that it learned from.",
    ...(isLanguageModel
      ? [
          "Its base model read text of the world, which may include later years than the ones it is asked about.",
        ]
      : []),
  ];
  return all.map((limit) => `- ${limit}\n`).join("");
}

function privacy(training: readonly TrainingStage[]): string {
  const real = training.filter(({ isSynthetic }) => !isSynthetic);
  if (real.length === 0)
    return "It learned from synthetic careers alone: nobody's data are in it.\n";
  const names = [...new Set(real.map(({ population }) => escapeMarkdown(population)))].join(", ");
  return `It learned from answers of real people (${names}). A model can repeat parts of rare careers word for word; nobody has shown that this one does not. Treat its weights as you must treat the data: keep to the survey's terms of use, do not try to recognize people, and publish neither weights nor sampled careers before you have checked that these terms allow it.\n`;
}

function table(
  head: readonly string[],
  sides: readonly ("l" | "r")[],
  rows: readonly string[][],
): string {
  if (rows.length === 0) return "None.\n";
  const rules = sides.map((side) => (side === "r" ? "--:" : ":--"));
  return [head, rules, ...rows].map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

function listOf(title: string, entries: readonly (readonly [string, string])[]): string {
  if (entries.length === 0) return "";
  const lines = entries.map(
    ([label, value]) => `- ${escapeMarkdown(label)}: ${escapeMarkdown(value)}\n`,
  );
  return `\n${title}\n\n${lines.join("")}`;
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}
