import assert from "node:assert/strict";
import { after, test } from "node:test";
import { LanguageModel } from "../../model/occupation/language_model.ts";
import type { Person } from "../../model/occupation/occupation_model.ts";
import { assertClose, openGpu } from "../support.ts";
import {
  makePerson,
  oneByOne,
  opinionated,
  shortSightedOf,
  TITLES,
  TOLERANCE,
} from "./opinionated.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

const model = await opinionated(gpu);
const CONTEXT = Uint32Array.from([
  38, 30, 31, 2, 3, 37, 33, 36, 14, 37, 34, 36, 22, 23, 24, 37, 39,
]);
const people = [makePerson("a", 5), makePerson("b", 1), makePerson("c", 12), makePerson("d", 3)];

/** The same people with the context as the first part of their own resumes. */
function concatenated(person: Person): Person {
  const resume = person.resume!;
  const moved = resume.titles.map(({ start, end, ...title }) => ({
    ...title,
    start: start + CONTEXT.length,
    end: end + CONTEXT.length,
  }));
  const tokens = Uint32Array.from([...CONTEXT, ...resume.tokens]);
  return { ...person, resume: { ...resume, tokens, titles: moved } };
}

for (const [what, of] of [
  ["a model", model],
  ["a model with a sliding window", shortSightedOf(gpu, model)],
] as const) {
  test(`a context that ${what} reads once counts as if it were read before each title`, async () => {
    const language = new LanguageModel(gpu, of, { titles: TITLES, context: CONTEXT });
    for (const [person, index] of [
      [people[0]!, 0],
      [people[0]!, 4],
      [people[2]!, 11],
    ] as const) {
      const question = { person: concatenated(person), observation: index };
      const expected = await oneByOne(gpu, of, question);
      const total = expected.reduce((sum, value) => sum + Math.exp(value), 0);
      const distribution = await language.distribution(person, index);
      assertClose(
        distribution.map(Math.log),
        expected.map((value) => value - Math.log(total)),
        { what: "log-probability", ...TOLERANCE },
      );
    }
    language.destroy();
  });
}

for (const tolerance of [0, 0.1]) {
  test(`people side by side behind a context score as those who carry it, pruned at ${tolerance}`, async () => {
    const behind = new LanguageModel(gpu, model, { titles: TITLES, tolerance, context: CONTEXT });
    const whole = new LanguageModel(gpu, model, { titles: TITLES, tolerance: 0 });
    // Many people, so that several passes share the context.
    const many = Array.from({ length: 12 }, () => people).flat();
    const expected = [];
    for await (const score of whole.score(people.map(concatenated))) expected.push(score);
    let which = 0;
    for await (const { raw, normalized, stay } of behind.score(many)) {
      const reference = expected[which++ % people.length]!;
      assertClose(raw, reference.raw, { what: "raw", ...TOLERANCE });
      if (tolerance > 0) continue;
      assertClose(normalized, reference.normalized, { what: "normalized", ...TOLERANCE });
      assertClose(stay.subarray(1), reference.stay.subarray(1), { what: "stay", ...TOLERANCE });
    }
    assert.equal(which, many.length);
    behind.destroy();
    whole.destroy();
  });
}

test("a context matters", async () => {
  const language = new LanguageModel(gpu, model, { titles: TITLES });
  const behind = new LanguageModel(gpu, model, { titles: TITLES, context: CONTEXT });
  const [without, within] = await Promise.all([
    language.distribution(people[0]!, 4),
    behind.distribution(people[0]!, 4),
  ]);
  const distance = without.reduce((sum, p, i) => sum + Math.abs(p - within[i]!), 0) / 2;
  assert.ok(distance > 0.05, `${distance} apart`);
  language.destroy();
  behind.destroy();
});

test("a context that leaves no room is refused with what is needed", async () => {
  const titles = TITLES;
  const long = Uint32Array.from({ length: 128 }, (_, i) => i % 40);
  assert.throws(() => new LanguageModel(gpu, model, { titles, context: long }), {
    name: "RangeError",
    message: /must leave room in the model's 128 tokens, got 128 tokens; tell fewer example/,
  });
  const language = new LanguageModel(gpu, model, { titles, context: long.subarray(0, 110) });
  await assert.rejects(language.distribution(people[2]!, 11), {
    name: "RangeError",
    message:
      /career "c": the 110 tokens before it.*fit the model's 128 tokens, got \d+; tell fewer/,
  });
  language.destroy();
});
