import assert from "node:assert/strict";
import { test } from "node:test";
import { analyze } from "../../cli/study/analysis/analyze.ts";
import { gapCorrelation } from "../../model/forecast/gap_years.ts";
import { checkDocument } from "../../cli/report/check_document.ts";
import type { Cell, Estimate, Figure, ReportDocument, Table } from "../../cli/report/document.ts";
import type { RunResult } from "../../cli/study/results.ts";
import type { Predictions } from "../../model/evaluation/predictions.ts";
import { selectPeople } from "../../model/evaluation/selection.ts";
import { resampleWeights } from "../../model/evaluation/resampling.ts";
import { answer, fullStudy, madeResults, madeRun } from "./made_study.ts";

/** Sums of a thousand f64 logarithms. */
const TOLERANCE = 1e-9;

const results = await fullStudy();
const report = analyze(results, { claims: [], reference: "smooth" });

function tableOf(document: ReportDocument, id: string): Table {
  const table = document.sections.flatMap(({ tables }) => tables).find((one) => one.id === id);
  assert.ok(table, `there must be a table "${id}"`);
  return table;
}

function figureOf<Kind extends Figure["kind"]>(id: string, kind: Kind) {
  const figure = report.sections.flatMap(({ figures }) => figures).find((one) => one.id === id);
  assert.equal(figure?.kind, kind, `there must be a figure "${id}"`);
  return figure as Extract<Figure, { readonly kind: Kind }>;
}

/** The cell of a row that begins with these cells, under a label. */
function cellAt(table: Table, begins: readonly Cell[], label: string): Cell {
  const column = table.columns.findIndex((one) => one.label === label);
  const row = table.rows.find((cells) => begins.every((cell, i) => cells[i] === cell));
  assert.ok(row && column >= 0, `${JSON.stringify(begins)}, ${label}`);
  return row[column]!;
}

function runOf(model: string, refit?: RunResult["refit"], population = "survey People") {
  return results.runs.find(
    (run) =>
      run.model === model &&
      run.population === population &&
      JSON.stringify(run.refit) === JSON.stringify(refit),
  )!;
}

function perplexity({ normalized, person }: Predictions, weights?: Float64Array): number {
  let [sum, count] = [0, 0];
  normalized.forEach((log, i) => {
    const weight = weights ? weights[person[i]!]! : 1;
    sum += weight * log;
    count += weight;
  });
  return Math.exp(-sum / count);
}

function deviation(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b) / values.length;
  return Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1));
}

function assertEstimate(cell: Cell, value: number, error?: number): void {
  assert.ok(cell !== null && typeof cell === "object", JSON.stringify(cell));
  assert.ok(Math.abs(cell.value - value) < TOLERANCE, `${cell.value}, not ${value}`);
  if (error === undefined) return;
  assert.ok(Math.abs(cell.error! - error) < TOLERANCE, `error ${cell.error}, not ${error}`);
}

const counts = runOf("counts").answers[0]!.predictions;
const smooth = runOf("smooth").answers[0]!.predictions;
const draws = resampleWeights(smooth.ids.length, results.bootstrap);

test("a full study has every section, and its document can be written", () => {
  checkDocument(report);
  assert.deepEqual(
    report.sections.map(({ id }) => id),
    [
      "data", "models", "differences", "moving", "calibration", "subgroups", "shuffled", "history",
      "transfer", "mixing", "resampled", "gap-years", "titles", "forecasts", "learning", "truth",
    ], // prettier-ignore
  );
  assert.deepEqual(report.facts, results.facts);
});

test("the same results make the same report", () => {
  assert.deepEqual(analyze(results, { claims: [], reference: "smooth" }), report);
});

