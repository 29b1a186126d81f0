import type { Figure, ReportDocument, Table } from "../../cli/report/document.ts";

/** A small generator of numbers, the same every time. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const MODELS = [
  "Empirical transition frequency",
  "Multinomial logit",
  "Bag of jobs",
  "CAREER",
  "CAREER, pretrained",
  "Language model, off the shelf",
  "Embeddings and multinomial logit",
  "Language model, fine-tuned",
  "Language model, fine-tuned, without birth year",
  "Language model, numeric titles",
];

/** Figures of all kinds as a study has them. */
export function sampleFigures(): Figure[] {
  const next = random(1);
  const occupations = ["Cooks", "Carpenters", "Managers and administrators, n.e.c.", "Unemployed"];
  return [
    {
      kind: "calibration",
      id: "calibration",
      title: "Calibration of the probability of moving",
      caption: "Deciles of the probability predicted for test people.",
      series: MODELS.slice(0, 7).map((name, index) => ({
        name,
        points: Array.from({ length: 10 }, (_, bin) => {
          const predicted = (bin + 0.5) / 10;
          const observed = predicted ** (1 + index / 6);
          const count = 100 + Math.round(900 * next());
          return { predicted, observed, count, error: Math.sqrt((observed * 0.5) / count) };
        }),
      })),
    },
    {
      kind: "curves",
      id: "roc",
      title: "Receiver operating characteristic of moving",
      xLabel: "False positive rate",
      yLabel: "True positive rate",
      diagonal: true,
      series: MODELS.slice(0, 6).map((name, index) => ({
        name,
        points: Array.from({ length: 5000 }, (_, i): [number, number] => {
          const x = i / 4999;
          return [x, x ** (1 / (1.5 + index / 2))];
        }),
      })),
    },
    {
      kind: "curves",
      id: "learning",
      title: "Validation loss by epoch",
      xLabel: "People",
      yLabel: "Perplexity",
      xScale: "log",
      series: [...MODELS, "Eleventh", "Twelfth"].map((name, index) => ({
        name,
        points: [100, 300, 1000, 3000, 10000].map((x, i): [number, number] => [
          x,
          8 + index * 0.7 + (6 - index / 4) * 0.6 ** i,
        ]),
      })),
    },
    {
      kind: "heat map",
      id: "transfer",
      title: "Perplexity by training and test population",
      rowLabel: "Trained on",
      columnLabel: "Tested on",
      valueLabel: "Perplexity",
      rows: ["PSID81", "NLSY79", "NLSY97"],
      columns: ["PSID81", "NLSY79", "NLSY97"],
      values: [
        [8.184, 10.705, 10.523],
        [9.929, 8.329, 7.965],
        [12.638, 11.274, null],
      ],
    },
    {
      kind: "heat map",
      id: "transitions",
      title: "Transitions between occupations",
      rowLabel: "From",
      columnLabel: "To",
      valueLabel: "Share",
      scale: "log",
      rows: Array.from({ length: 30 }, (_, i) => `${occupations[i % 4]!} ${i}`),
      columns: Array.from({ length: 30 }, (_, i) => `${occupations[i % 4]!} ${i}`),
      values: Array.from({ length: 30 }, (_, r) =>
        Array.from({ length: 30 }, (__, c) => (r === c ? 0.6 : next() < 0.2 ? null : next() / 20)),
      ),
    },
    {
      kind: "heat map",
      id: "all-transitions",
      title: "Transitions between all occupations",
      rowLabel: "From",
      columnLabel: "To",
      valueLabel: "Share",
      scale: "log",
      rows: Array.from({ length: 335 }, (_, i) => `Occupation ${i}`),
      columns: Array.from({ length: 335 }, (_, i) => `Occupation ${i}`),
      values: Array.from({ length: 335 }, (_, r) =>
        Array.from({ length: 335 }, (__, c) => (r === c ? 0.6 : next() < 0.8 ? null : next() / 50)),
      ),
    },
    {
      kind: "differences",
      id: "differences",
      title: "Perplexity of CAREER less that of others",
      label: "Difference in perplexity",
      rows: ["NLSY79", "NLSY97"].flatMap((group) =>
        MODELS.slice(4).map((name) => ({
          name,
          group,
          value: next() - 0.3,
          error: 0.02 + 0.1 * next(),
        })),
      ),
    },
    {
      kind: "bars",
      id: "perplexity",
      title: "Test perplexity",
      label: "Perplexity",
      rows: ["NLSY79", "NLSY97"].flatMap((group) =>
        MODELS.map((name) => ({ name, group, value: 6 + 8 * next(), error: 0.1 + 0.3 * next() })),
      ),
    },
  ];
}

/** A table with all kinds of cells. */
export function sampleTable(): Table {
  const next = random(2);
  const estimate = (best: boolean) => ({ value: 6 + 8 * next(), error: 0.15 * next(), best });
  return {
    id: "perplexity",
    title: "Test perplexity of all models",
    columns: [
      { label: "Model" },
      { label: "NLSY79" },
      { label: "NLSY97" },
      { label: "PSID81" },
      { label: "Difference" },
      { label: "Parameters", digits: 0 },
      { label: "Trained on" },
    ],
    rows: MODELS.map((model, index) => [
      model,
      estimate(index === 7),
      estimate(index === 4),
      index === 2 ? null : estimate(false),
      { value: next() - 0.5, error: 0.02 },
      Math.round(1e8 * next()),
      index % 2 === 0 ? "the survey" : "synthetic careers, then the survey",
    ]),
    note: "Standard errors over people in brackets (100 replications).",
  };
}

/** A report with everything in it. */
export function sampleDocument(): ReportDocument {
  const figures = sampleFigures();
  const text =
    "Every model was asked for the next occupation of every test person in every year. " +
    "Perplexity is the exponential of the mean negative log-likelihood; less is better.";
  return {
    title: "Occupations of two cohorts",
    facts: [
      ["Adapter", "llvmpipe (LLVM 19, 256 bits)"],
      ["Date", "2026-11-23"],
      ["Seed", "1"],
      ["People", "3,000 for training, 429 for validation, 858 for the test"],
    ],
    sections: [
      { id: "summary", title: "Summary", text: [text, text], tables: [sampleTable()], figures: [] },
      {
        id: "staying-and-moving",
        title: "Staying and moving",
        text: [text],
        tables: [],
        figures: figures.slice(0, 2),
      },
      { id: "others", title: "All else", text: [], tables: [], figures: figures.slice(2) },
    ],
  };
}
