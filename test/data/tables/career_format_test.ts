import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { CareerSplit } from "../../../data/mod.ts";
import {
  type CareerFormatFolder,
  careersToCareerFormat,
  readCareerFormat,
} from "../../../data/tables/mod.ts";
import { arbitraryCareer, careerOf } from "../arbitrary_career.ts";

type Files = Readonly<Record<string, string>>;

function folderOf(files: Files): CareerFormatFolder {
  return {
    name: "folder",
    open: (file) => {
      const text = Object.hasOwn(files, file) ? files[file] : undefined;
      if (text === undefined) return Promise.resolve(undefined);
      return Promise.resolve(new Blob([text]).stream() as ReadableStream<Uint8Array>);
    },
  };
}

function filesOf(split: CareerSplit): Record<string, string> {
  const files = [...careersToCareerFormat(split)];
  return Object.fromEntries(files.map(([name, lines]) => [name, [...lines].join("")]));
}

const oddId = fc.string({
  minLength: 1,
  unit: fc.constantFrom("a", " ", "_", "\\", "\n", "\r", "n", "é"),
});
const arbitrarySplit = fc
  .uniqueArray(
    fc.tuple(arbitraryCareer, oddId).map(([career, id]) => ({ ...career, id })),
    { minLength: 1, maxLength: 10, selector: ({ id }) => id },
  )
  .chain((careers) =>
    fc.nat(careers.length).map((cut) => ({
      train: careers.slice(0, cut),
      valid: careers.slice(cut, cut + 1),
      test: careers.slice(cut + 1),
    })),
  );

test("careers of any shape survive CAREER's format, part by part", async () => {
  await fc.assert(
    fc.asyncProperty(arbitrarySplit, async (split) => {
      assert.deepEqual(await readCareerFormat(folderOf(filesOf(split))), split);
    }),
    { seed: 3, numRuns: 200 },
  );
});

test("the files are those of CAREER, tokens escaped", () => {
  const some = {
    ...careerOf("p 1", "275", "not_in_labor_force"),
    ethnicity: "black or african american",
  };
  const { region: _, birthYear: __, ...bare } = careerOf("q_2", "education");
  const files = filesOf({ train: [some, bare], valid: [], test: [] });
  assert.deepEqual(files, {
    "train.job": "275 not_in_labor_force\neducation\n",
    "train.year": "2001 2002\n2001\n",
    "train.education": "college college\ncollege\n",
    "train.ethnicity": "black_or_african_american\nwhite\n",
    "train.gender": "female\nfemale\n",
    "train.location": "south\n<none>\n",
    "train.year_of_birth": "1980\n<none>\n",
    "train.id": "p_1\nq\\_2\n",
    ...Object.fromEntries(
      ["valid", "test"].flatMap((part) =>
        ["job", "year", "education", "ethnicity", "gender", "location", "year_of_birth", "id"].map(
          (kind) => [`${part}.${kind}`, ""],
        ),
      ),
    ),
  });
});

/** As CAREER's own preparation leaves them: no ids, no birth years, one part. */
const PLAIN: Files = {
  "test.job": "56 57 unemployed\r\n275\r\n",
  "test.year": "2009 2010 2012\r\n1999\r\n",
  "test.education": "some_college college college\r\ngraduate_degree\r\n",
  "test.ethnicity": "white\r\nwhite\r\n",
  "test.gender": "male\r\nfemale\r\n",
  "test.location": "west\r\nsouth\r\n",
};

test("files without ids and birth years are read, people named by their lines", async () => {
  const { train, valid, test: people } = await readCareerFormat(folderOf(PLAIN));
  assert.deepEqual([train.length, valid.length], [0, 0]);
  assert.deepEqual(people[0], {
    id: "test-1",
    gender: "male",
    ethnicity: "white",
    region: "west",
    observations: [
      { year: 2009, education: "some college", occupation: "56" },
      { year: 2010, education: "college", occupation: "57" },
      { year: 2012, education: "college", occupation: "unemployed" },
    ],
  });
  assert.equal(people[1]?.observations[0]?.education, "any graduate");
});

const WRONG: readonly { readonly what: string; readonly files: Files; readonly message: RegExp }[] =
  [
    {
      what: "fewer lines in one file",
      files: { "test.gender": "male\n" },
      message: /test\.gender, line 2: .* got an end here where test\.job goes on$/,
    },
    {
      what: "more lines in one file",
      files: { "test.location": "west\nsouth\nwest\n" },
      message: /test\.job, line 3: .* got an end here where test\.location goes on$/,
    },
    {
      what: "fewer years than jobs",
      files: { "test.year": "2009 2010\n1999\n" },
      message: /test\.year, line 1: there must be as many tokens as jobs, 3, got 2$/,
    },
    {
      what: "a space within a token",
      files: { "test.ethnicity": "white\nblack or african american\n" },
      message: /test\.ethnicity, line 2: there must be one token .*, got 4$/,
    },
    {
      what: "a backslash that stands for nothing",
      files: { "test.location": "we\\st\nsouth\n" },
      message: /test\.location, line 1: a backslash must stand before/,
    },
    {
      what: "an education of another kind",
      files: { "test.education": "college college PhD\ncollege\n" },
      message: /test\.education, line 1: the education in 2012 must be one of .*, got "PhD"$/,
    },
    {
      what: "an unknown job",
      files: { "test.job": "56 57 9\n275\n" },
      message: /test\.job, line 1: in 2012 the code must be .*, got "9"$/,
    },
    {
      what: "a year of two digits",
      files: { "test.year": "2009 10 2012\n1999\n" },
      message: /test\.year, line 1: it must be a year of four digits, got "10"$/,
    },
    {
      what: "an id twice",
      files: { "test.id": "a\na\n" },
      message: /test\.job, line 2: every id must occur once, got "a" as in test\.job, line 1$/,
    },
  ];

for (const { what, files, message } of WRONG) {
  test(`${what} is told by file and line`, async () => {
    await assert.rejects(readCareerFormat(folderOf({ ...PLAIN, ...files })), {
      name: "SyntaxError",
      message,
    });
  });
}

test("missing files are named", async () => {
  const { "test.gender": _, ...rest } = PLAIN;
  await assert.rejects(readCareerFormat(folderOf(rest)), {
    name: "SyntaxError",
    message: "Cannot read folder: there must be test.gender beside test.job, got no such file",
  });
  await assert.rejects(
    readCareerFormat(folderOf({})),
    /must have the files train\.job, .* got no person$/,
  );
});