test("perplexities and their errors are those of plain loops over resampled people", () => {
  const error = deviation(draws.map((weights) => perplexity(smooth, weights)));
  const cell = cellAt(tableOf(report, "perplexity"), ["Smooth counts"], "survey People");
  assertEstimate(cell, perplexity(smooth), error);
  const own = tableOf(report, "perplexity-survey-people");
  assertEstimate(cellAt(own, ["Smooth counts"], "All"), perplexity(smooth), error);
  // Only the printed frequencies have scores that are not normalized.
  const asPaper = tableOf(report, "perplexity-as-paper-survey-people");
  assert.deepEqual(
    asPaper.rows.map(([label]) => label),
    ["Counts"],
  );
  const raw = { ...counts, normalized: counts.raw };
  assertEstimate(cellAt(asPaper, ["Counts"], "All"), perplexity(raw));
});

test("paired differences draw the same people for both models", () => {
  const table = tableOf(report, "differences-survey-people");
  const error = deviation(
    draws.map((weights) => perplexity(counts, weights) - perplexity(smooth, weights)),
  );
  const cell = cellAt(table, ["Counts"], "Perplexity");
  assertEstimate(cell, perplexity(counts) - perplexity(smooth), error);
  assert.ok(!table.rows.some(([label]) => label === "Smooth counts"), "not against itself");
});

test("without a reference, the best model is it, and it is marked", () => {
  const document = analyze(results, { claims: [] });
  const rows = tableOf(document, "differences-survey-people").rows.map(([label]) => label);
  assert.deepEqual(rows, ["Counts", "Smooth counts"]);
  const marked = tableOf(document, "perplexity").rows.filter((row) =>
    row.some((cell) => (cell as Estimate).best),
  );
  assert.deepEqual(
    marked.map(([label]) => label),
    ["Truth"],
  );
});

test("demographics, histories, transfer, mixing and refits have the numbers of their answers", () => {
  const rise = cellAt(tableOf(report, "shuffled"), ["Smooth counts", "gender"], "survey People");
  assertEstimate(rise, perplexity(counts) - perplexity(smooth));

  const history = tableOf(report, "history-survey-people");
  const inWindow = (predictions: Predictions, from: number, to: number) => {
    const logs: number[] = [];
    let position = 0;
    predictions.person.forEach((p, i) => {
      position = p === predictions.person[i - 1] ? position + 1 : 1;
      if (position > from && position <= to) logs.push(predictions.normalized[i]!);
    });
    return Math.exp(-logs.reduce((a, b) => a + b) / logs.length);
  };
  const gain = history.rows.find((row) => row[1] === "(10, 15]" && row[3] === "10")!;
  assertEstimate(gain.at(-1)!, inWindow(counts, 10, 15) - inWindow(smooth, 10, 15));
  assert.ok(!history.rows.some((row) => row[1] === "(5, 10]" && row[3] === "10"));

  const elsewhere = runOf("smooth").answers.find(({ population }) => population === "large People");
  const transfer = tableOf(report, "transfer");
  const there = cellAt(transfer, ["Smooth counts", "survey People"], "on large People");
  assertEstimate(there, perplexity(elsewhere!.predictions));
  const map = figureOf("transfer-smooth", "heat map");
  assert.deepEqual(map.rows, map.columns);
  assert.ok(Math.abs(map.values[0]![1]! - perplexity(elsewhere!.predictions)) < TOLERANCE);

  const mixed = runOf("smooth", { kind: "mixed", share: 0.5 }).answers[0]!.predictions;
  const mixing = tableOf(report, "mixing");
  const row = mixing.rows.find((cells) => cells[1] === "survey People" && cells[2] === 50)!;
  assertEstimate(row[4]!, perplexity(mixed) - perplexity(smooth));
  const [curve] = figureOf("mixing-survey-people", "curves").series;
  assert.deepEqual(
    curve!.points.map(([share]) => share),
    [0, 50],
  );

  const refits = [0, 1, 2].map((replicate) =>
    perplexity(runOf("smooth", { kind: "resampled", replicate }).answers[0]!.predictions),
  );
  const resampled = tableOf(report, "resampled");
  const spread = cellAt(resampled, ["Smooth counts", "survey People", 3], "Training-set s.e.");
  assert.ok(Math.abs((spread as number) - deviation(refits)) < TOLERANCE);
});

