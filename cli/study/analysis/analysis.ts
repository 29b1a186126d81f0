import type { Estimate } from "../../report/document.ts";
import type { Measure } from "../../../model/evaluation/measures.ts";
import { perplexityMeasure } from "../../../model/evaluation/measures.ts";
import type { Predictions } from "../../../model/evaluation/predictions.ts";
import {
  bootstrap,
  type Bootstrapped,
  differenceOf,
  resampleWeights,
  standardErrorOf,
  type Weights,
} from "../../../model/evaluation/resampling.ts";
import { onCommonPeople } from "../../../model/evaluation/selection.ts";
import type { RunResult, StudyResults, Variation } from "../results.ts";
import type { ClaimSpec } from "./claims.ts";

/** What to make of results beyond what is in them. */
export interface AnalysisOptions {
  /** Claims to judge. */
  readonly claims: readonly ClaimSpec[];
  /** Name of the model that others are compared with; by default the best of each population. */
  readonly reference?: string;
}

/** A model, fitted on a population's own terms, on that population's test people. */
export interface Judged {
  readonly label: string;
  readonly run: RunResult;
  readonly predictions: Predictions;
}

/**
 * Results with everything computed from them at most once: figures on all draws of people, the
 * same draws for all models, and differences on the people that two models share.
 */
export class Analysis {
  readonly results: StudyResults;
  readonly options: AnalysisOptions;
  readonly #draws = new Map<number, readonly Weights[]>();
  readonly #figures = new WeakMap<Predictions, Map<string, Bootstrapped>>();
  readonly #pairs = new WeakMap<Predictions, WeakMap<Predictions, [Predictions, Predictions]>>();
  readonly #slugs: ReadonlyMap<string, string>;
  readonly #labels: ReadonlyMap<string, string>;

  constructor(results: StudyResults, options: AnalysisOptions) {
    this.results = results;
    this.options = options;
    const models = new Map(results.runs.map(({ model, label }) => [model, label]));
    this.#slugs = uniqueSlugs([...results.populations.map(({ name }) => name), ...models.keys()]);
    this.#labels = uniqueLabels(models);
  }

  /** Names of populations, in the order of the study. */
  get populations(): readonly string[] {
    return this.results.populations.map(({ name }) => name);
  }

  /** How standard errors were found, for notes under tables. */
  get errorNote(): string {
    return `In brackets: standard errors, from ${this.results.bootstrap.replications} test sets resampled by person.`;
  }

  /** A population's or a model's name as a part of ids, unlike all others. */
  slug(name: string): string {
    return this.#slugs.get(name)!;
  }

  /** A model as tables name it, unlike all others. */
  labelOf({ model }: Pick<RunResult, "model">): string {
    return this.#labels.get(model)!;
  }

