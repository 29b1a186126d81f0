import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Batch,
  type EncodedResume,
  IGNORED,
  packBatches,
  PackedDataset,
  type PackOptions,
} from "../../data/mod.ts";

const PAD = 0;
const END = 1;
const LINE_FEED = 2;

/**
 * A resume of a two-line header of `headerLength` tokens and years of a prefix of two tokens,
 * a title of `titleLengths[i]` and a line feed. Every token but the line feeds tells its place:
 * `person · 1000 + index + 10`.
 */
function resumeOf(
  person: number,
  headerLength: number,
  titleLengths: readonly number[],
): EncodedResume {
  const tokens: number[] = [];
  const add = (count: number) => {
    for (let i = 0; i < count; i++) tokens.push(person * 1000 + tokens.length + 10);
  };
  add(headerLength - 3);
  tokens.push(LINE_FEED);
  add(1);
  tokens.push(LINE_FEED);
  const titles = titleLengths.map((length, i) => {
    add(2);
    const start = tokens.length;
    add(length);
    const end = tokens.length;
    tokens.push(LINE_FEED);
    return { start, end, occupation: i, ...(i > 0 ? { previous: i - 1 } : {}) };
  });
  tokens.push(END);
  return { id: String(person), tokens: Uint32Array.from(tokens), titles };
}

const resumes = fc
  .array(
    fc.record({
      header: fc.integer({ min: 4, max: 9 }),
      titles: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 12 }),
    }),
    { minLength: 1, maxLength: 40 },
  )
  .map((people) => people.map(({ header, titles }, i) => resumeOf(i + 1, header, titles)));

const options = fc.record({
  seqLen: fc.integer({ min: 19, max: 140 }), // 9 + 9 + 1 hold the largest header, year and end mark
  numRows: fc.integer({ min: 1, max: 5 }),
  seed: fc.integer(),
  padId: fc.constant(PAD),
});

interface Document {
  readonly tokens: readonly number[];
  readonly targets: readonly number[];
  readonly weights: readonly number[];
}

/** The documents of a batch, cut by `starts` and `ends`, with their invariants checked. */
function documentsOf(batch: Batch): Document[] {
  const { numRows, seqLen, tokens, targets, weights, positions, starts, ends } = batch;
  const documents: Document[] = [];
  for (const array of [tokens, targets, weights, positions, starts, ends]) {
    assert.equal(array.length, numRows * seqLen);
  }
  for (let b = 0; b < numRows; b++) {
    for (let t = 0; t < seqLen;) {
      const end = ends[b * seqLen + t]!;
      assert.ok(end > t && end <= seqLen);
      for (let s = t; s < end; s++) {
        const at = b * seqLen + s;
        assert.deepEqual([starts[at], ends[at], positions[at]], [t, end, s - t]);
        assert.equal(targets[at] === IGNORED, weights[at] === 0);
        if (targets[at] !== IGNORED) assert.equal(targets[at], tokens[at + 1]);
      }
      const [from, to] = [b * seqLen + t, b * seqLen + end];
      assert.equal(targets[to - 1], IGNORED);
      const document = {
        tokens: Array.from(tokens.slice(from, to)),
        targets: Array.from(targets.slice(from, to)),
        weights: Array.from(weights.slice(from, to)),
      };
      if (document.tokens[0] === PAD) assert.deepEqual(document.tokens, [PAD]);
      else documents.push(document);
      t = end;
    }
  }
  return documents;
}

function epochOf(people: readonly EncodedResume[], packOptions: PackOptions, epoch = 0): Batch[] {
  return [...packBatches(people, { ...packOptions, epoch })];
}

test("every token but the first of each resume is learned exactly once", () => {
  fc.assert(
    fc.property(resumes, options, (people, packOptions) => {
      const learned = new Map<number, number>();
      let numEnds = 0;
      for (const batch of epochOf(people, packOptions)) {
        for (const { targets } of documentsOf(batch)) {
          for (const target of targets) {
            if (target === END) numEnds++;
            else if (target > END + 1) learned.set(target, (learned.get(target) ?? 0) + 1);
          }
        }
      }
      learned.delete(IGNORED);
      const expected = people.flatMap(({ tokens }) =>
        Array.from(tokens.slice(1)).filter((token) => token > LINE_FEED),
      );
      const ascending = (a: number, b: number) => a - b;
      assert.deepEqual([...learned.keys()].toSorted(ascending), expected.toSorted(ascending));
      assert.deepEqual([...new Set(learned.values())], [1]);
      assert.equal(numEnds, people.length);
    }),
  );
});

test("a document is a resume, or its header and whole years of it in order", () => {
  fc.assert(
    fc.property(resumes, options, (people, packOptions) => {
      for (const batch of epochOf(people, packOptions)) {
        for (const { tokens } of documentsOf(batch)) {
          const person = people[Math.floor((tokens[0]! - 10) / 1000) - 1]!;
          const whole = [...person.tokens];
          if (whole.length <= packOptions.seqLen) {
            assert.deepEqual(tokens, whole);
            continue;
          }
          const header = person.titles[0]!.start - 2;
          assert.deepEqual(tokens.slice(0, header), whole.slice(0, header));
          const bodyStart = whole.indexOf(tokens[header]!);
          const bodyEnd = bodyStart + tokens.length - header;
          assert.deepEqual(tokens.slice(header), whole.slice(bodyStart, bodyEnd));
          assert.ok(person.titles.some(({ start }) => start - 2 === bodyStart));
          assert.ok(
            bodyEnd === whole.length || person.titles.some(({ end }) => end + 1 === bodyEnd),
          );
        }
      }
    }),
  );
});