test("subgroups partition the person-years, education by level", () => {
  const table = tableOf(report, "subgroups-education-survey-people");
  assert.deepEqual(
    table.columns.slice(1).map(({ label }) => label),
    ["less than high school", "high school", "some college", "college", "any graduate"],
  );
  const [numbers] = table.rows;
  const total = numbers!.slice(1).reduce((sum: number, text) => sum + Number(text), 0);
  assert.equal(total, smooth.person.length);
  const women = new Set(
    results.populations[0]!.test.filter(({ gender }) => gender === "female").map(({ id }) => id),
  );
  const gender = tableOf(report, "subgroups-gender-survey-people");
  const [of, other] = [selectPeople(smooth, women), selectPeople(counts, women)];
  assertEstimate(cellAt(gender, ["Smooth counts"], "female"), perplexity(of));
  const difference = cellAt(gender, ["Counts − Smooth counts"], "female");
  assertEstimate(difference, perplexity(other) - perplexity(of));
});

test("ROC and calibration curves hold every later observation of every model", () => {
  const numLater = smooth.kind.filter((kind) => kind > 0).length;
  for (const grouping of ["deciles", "bins"]) {
    const { series } = figureOf(`calibration-${grouping}-survey-people`, "calibration");
    assert.deepEqual(
      series.map(({ name }) => name),
      ["Counts", "Smooth counts", "Truth"],
    );
    for (const { points } of series) {
      assert.equal(
        points.reduce((sum, { count }) => sum + count, 0),
        numLater,
      );
      assert.ok(points.length > 1 && points.some(({ error }) => error! > 0));
    }
  }
  const accuracy = tableOf(report, "accuracy-survey-people");
  for (const { name, points } of figureOf("roc-survey-people", "curves").series) {
    const [label = "", auc] = name.split(/, (?=[\d.]+$)/);
    assert.equal((cellAt(accuracy, [label], "AUC") as Estimate).value.toFixed(3), auc);
    assert.deepEqual(
      [points[0], points.at(-1)],
      [
        [0, 0],
        [1, 1],
      ],
    );
  }
});

test("gap years and valid titles by hand", () => {
  const gaps = tableOf(report, "gap-years");
  const begins = ["Smooth counts", "survey People", 20];
  // Of the differences, 0 and 1 alternately.
  assertEstimate(cellAt(gaps, begins, "Difference"), 0.5, Math.sqrt(5 / 19 / 20));
  const correlation = (twoStep: readonly number[]) =>
    gapCorrelation([1, 2, 4].map((direct, i) => ({ direct, twoStep: twoStep[i]! })));
  assert.ok(Math.abs(correlation([2, 4, 8]) - 1) < TOLERANCE);
  assert.ok(Math.abs(correlation([-1, -2, -4]) + 1) < TOLERANCE);
  assert.ok(Math.abs(correlation([1, 0, 1]) - 1 / (2 * Math.sqrt(7))) < TOLERANCE);
  const share = cellAt(tableOf(report, "titles"), ["Smooth counts", "survey People"], "Share");
  assertEstimate(share, 0.96, Math.sqrt((0.96 * 0.04) / 50));
});

test("on synthetic people the truth is at distance zero and passes, a shifted one fails", () => {
  for (const population of ["survey-people", "large-people"]) {
    const table = tableOf(report, `truth-${population}`);
    assertEstimate(cellAt(table, ["True process"], "Distance, nats"), 0, 0);
    assertEstimate(cellAt(table, ["Truth"], "Distance, nats"), 0, 0);
    assert.equal(cellAt(table, ["True process"], "Calibration"), "passes");
    for (const row of table.rows.filter(([label]) => /log-odds/.test(JSON.stringify(label)))) {
      assert.equal(row.at(-1), "fails", JSON.stringify(row[0]));
    }
    const distance = cellAt(table, ["Smooth counts"], "Distance, nats") as Estimate;
    assert.ok(distance.value > 5 * distance.error!);
  }
});

