import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { layoutConflict } from "../../../../data/survey/setup_files/layout.ts";
import { isSetupFile, readSetup } from "../../../../data/survey/setup_files/read_setup.ts";
import { layoutOfVariables, SETUP_KINDS, type Variable, writeSetup } from "./write_setup.ts";

const encoder = new TextEncoder();
const read = (text: string, file: string) => readSetup(encoder.encode(text), file);

const VARIABLES: readonly Variable[] = [
  { name: "ER30000", width: 1, label: "RELEASE NUMBER" },
  { name: "ER30001", width: 4, label: "1968 INTERVIEW NUMBER" },
  { name: "ER30002", width: 3, label: "PERSON NUMBER                         68" },
  { name: "ER16515A2", width: 10, label: 'HEAD AND "WIFE"' },
  { name: "V7706", width: 1 },
];

test("setup files of SAS, SPSS and Stata and dictionaries give the same layout", () => {
  for (const kind of SETUP_KINDS) {
    const file = `IND2021ER.${kind}`;
    assert.deepEqual(read(writeSetup(kind, VARIABLES, "IND2021ER"), file), {
      ...layoutOfVariables(VARIABLES, file),
    });
  }
});

const variables: fc.Arbitrary<Variable[]> = fc
  .uniqueArray(
    fc.record({
      name: fc.stringMatching(/^(?:ER|V|TA)[0-9]{1,5}[A-F]?$/),
      width: fc.integer({ min: 1, max: 12 }),
      label: fc.option(fc.stringMatching(/^[A-Z#][A-Za-z0-9 #/;.,*:&()'-]{0,38}[A-Z0-9)]$/), {
        nil: undefined,
      }),
    }),
    { selector: ({ name }) => name, minLength: 1, maxLength: 40 },
  )
  .map((list) =>
    list.map(({ name, width, label }) => ({ name, width, ...(label !== undefined && { label }) })),
  );

test("whatever the variables, each kind of setup file reads back to them", () => {
  fc.assert(
    fc.property(variables, fc.constantFrom(...SETUP_KINDS), fc.boolean(), (list, kind, crlf) => {
      const text = writeSetup(kind, list, "J1");
      const file = `J1.${kind}`;
      const layout = read(crlf ? text.replaceAll("\n", "\r\n") : text, file);
      assert.deepEqual(layout, layoutOfVariables(list, file));
      assert.deepEqual(
        [...layout.columns.keys()],
        list.map(({ name }) => name),
      );
    }),
    { numRuns: 300 },
  );
});

test("damaged setup files are refused with their name, or read as something whole", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...SETUP_KINDS),
      fc.nat(1200),
      fc.nat(30),
      fc.stringMatching(/^[A-Za-z0-9 "';.*/(){}=@$%-]{0,6}$/),
      (kind, at, length, inserted) => {
        const text = writeSetup(kind, VARIABLES, "J1");
        const damaged = text.slice(0, at) + inserted + text.slice(at + length);
        try {
          const { columns, recordLength } = read(damaged, `J1.${kind}`);
          let end = 0;
          for (const { first, last } of [...columns.values()].toSorted(
            (a, b) => a.first - b.first,
          )) {
            assert.ok(first > end && last >= first && last <= recordLength);
            end = last;
          }
        } catch (error) {
          assert.ok(error instanceof SyntaxError, String(error));
          assert.match(error.message, /^Cannot read J1\.\w+, line \d+: /);
        }
      },
    ),
    { numRuns: 600 },
  );
});

test("SAS's column pointers, informats and types are read", () => {
  const layout = read(
    "DATA x; INFILE 'x.txt' LRECL=20;\nINPUT @1 A 4. @5 B F5.2 @ 10 C $3. D $ 13-15 E 16 - 20 .1;\nRUN;",
    "x.sas",
  );
  assert.deepEqual(
    [...layout.columns.values()].map(({ name, first, last, type, decimals }) => [
      name,
      first,
      last,
      type,
      decimals,
    ]),
    [
      ["A", 1, 4, "number", 0],
      ["B", 5, 9, "number", 2],
      ["C", 10, 12, "text", 0],
      ["D", 13, 15, "text", 0],
      ["E", 16, 20, "number", 1],
    ],
  );
});

test("formats say how numbers are printed, not where their points are", () => {
  const sas = read(
    'DATA x; ATTRIB A LABEL="WAGE" format=f10.2\n B LABEL="N" format=f1.; INFILE \'x\' LRECL = 11; INPUT A 1 - 10 B 11 - 11; RUN;',
    "x.sas",
  );
  const spss = read(
    "DATA LIST FILE = X FIXED /\n A 1 - 10 B 11 - 11\n .\nFORMATS\n A (F10.2)\n.\n",
    "x.sps",
  );
  assert.equal(sas.columns.get("A")?.decimals, 0);
  assert.equal(spss.columns.get("A")?.decimals, 0);
  assert.equal(layoutConflict(sas, spss), undefined);
});

test("decimals that columns imply are read in all dialects", () => {
  const texts = {
    "x.sas": "INPUT A 1 - 5 .2;",
    "x.sps": "DATA LIST FIXED / A 1 - 5 (2) .\n",
    "x.dct": "infile dictionary { _column(1) A %5.2f }",
  };
  for (const [file, text] of Object.entries(texts)) {
    assert.equal(read(text, file).columns.get("A")?.decimals, 2, file);
  }
});