  /** Models on the test people of a population, each fitted for it or not fitted at all. */
  judged(population: string): Judged[] {
    const found = new Map<string, Judged>();
    for (const run of this.runs()) {
      const isOwn = run.population === population;
      if (!isOwn && (run.fit.numPeople > 0 || found.has(run.model))) continue;
      const predictions = answerOf(run, population);
      if (!predictions) continue;
      found.set(run.model, { label: this.labelOf(run), run, predictions });
    }
    const order = [...this.#labels.keys()];
    return [...found.values()].toSorted(
      (a, b) => order.indexOf(a.run.model) - order.indexOf(b.run.model),
    );
  }

  /** Runs that are no refits. */
  runs(): RunResult[] {
    return this.results.runs.filter(({ refit }) => refit === undefined);
  }

  /** The model that others are compared with on a population: the named one, else the best. */
  reference(population: string): Judged | undefined {
    const judged = this.judged(population);
    const named = judged.find(({ run }) => run.model === this.options.reference);
    if (named) return named;
    return this.best(judged);
  }

  /** The model with the lowest perplexity, among those that were asked about the most people. */
  best(judged: readonly Judged[]): Judged | undefined {
    const most = Math.max(...judged.map(({ predictions }) => predictions.ids.length));
    const value = ({ predictions }: Judged) => this.figure(predictions, perplexityMeasure()).value;
    return judged
      .filter((one) => one.predictions.ids.length === most && Number.isFinite(value(one)))
      .reduce<Judged | undefined>((a, b) => (a && value(a) <= value(b) ? a : b), undefined);
  }

  /** Weights of resampled people, the same for all models that were asked about as many. */
  draws(numPeople: number): readonly Weights[] {
    let draws = this.#draws.get(numPeople);
    if (!draws) {
      draws = resampleWeights(numPeople, this.results.bootstrap);
      this.#draws.set(numPeople, draws);
    }
    return draws;
  }

  /** A figure of predictions and of their resampled people. */
  figure(predictions: Predictions, measure: Measure): Bootstrapped {
    let figures = this.#figures.get(predictions);
    if (!figures) this.#figures.set(predictions, (figures = new Map()));
    let figure = figures.get(measure.name);
    if (!figure) {
      figure = bootstrap(measure.of(predictions), this.draws(predictions.ids.length));
      figures.set(measure.name, figure);
    }
    return figure;
  }

  /** A figure with its standard error. */
  estimate(predictions: Predictions, measure: Measure): Estimate {
    return estimateOf(this.figure(predictions, measure));
  }

  /** One model's figure minus another's, on the people of both; none if they share nobody. */
  difference(a: Predictions, b: Predictions, measure: Measure): Bootstrapped | undefined {
    const pair = this.pair(a, b);
    if (pair[0].ids.length === 0) return undefined;
    return differenceOf(this.figure(pair[0], measure), this.figure(pair[1], measure));
  }

  /** The same with its standard error, as a cell. */
  differenceCell(a: Predictions, b: Predictions, measure: Measure): Estimate | null {
    const difference = this.difference(a, b, measure);
    return difference ? estimateOf(difference) : null;
  }

  /** Two models' predictions of the people of both. */
  pair(a: Predictions, b: Predictions): [Predictions, Predictions] {
    let pairs = this.#pairs.get(a);
    if (!pairs) this.#pairs.set(a, (pairs = new WeakMap()));
    let pair = pairs.get(b);
    if (!pair) pairs.set(b, (pair = onCommonPeople(a, b)));
    return pair;
  }
}

/** What a run answered about the test people of a population, by default as they are. */
export function answerOf(
  run: RunResult,
  population: string,
  isWanted: (variation: Variation) => boolean = ({ kind }) => kind === "none",
): Predictions | undefined {
  return run.answers.find(
    (answer) => answer.population === population && isWanted(answer.variation),
  )?.predictions;
}

/** A figure as a cell: with its standard error, where it has one. */
export function estimateOf(figure: Bootstrapped): Estimate {
  const error = standardErrorOf(figure);
  return { value: figure.value, ...(Number.isFinite(error) && { error }) };
}

/** Length at which names are cut in ids. */
const MAX_SLUG = 24;

function uniqueSlugs(names: readonly string[]): Map<string, string> {
  const slugs = new Map<string, string>();
  const taken = new Set<string>();
  for (const name of names) {
    const words = name.toLowerCase().match(/[a-z0-9]+/g) ?? ["x"];
    const short = words.join("-").slice(0, MAX_SLUG).replace(/-$/, "");
    let slug = short;
    for (let i = 2; taken.has(slug); i++) slug = `${short}-${i}`;
    taken.add(slug);
    // A population and a model may share a name, and then its slug.
    if (!slugs.has(name)) slugs.set(name, slug);
  }
  return slugs;
}

function uniqueLabels(models: ReadonlyMap<string, string>): Map<string, string> {
  const labels = [...models.values()];
  return new Map(
    Array.from(models, ([model, label]) => {
      const isUnique = labels.filter((other) => other === label).length === 1;
      return [model, isUnique ? label : `${label} (${model})`];
    }),
  );
}
