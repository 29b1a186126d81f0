import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import {
  encodeResume,
  PackedDataset,
  parseResume,
  renderResume,
  splitCareers,
  titleTokens,
  Tokenizer,
  trainResumeTokenizer,
} from "../../data/mod.ts";
import { missing, readShared } from "./shared_data.ts";

const SURVEYS = [
  { name: "nlsy97", numPeople: 8019, numYears: 145_971, numTrain: 5613 },
  { name: "nlsy79", numPeople: 11_303, numYears: 144_358, numTrain: 7912 },
];

/** Seconds of this process's own work that encoding a survey may take; it takes some 0.3. */
const ENCODING_LIMIT_S = 5;

for (const { name, numPeople, numYears, numTrain } of SURVEYS) {
  const file = `${name}.tsv.gz`;
  test(`${name}: every person reads, encodes and packs`, { skip: missing(file) }, async (t) => {
    const careers = await readShared(file);
    assert.equal(careers.length, numPeople);
    assert.equal(
      careers.reduce((sum, career) => sum + career.observations.length, 0),
      numYears,
    );
    const { train } = splitCareers(careers, { seed: 1 });
    assert.equal(train.length, numTrain);

    const options = { dataset: name.toUpperCase() };
    for (const career of careers.slice(0, 500)) {
      const { text } = renderResume(career, options);
      assert.deepEqual(parseResume(text, { id: career.id }).career, career);
    }

    const tokenizer = Tokenizer.fromJson(
      trainResumeTokenizer(train, { ...options, vocabSize: 1024 }),
    );
    const begin = process.cpuUsage();
    const resumes = careers.map((career) => encodeResume(career, tokenizer, options));
    const seconds = process.cpuUsage(begin).user / 1e6; // others may be busy here too
    assert.ok(seconds < ENCODING_LIMIT_S, `encoding took ${seconds} s`);
    for (const [i, { tokens }] of resumes.slice(0, 500).entries()) {
      assert.equal(tokenizer.decode(tokens), renderResume(careers[i]!, options).text);
    }

    const numTokens = resumes.reduce((sum, { tokens }) => sum + tokens.length, 0);
    const numTitleTokens = resumes
      .flatMap(({ titles }) => titles)
      .reduce((sum, { start, end }) => sum + end - start, 0);
    const numSingle = titleTokens(tokenizer).filter(({ length }) => length === 1).length;
    const packed = new PackedDataset(resumes, {
      seqLen: 1024,
      numRows: 8,
      seed: 1,
      padId: tokenizer.padId,
    });
    const { efficiency } = packed.summary(0);
    t.diagnostic(
      `1,024 tokens: ${(numTokens / numPeople).toFixed(1)} tokens a resume, ` +
        `${(numTitleTokens / numYears).toFixed(2)} a title, ${numSingle} titles of one token, ` +
        `packed ${(100 * efficiency).toFixed(1)}% full`,
    );
    assert.ok(numTokens / numPeople < 140 && numTitleTokens / numYears < 4.5);
    assert.ok(efficiency > 0.98);
  });
}