test("meanings of codes are read in all dialects", () => {
  const texts = {
    "x.sas":
      'PROC FORMAT; VALUE AF 1 = "Head" 2 - 5 = "Child"; RUN; DATA x; INPUT A 1 - 1; FORMAT A AF.; RUN;',
    "x.sps": "DATA LIST FIXED / A 1 - 1 .\nVALUE LABELS A 1 'Head' 2 'Child' .\n",
    "x.do":
      'infix A 1 - 1 using x.txt, clear\nlabel define AL  ///\n 1 "Head"  ///\n 2 `"a "Child""\', modify\nlabel values A AL\n',
  };
  const values = Object.entries(texts).map(([file, text]) => [
    ...(read(text, file).columns.get("A")?.values ?? []),
  ]);
  assert.deepEqual(values, [
    [
      ["1", "Head"],
      ["2-5", "Child"],
    ],
    [
      ["1", "Head"],
      ["2", "Child"],
    ],
    [
      ["1", "Head"],
      ["2", 'a "Child"'],
    ],
  ]);
});

test("names are told apart without their case, and text of older files is read", () => {
  const latin = Uint8Array.from('INPUT er1 1 - 2; LABEL Er1 = "WIFE\u00e9S";', (char) =>
    char.charCodeAt(0),
  );
  const column = readSetup(latin, "OLD.SAS").columns.get("ER1");
  assert.equal(column?.label, "WIFE\u00e9S");
});

const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  [
    "x.sas",
    "INPUT A 1 - 4\n B 4 - 6;",
    /line 2: columns must not overlap, got "A" in 1 - 4 and "B"/,
  ],
  ["x.sas", "INPUT A 1 - 4\n A 5 - 6;", /line 2: a variable must stand in one place, got "A"/],
  [
    "x.sas",
    "INFILE X LRECL = 5;\nINPUT A 1 - 4 B 5 - 6;",
    /line 2: .*"B" must end within the record of 5/,
  ],
  ["x.sas", "INPUT A 4 - 1;", /the columns of "A" must ascend from 1, got 4 - 1/],
  ["x.sas", "INPUT A 0 - 1;", /the columns of "A" must ascend from 1/],
  ["x.sas", "INPUT A 1 - 4 B;", /the first column of a field must stand here, got the end/],
  ["x.sas", "DATA x;\nX = A * 2;\nINPUT A 1 - 2;", /line 2: .*got the command "x"/],
  ["x.sas", "DATA x\nINPUT A 1 - 2;", /line 2: .*got the command "… INPUT"/],
  ["x.sas", 'ATTRIB A LABEL="open\n;', /line 1: a text must be closed on its line/],
  [
    "x.sas",
    'INPUT A 1 - 2; LABEL B = "b";',
    /a label must be of a variable with a column, got "B"/,
  ],
  ["x.sas", 'INPUT A 1; LABEL A = "a";\nLABEL A = "b";', /line 2: a variable must have one label/],
  [
    "x.sas",
    "INFILE X LRECL = 5;\nINFILE X LRECL = 6; INPUT A 1;",
    /line 2: records must have one length/,
  ],
  ["x.sas", "/* never closed\nINPUT A 1 - 2;", /line 1: a comment must be closed/],
  ["x.sas", "", /line 1: a setup file must place at least one column/],
  ["x.sps", "DATA LIST FIXED / A 1 - 2\n B 2 - 3 .\n", /line 2: columns must not overlap/],
  ["x.sps", "DATA LIST FIXED RECORDS = 2 / A 1 - 2 .\n", /one record a case/],
  ["x.sps", "COMPUTE A = 2 .\n", /got the command "compute a"/],
  [
    "x.do",
    "#delimit ;\ninfix A 1 - 2\nA 3 - 4 using x ;",
    /line 3: a variable must stand in one place/,
  ],
  ["x.do", "infix A 1 - 2 using x\nreplace A = 3 if A == 2\n", /line 2: .*"replace"/],
  ["x.do", "infix A one - 2 using x", /the first column of a field must stand here|a type, a name/],
  ["x.dct", "infile dictionary { _lines(2) A %4f }", /one line a record/],
  ["x.dct", "infile dictionary { _column(1) A %4f _column(3) B %2f }", /must not overlap/],
  ["x.dct", "infile dictionary { A 4 }", /an informat such as %4f must stand here, got "4"/],
  ["x.dct", "infile dictionary { A %4.9f }", /at most as many decimals as characters, got 9 of 4/],
];

for (const [file, text, message] of REFUSED) {
  test(`${file} is refused: ${JSON.stringify(text.slice(0, 50))}`, () => {
    assert.throws(
      () => read(text, file),
      (error: Error) => {
        assert.ok(error instanceof SyntaxError);
        assert.match(error.message, message);
        assert.ok(error.message.startsWith(`Cannot read ${file}, line `), error.message);
        return true;
      },
    );
  });
}

test("files of other programs are refused by their name", () => {
  assert.equal(isSetupFile("IND2021ER.SAS"), true);
  assert.equal(isSetupFile("IND2021ER_codebook.pdf"), false);
  assert.throws(() => read("x", "x.R"), TypeError);
});

test("a setup file of 40,000 columns and hostile comments is read in linear time", () => {
  const many = Array.from({ length: 40_000 }, (_, i) => ({ name: `V${i}`, width: 1 }));
  const began = performance.now();
  for (const kind of SETUP_KINDS) {
    assert.equal(read(writeSetup(kind, many, "J1"), `J1.${kind}`).columns.size, many.length);
  }
  assert.throws(() => read("/*".repeat(200_000), "x.sas"), SyntaxError);
  assert.throws(() => read('"'.repeat(400_001), "x.sas"), SyntaxError);
  assert.throws(() => read("* ".repeat(400_000), "x.sps"), SyntaxError);
  // Quadratic time would take minutes; the limit leaves room for a busy machine.
  assert.ok(performance.now() - began < 15_000);
});
