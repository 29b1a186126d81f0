import type { Cell, CurvesFigure, Section, Table } from "../../report/document.ts";
import type { ForecastYear, RunResult } from "../results.ts";
import type { Analysis } from "./analysis.ts";
import { columnsOf, sectionOf, tableOf } from "./section.ts";

interface Forecast {
  readonly label: string;
  readonly years: readonly ForecastYear[];
}

/** Sampled careers from a cutoff year on, against what happened. */
export function forecastSection(analysis: Analysis): Section | undefined {
  const of = (population: string) => forecastsOf(analysis, population);
  return sectionOf({
    id: "forecasts",
    title: "Forecasts",
    text: [
      "Careers were told up to a cutoff year and sampled from there on, every year given those sampled before. The perplexity of a year is that of the true occupation by its share of the sampled careers.",
    ],
    tables: analysis.populations.map((population) =>
      forecastTable(of(population), { population, slug: analysis.slug(population) }),
    ),
    figures: analysis.populations.flatMap((population) => {
      const place = { population, slug: analysis.slug(population) };
      return [perplexityFigure(of(population), place), ...shareFigures(of(population), place)];
    }),
  });
}

interface Place {
  readonly population: string;
  readonly slug: string;
}

function forecastsOf(analysis: Analysis, population: string): Forecast[] {
  const isThere = ({ population: of, extras }: RunResult) =>
    of === population && (extras.forecast?.length ?? 0) > 0;
  return analysis
    .runs()
    .filter(isThere)
    .map((run) => ({ label: analysis.labelOf(run), years: run.extras.forecast! }));
}

function statusesOf(forecasts: readonly Forecast[]): string[] {
  const names = forecasts.flatMap(({ years }) =>
    years.flatMap(({ auc, shares }) => [...Object.keys(auc), ...Object.keys(shares)]),
  );
  return [...new Set(names)];
}

function forecastTable(
  forecasts: readonly Forecast[],
  { population, slug }: Place,
): Table | undefined {
  const statuses = statusesOf(forecasts);
  return tableOf({
    id: `forecast-${slug}`,
    title: `Forecasts on ${population}`,
    columns: [
      { label: "Model" },
      { label: "Year", digits: 0 },
      ...columnsOf(["People"], 0),
      ...columnsOf([
        "Perplexity",
        ...statuses.flatMap((status) => {
          const name = inWords(status);
          return [`AUC, ${name}`, `Share, ${name}`, `True share, ${name}`];
        }),
      ]),
    ],
    rows: forecasts.flatMap(({ label, years }) =>
      years.map(({ year, numPeople, perplexity, error, auc, shares }) => [
        label,
        year,
        numPeople,
        { value: perplexity, ...(error !== undefined && { error }) },
        ...statuses.flatMap((status): Cell[] => [
          auc[status] ?? null,
          shares[status]?.predicted ?? null,
          shares[status]?.true ?? null,
        ]),
      ]),
    ),
    note: "In brackets: the standard error over people. AUC: area under the ROC curve of being in the status, by the share of sampled careers in it.",
  });
}

function perplexityFigure(
  forecasts: readonly Forecast[],
  { population, slug }: Place,
): CurvesFigure | undefined {
  if (forecasts.length === 0) return undefined;
  return {
    kind: "curves",
    id: `forecast-perplexity-${slug}`,
    title: `Perplexity of forecasts on ${population}`,
    xLabel: "year",
    yLabel: "perplexity",
    series: forecasts.map(({ label, years }) => ({
      name: label,
      points: years.map(({ year, perplexity }) => [year, perplexity]),
    })),
  };
}

function shareFigures(forecasts: readonly Forecast[], { population, slug }: Place): CurvesFigure[] {
  return statusesOf(forecasts).map((status, index) => {
    const pointsOf = (years: readonly ForecastYear[], which: "predicted" | "true") =>
      years.flatMap(({ year, shares }) => {
        const share = shares[status]?.[which];
        return share === undefined ? [] : [[year, share] as const];
      });
    return {
      kind: "curves",
      id: `forecast-shares-${index + 1}-${slug}`,
      title: `Share of people ${inWords(status)} on ${population}, forecast and true`,
      xLabel: "year",
      yLabel: "share of people",
      series: [
        { name: "True", points: pointsOf(forecasts[0]!.years, "true") },
        ...forecasts.map(({ label, years }) => ({
          name: label,
          points: pointsOf(years, "predicted"),
        })),
      ],
    };
  });
}

/** A status as words: `"not in labor force"`. */
function inWords(status: string): string {
  return status === "education" ? "in education" : status.replaceAll("_", " ");
}