test("models that were asked about some people are compared on those, and are never the best", () => {
  const some = new Set(smooth.ids.slice(5, 35));
  const few = madeRun({
    model: "few",
    population: "survey People",
    answers: [answer("survey People", selectPeople(runOf("truth").answers[0]!.predictions, some))],
  });
  const document = analyze(
    madeResults(results.populations, [runOf("counts"), runOf("smooth"), few]),
    { claims: [], reference: "smooth" },
  );
  checkDocument(document);
  const row = tableOf(document, "differences-survey-people").rows.find(
    ([label]) => label === "few",
  )!;
  assert.equal(row[1], 30);
  const truth = few.answers[0]!.predictions;
  assertEstimate(row[2]!, perplexity(truth) - perplexity(selectPeople(smooth, some)));
  const best = tableOf(document, "perplexity").rows.filter((cells) =>
    cells.some((cell) => (cell as Estimate | null)?.best),
  );
  assert.deepEqual(
    best.map(([label]) => label),
    ["Smooth counts"],
  );
  const unnamed = analyze(
    madeResults(results.populations, [runOf("counts"), runOf("smooth"), few]),
    { claims: [] },
  );
  const { title } = tableOf(unnamed, "differences-survey-people");
  assert.match(title, /minus Smooth counts/);
});

test("a model stands beside its refits on the people that those were asked about", () => {
  const some = new Set(smooth.ids.slice(5, 35));
  const few = selectPeople(counts, some);
  const refit = (kind: RunResult["refit"] & {}) =>
    madeRun({
      model: "smooth",
      population: "survey People",
      refit: kind,
      answers: [answer("survey People", few)],
    });
  const refits = [
    refit({ kind: "mixed", share: 0.5 }),
    refit({ kind: "resampled", replicate: 1 }),
    refit({ kind: "resampled", replicate: 2 }),
  ];
  const document = analyze(madeResults(results.populations, [runOf("smooth"), ...refits]), {
    claims: [],
  });
  const own = perplexity(selectPeople(smooth, some));
  const [without, mixed] = tableOf(document, "mixing").rows;
  assertEstimate(without![3]!, own);
  assertEstimate(mixed![4]!, perplexity(few) - own);
  assertEstimate(tableOf(document, "resampled").rows[0]![3]!, own);
});

test("sections without data are left out, down to a study that found nothing", () => {
  const [population] = results.populations;
  const { truth: _, ...withoutTruth } = population!;
  const ids = (document: ReportDocument) => document.sections.map(({ id }) => id);
  const one = analyze(madeResults([withoutTruth], [runOf("counts")]), { claims: [] });
  checkDocument(one);
  assert.deepEqual(ids(one), ["data", "models", "moving", "calibration", "subgroups"]);
  const empty = { ...withoutTruth, train: [], valid: [], test: [] };
  assert.deepEqual(ids(analyze(madeResults([empty], []), { claims: [] })), []);
});

test("models of one label and populations of like names keep apart", () => {
  const population = (name: string) => ({ ...results.populations[0]!, name });
  const run = (model: string, name: string) =>
    madeRun({ model, label: "Same", population: name, answers: [answer(name, smooth)] });
  const names = ["A B", "a-b", "π"];
  const runs = names.flatMap((name) => [run("x", name), run("y", name)]);
  const document = analyze(madeResults(names.map(population), runs), { claims: [] });
  checkDocument(document);
  assert.deepEqual(
    tableOf(document, "perplexity").rows.map(([label]) => label),
    ["Same (x)", "Same (y)"],
  );
});
