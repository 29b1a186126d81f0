import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Career,
  END_MARK,
  OCCUPATIONS,
  parseResume,
  renderPrompt,
  renderResume,
  resumeTitles,
} from "../../data/mod.ts";
import { arbitraryCareer, careerOf } from "./arbitrary_career.ts";

const COOK: Career = {
  id: "1",
  gender: "female",
  ethnicity: "black or african american",
  region: "south",
  birthYear: 1963,
  observations: [
    { year: 1984, education: "some college", occupation: "436" },
    { year: 1985, education: "some college", occupation: "unemployed" },
    { year: 1996, education: "any graduate", occupation: "95" },
  ],
};
const COOK_HEADER =
  "<A worker from the PSID dataset>\n" +
  "The following information is available about the work history of a female black or african " +
  "american US worker residing in the south region.\n" +
  "The worker was born in 1963.\n" +
  "The worker has the following records of work experience, one entry per line, including year, " +
  "education level, and the job title:\n";

test("renderResume() words a career as the paper does", () => {
  assert.equal(
    renderResume(COOK, { dataset: "PSID" }).text,
    `${COOK_HEADER}1984 (some college): Cooks\n1985 (some college): Unemployed\n` +
      "1996 (any graduate): Registered nurses\n<END OF DATA>",
  );
});

test("renderResume() leaves out the year of birth on request, and what the survey has not", () => {
  const { birthYear: _birthYear, ...unborn } = COOK;
  const text = COOK_HEADER.replace("The worker was born in 1963.\n", "");
  assert.ok(renderResume(COOK, { dataset: "PSID", birthYear: false }).text.startsWith(text));
  assert.ok(renderResume(unborn, { dataset: "PSID" }).text.startsWith(text));
  const { region: _region, ...placeless } = COOK;
  assert.match(
    renderResume(placeless).text,
    /^.*\n.* african american US worker\.\nThe worker was/,
  );
});

test("renderResume() with lastRows keeps the header and the latest years", () => {
  const { text, titles } = renderResume(COOK, { dataset: "PSID", lastRows: 1 });
  assert.equal(text, `${COOK_HEADER}1996 (any graduate): Registered nurses\n<END OF DATA>`);
  assert.deepEqual(
    titles.map(({ observation }) => observation),
    [2],
  );
  assert.equal(renderResume(COOK, { lastRows: 9 }).text, renderResume(COOK).text);
  for (const lastRows of [-1, 1.5, Number.NaN]) {
    assert.throws(() => renderResume(COOK, { lastRows }), RangeError);
  }
});

test("numeric titles are job_000 to job_334 in an order that the seed fixes", () => {
  const titles = resumeTitles({ titles: "numeric", titleSeed: 1 });
  const inOrder = OCCUPATIONS.map((_, i) => `job_${String(i).padStart(3, "0")}`);
  assert.deepEqual(titles.toSorted(), inOrder);
  assert.notDeepEqual(titles, inOrder);
  assert.deepEqual(resumeTitles({ titles: "numeric", titleSeed: 1 }), titles);
  assert.notDeepEqual(resumeTitles({ titles: "numeric", titleSeed: 2 }), titles);
  assert.match(
    renderResume(COOK, { titles: "numeric" }).text,
    /\n1984 \(some college\): job_\d{3}\n/,
  );
});

test("renderPrompt() is the resume cut before the title in question", () => {
  const resume = renderResume(COOK);
  for (const [i, { start }] of resume.titles.entries()) {
    assert.equal(renderPrompt(COOK, COOK.observations[i]!), resume.text.slice(0, start));
  }
  const later = renderPrompt(COOK, { year: 2000, education: "any graduate" });
  assert.equal(later, resume.text.replace(END_MARK, "2000 (any graduate):"));
  assert.throws(
    () => renderPrompt(COOK, { year: 2000, education: "college" }),
    /education must never decrease/,
  );
});

const options = fc.record({
  dataset: fc.constantFrom("NLSY97", "PSID", "My Survey 2"),
  birthYear: fc.constant(true),
  titles: fc.constantFrom("authentic" as const, "numeric" as const),
  titleSeed: fc.integer({ min: 0, max: 3 }),
});

test("a resume has one line per observation and reads back to the career", () => {
  fc.assert(
    fc.property(arbitraryCareer, options, (career, resumeOptions) => {
      const { text, titles } = renderResume(career, resumeOptions);
      const numFixed = career.birthYear === undefined ? 4 : 5;
      assert.equal(text.split("\n").length, career.observations.length + numFixed);
      const parsed = parseResume(text, { ...resumeOptions, id: career.id });
      assert.deepEqual(parsed, { dataset: resumeOptions.dataset, career });
      const worded = resumeTitles(resumeOptions);
      for (const [i, { start, end, observation }] of titles.entries()) {
        const { occupation } = career.observations[observation]!;
        const index = OCCUPATIONS.findIndex(({ code }) => code === occupation);
        assert.equal(observation, i);
        assert.equal(text.slice(start - 1, end + 1), `: ${worded[index]}\n`);
      }
    }),
  );
});

test("no text of a field forges a line: it is refused, or the resume reads back to it", () => {
  const hostile = fc.oneof(
    fc.string({ unit: "binary" }),
    fc
      .array(
        fc.constantFrom(
          "\n",
          "\r",
          "\u2028",
          "\u0085",
          END_MARK,
          "1999 (college): Cooks",
          " ",
          "US worker",
          " US worker residing in the west region.",
          " region",
          ".",
          "white",
          "<|pad|>",
          " dataset>",
          "\ud800",
        ),
        { maxLength: 4 },
      )
      .map((texts) => texts.join("")),
  );
  const base = careerOf("1", "435", "22");
  fc.assert(
    fc.property(hostile, hostile, hostile, hostile, (gender, ethnicity, region, dataset) => {
      for (const fields of [{ gender }, { ethnicity }, { region }, { gender, ethnicity, region }]) {
        const career = { ...base, ...fields };
        let text: string;
        try {
          ({ text } = renderResume(career, { dataset }));
        } catch (error) {
          assert.ok(error instanceof RangeError && !/[\n\r]/.test(error.message), String(error));
          continue;
        }
        assert.deepEqual(parseResume(text, { id: "1" }), { dataset, career });
        assert.equal(text.split("\n").length, 7);
        assert.equal(text.split(END_MARK).length, 2);
      }
    }),
    { numRuns: 500 },
  );
});

test("parseResume() names the line that the template does not have", () => {
  const { text } = renderResume(COOK);
  const cases: readonly (readonly [string, RegExp])[] = [
    [text.replace("<A worker", "A worker"), /line 1: /],
    [text.replace("US worker", "worker"), /line 2: /],
    [text.replace("born in 1963", "born in May"), /line 3: /],
    [text.replace("Cooks", "Kooks"), /line 5: .* title of the vocabulary, got "1984 .*Kooks"/],
    [text.replace("some college", "no college"), /line 5: /],
    [text.replace("1985", "1983"), /the years must ascend/],
    [text.replace(END_MARK, ""), /line 8: /],
    [`${text}\n`, /line 8: the line must be the last/],
    ["", /line 1: /],
  ];
  for (const [broken, message] of cases) {
    assert.throws(
      () => parseResume(broken, { id: "1" }),
      (error: unknown) => error instanceof SyntaxError && message.test(error.message),
      broken,
    );
  }
});

test("renderResume() names the career it cannot word", () => {
  const bad = { ...careerOf("p7", "435"), observations: [] };
  assert.throws(
    () => renderResume(bad),
    /^RangeError: Cannot render the resume of career "p7": the history/,
  );
});
