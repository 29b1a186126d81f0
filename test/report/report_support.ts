import assert from "node:assert/strict";
import fc from "fast-check";
import { parseHTML } from "linkedom";
import type { Figure, ReportDocument, Table } from "../../cli/report/document.ts";
import { plainText } from "../../cli/report/escape.ts";
import type { ModelCardInput } from "../../cli/report/model_card.ts";

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

/** Text with all that some language reads as more than text. */
export const anyText = fc.oneof(
  fc.string({ unit: "binary" }).map((text) => text.replaceAll(/\p{Cs}/gu, "")),
  fc
    .array(
      fc.constantFrom(
        ...Array.from("\\{}$&#%_^~<>|\"'`*[]()!@+-=.,;:/ \t\r\n\u0000\u00a0\u202eaé1漢😀"),
        "</script>",
        "</title>",
        "]]>",
        "<!--",
        "-->",
        "&amp;",
        "https://a.b",
        "javascript:",
        "\\end{tabular}",
        "${x}",
      ),
      { maxLength: 12 },
    )
    .map((parts) => parts.join("")),
);

/** Checks that braces balance and that nothing but known commands and formulas is in a text. */
export function checkLatex(text: string): void {
  const rest = text
    .replaceAll(/\\text[a-z]+\{\}|\\[{}$&#%_]|\$(?:-|\\[A-Za-z]+)\$/g, "")
    .replaceAll(/\{[[\]-]\}/g, "");
  assert.doesNotMatch(rest, /[\\{}$&#%_^~<>|"`[\]\n-]/);
}

/** Reads a CSV file (RFC 4180). */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (let at = 0; at < text.length;) {
    const [all = "", quoted, bare = "", end = ""] =
      /^(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\n)/.exec(text.slice(at)) ?? [];
    assert.notEqual(all, "", `no field at ${at} of ${JSON.stringify(text)}`);
    row.push(quoted?.replaceAll('""', '"') ?? bare);
    if (end === "\n") {
      rows.push(row);
      row = [];
    }
    at += all.length;
  }
  assert.deepEqual(row, []);
  return rows;
}

const anyNumber = fc.oneof(
  fc.double(),
  fc.double({ min: 0, max: 1 }),
  fc.integer({ min: -5, max: 5 }),
  fc.constantFrom(0, -0, 1e308, -1e308, 5e-324, 1e99),
);

const anySeries = <P>(point: fc.Arbitrary<P>) =>
  fc.array(fc.record({ name: anyText, points: fc.array(point, { maxLength: 6 }) }), {
    maxLength: 14,
  });

const anyScale = fc.constantFrom("linear" as const, "log" as const);

const text = { id: fc.constant("any-figure"), title: anyText, caption: anyText };

const anyRows = fc.array(
  fc.record({ name: anyText, group: anyText, value: anyNumber, error: anyNumber }),
  { maxLength: 8 },
);

/** Figures of all kinds with any numbers and names. */
export const anyFigure: fc.Arbitrary<Figure> = fc.oneof(
  fc.record({
    ...text,
    kind: fc.constant("calibration" as const),
    series: anySeries(
      fc.record({
        predicted: anyNumber,
        observed: anyNumber,
        count: anyNumber,
        error: anyNumber,
      }),
    ),
  }),
  fc.record({
    ...text,
    kind: fc.constant("curves" as const),
    xLabel: anyText,
    yLabel: anyText,
    xScale: anyScale,
    yScale: anyScale,
    diagonal: fc.boolean(),
    series: anySeries(fc.tuple(anyNumber, anyNumber)),
  }),
  fc
    .tuple(fc.array(anyText, { maxLength: 5 }), fc.array(anyText, { maxLength: 5 }))
    .chain(([rows, columns]) =>
      fc.record({
        ...text,
        kind: fc.constant("heat map" as const),
        rowLabel: anyText,
        columnLabel: anyText,
        valueLabel: anyText,
        rows: fc.constant(rows),
        columns: fc.constant(columns),
        values: fc.array(
          fc.array(fc.option(anyNumber), { minLength: columns.length, maxLength: columns.length }),
          { minLength: rows.length, maxLength: rows.length },
        ),
        scale: anyScale,
      }),
    ),
  fc.record({
    ...text,
    kind: fc.constantFrom("differences" as const, "bars" as const),
    label: anyText,
    rows: anyRows,
  }),
);

/** Checks that a drawing is well-formed, alone, described, and drawn with numbers only. */
export function checkSvg(svg: string, { id, title }: Figure): void {
  const names: string[] = [];
  for (const [, close, name = "", attributes = "", alone] of svg.matchAll(
    /<(\/?)([A-Za-z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g,
  )) {
    if (close === "/") assert.equal(names.pop(), name);
    else if (alone !== "/") names.push(name);
    assert.doesNotMatch(attributes, /="[^"]*(?:NaN|Infinity|undefined)[^"]*"/);
    assert.doesNotMatch(attributes, /\son\w+=|url\(|https?:(?!\/\/www\.w3\.org\/2000\/svg")/i);
    for (const [, reference = ""] of attributes.matchAll(/href="([^"]*)"/g)) {
      assert.match(reference, /^data:image\/png;base64,/);
    }
    assert.match(name, /^(?:svg|title|desc|g|path|line|rect|circle|text|tspan|image)$/);
  }
  assert.deepEqual(names, []);
  assert.doesNotMatch(svg.replaceAll("\n", ""), /\p{Cc}/u);
  const { document } = parseHTML(svg);
  const root = document.querySelector("svg")!;
  assert.equal(root.querySelector("title")!.textContent, plainText(title).trim() || id);
  assert.equal(root.getAttribute("aria-labelledby"), root.querySelector("title")!.id);
  for (const element of root.querySelectorAll("[id]")) {
    assert.match(element.id, new RegExp(`^figure-${id}--`));
  }
}

/** A model card with everything in it. */
export const sampleCard: ModelCardInput = {
  id: "fine-tuned",
  name: "Language model, fine-tuned",
  description: "Writes careers as text and knows the titles of occupations.",
  base: "HuggingFaceTB/SmolLM2-135M",
  isLanguageModel: true,
  training: [
    {
      name: "Pretraining",
      population: "Synthetic careers",
      numPeople: 20_000,
      numObservations: 400_000,
      isSynthetic: true,
    },
    {
      name: "Fine-tuning",
      population: "NLSY97",
      numPeople: 6288,
      numObservations: 104_043,
      isSynthetic: false,
    },
  ],
  settings: [["Learning rate", "1e-4"]],
  evaluation: {
    text: "Asked about every year of test people; standard errors over people in brackets.",
    results: [{ population: "NLSY97", metric: "Perplexity", value: { value: 6.35, error: 0.101 } }],
  },
  limits: ["It was fine-tuned for one epoch."],
  facts: [["Adapter", "llvmpipe"]],
};