test("a long resume's later windows repeat history that is read but not learned", () => {
  const person = resumeOf(1, 5, [1, 1, 1, 1, 1, 1, 1, 1]); // 5 + 8 years of 4 + the end mark
  const documents = epochOf([person], { seqLen: 22, numRows: 1, seed: 1, padId: PAD })
    .flatMap(documentsOf)
    .toSorted((a, b) => a.tokens[5]! - b.tokens[5]!);
  const years = documents.map(({ tokens }) =>
    person.titles.flatMap(({ start }, i) => (tokens.includes(person.tokens[start]!) ? [i] : [])),
  );
  assert.deepEqual(years, [
    [0, 1, 2, 3],
    [2, 3, 4, 5],
    [4, 5, 6, 7],
  ]);
  const learned = documents.map(({ targets }) =>
    person.titles.flatMap(({ start }, i) => (targets.includes(person.tokens[start]!) ? [i] : [])),
  );
  assert.deepEqual(learned, [
    [0, 1, 2, 3],
    [4, 5],
    [6, 7],
  ]);
});

test("weights are those of titles, their line feeds and the rest, and weight 0 is ignored", () => {
  const person = resumeOf(1, 5, [2, 1]);
  const pack = { seqLen: 20, numRows: 1, seed: 1, padId: PAD };
  const weightsOf = (more: Partial<PackOptions>) =>
    Array.from(epochOf([person], { ...pack, ...more })[0]!.weights.slice(0, 15));
  //                          header      | year    | title  | \n| year  | title | \n, end, none
  assert.deepEqual(weightsOf({}), [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0]);
  assert.deepEqual(
    weightsOf({ titleWeight: 3, otherWeight: 0.5 }),
    [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 3, 3, 0.5, 0.5, 0.5, 3, 0.5, 0.5, 0],
  );
  assert.deepEqual(
    weightsOf({ otherWeight: 0, titleEndWeight: 2 }),
    [0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 0, 1, 2, 0, 0],
  );
});

test("batch() at any time is the batch of the loop, and seed and epoch fix the order", () => {
  const people = Array.from({ length: 50 }, (_, i) => resumeOf(i + 1, 6, [1 + (i % 5), 2, 3]));
  const pack = { seqLen: 64, numRows: 3, seed: 5, padId: PAD };
  const loop = epochOf(people, pack, 1);
  const dataset = new PackedDataset(people, pack);
  assert.equal(dataset.numBatches(1), loop.length);
  const last = dataset.batch(1, loop.length - 1);
  dataset.batch(0, 0); // another epoch between
  for (const [index, batch] of loop.entries()) assert.deepEqual(dataset.batch(1, index), batch);
  assert.deepEqual(last, loop.at(-1));
  assert.deepEqual([...packBatches(people, { ...pack, epoch: 1, firstBatch: 2 })], loop.slice(2));
  assert.equal(loop[2]?.label, "epoch 1, batch 2");
  assert.notDeepEqual(epochOf(people, pack, 0)[0]?.tokens, loop[0]?.tokens);
  assert.notDeepEqual(epochOf(people, { ...pack, seed: 6 }, 1)[0]?.tokens, loop[0]?.tokens);
});

test("packing many short documents wastes little, and summary() counts it", () => {
  const people = Array.from({ length: 999 }, (_, i) =>
    resumeOf(
      i + 1,
      4 + (i % 7),
      Array.from({ length: 1 + ((i * 7) % 11) }, () => 1 + (i % 3)),
    ),
  );
  const dataset = new PackedDataset(people, { seqLen: 128, numRows: 8, seed: 1, padId: PAD });
  const { numBatches, numRows, numDocuments, numTokens, efficiency } = dataset.summary(0);
  assert.equal(numDocuments, 999);
  assert.equal(
    numTokens,
    people.reduce((sum, { tokens }) => sum + tokens.length, 0),
  );
  assert.equal(numBatches, Math.ceil(numRows / 8));
  let numPlaced = 0;
  for (let index = 0; index < numBatches; index++) {
    for (const { tokens } of documentsOf(dataset.batch(0, index))) numPlaced += tokens.length;
  }
  assert.equal(numPlaced, numTokens);
  assert.equal(efficiency, numTokens / (numBatches * 8 * 128));
  assert.ok(efficiency > 0.97, String(efficiency));
});

test("a dataset refuses what it cannot pack, with the remedy", () => {
  const person = resumeOf(7, 9, [9, 2]);
  const pack = { seqLen: 64, numRows: 2, seed: 1, padId: PAD };
  assert.throws(() => new PackedDataset([], pack), /there must be at least one, got none/);
  assert.throws(
    () => new PackedDataset([person], { ...pack, seqLen: 20 }),
    /^RangeError: Cannot pack the resume of career "7": .*, 21 tokens, got a seqLen of 20 \(raise/,
  );
  const bare = { ...person, titles: [] };
  assert.throws(() => new PackedDataset([bare], { ...pack, seqLen: 20 }), /got a seqLen of 20/);
  for (const wrong of [
    { seqLen: 0 },
    { numRows: 1.5 },
    { padId: -1 },
    { seed: Number.NaN },
    { titleWeight: -1 },
    { otherWeight: Infinity },
    { titleEndWeight: Number.NaN },
  ]) {
    assert.throws(() => new PackedDataset([person], { ...pack, ...wrong }), RangeError);
  }
  const dataset = new PackedDataset([person], pack);
  for (const index of [-1, 1, 0.5]) assert.throws(() => dataset.batch(0, index), RangeError);
  assert.throws(() => dataset.batch(-1, 0), RangeError);
});
