import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { Career } from "../../data/career.ts";
import { NUM_OCCUPATIONS, occupationIndex } from "../../data/occupations.ts";
import { renderPrompt } from "../../data/resume.ts";
import type { Engine, FutureOptions, Prediction, Question } from "../../web/engine/api.ts";
import { EngineError } from "../../web/engine/errors.ts";
import { createApp, type App } from "../../web/page/app.ts";
import { choiceOf } from "../../web/page/career/choices.ts";
import { fullQuestion } from "../../web/page/results/asked.ts";
import { resultsPart } from "../../web/page/results/results_part.ts";
import { careerOf } from "../data/arbitrary_career.ts";
import { choose, openPage, type } from "./career_results_support.ts";
import { bySaying, modelInfo, press, send } from "./page_support.ts";

/** Longer than a question waits to be overtaken. */
const ANSWER_MS = 400;
const answered = () => new Promise((resolve) => setTimeout(resolve, ANSWER_MS));

/** An engine that knows two things: people stay with 60%, and women become nurses more often. */
function ruleEngine() {
  const self = {
    failure: undefined as Error | undefined,
    questions: 0,
    seeds: [] as number[],
    async predict(career: Career, question: Question = {}): Promise<Prediction> {
      self.questions++;
      if (self.failure !== undefined) throw self.failure;
      const full = fullQuestion(career, question);
      const last = career.observations.findLast(({ year }) => year < full.year)!.occupation;
      const nurse = career.gender === "female" ? 0.3 : 0.1;
      const probabilities = new Float64Array(NUM_OCCUPATIONS).fill(
        (0.4 - nurse) / (NUM_OCCUPATIONS - 2),
      );
      probabilities[occupationIndex("95")] = nurse;
      probabilities[occupationIndex(last)] = 0.6;
      const prompt = renderPrompt(career, full);
      return { ...full, prompt, numTokens: 123, probabilities, last, stay: 0.6, ms: 1 };
    },
    async sampleFuture(career: Career, { years = 10, seed = 0, signal }: FutureOptions = {}) {
      signal?.throwIfAborted();
      self.seeds.push(seed);
      const { year, education } = career.observations.at(-1)!;
      return Array.from({ length: years }, (_, i) => ({
        year: year + 1 + i,
        education,
        occupation: i < seed ? "567" : "275",
      }));
    },
  };
  return self;
}

let app: App;
let part: HTMLElement;
let engine: ReturnType<typeof ruleEngine>;

beforeEach(() => {
  openPage();
  engine = ruleEngine();
  app = createApp(engine as unknown as Engine);
  part = resultsPart(app);
  document.body.append(part);
});

const text = (selector: string) => part.querySelector(selector)!.textContent;
const codes = (selector: string) =>
  [...part.querySelectorAll(`${selector} [data-code]`)].map((row) => row.getAttribute("data-code"));

test("without a model the way to one is shown, without a career what is missing", async () => {
  assert.equal(part.querySelector(".missing a")!.getAttribute("href"), "#model");
  app.model.value = modelInfo();
  assert.match(text(".missing"), /Once the career is complete/);
  app.career.value = careerOf("a", "567");
  assert.equal(part.querySelector<HTMLElement>(".missing")!.hidden, true);
  assert.equal(part.querySelector<HTMLElement>(".results-all")!.hidden, true);
  await answered();
  assert.equal(part.querySelector<HTMLElement>(".results-all")!.hidden, false);
  app.model.value = undefined;
  assert.equal(part.querySelector<HTMLElement>(".results-all")!.hidden, true);
});

test("the likeliest come as bars and as a table of the same figures, staying apart", async () => {
  app.model.value = modelInfo();
  app.career.value = careerOf("a", "275", "567");
  assert.match(part.textContent, /Asking the model/, "nothing else is on view yet");
  await answered();
  assert.doesNotMatch(part.textContent, /Asking the model/);
  assert.deepEqual(codes(".next-view").slice(0, 2), ["567", "95"]);
  assert.equal(codes(".next-view").length, 10);
  assert.deepEqual(
    [...part.querySelectorAll(".next-view .stay[data-code]")].map((e) =>
      e.getAttribute("data-code"),
    ),
    ["567"],
  );
  assert.equal(text("[data-probability]"), "60.0%");
  assert.match(text(".summary"), /^In 2003, with “college”.*“Carpenters” is likeliest \(60\.0%\)/);
  assert.match(text(".stay-move"), /60\.0% stay.*40\.0% move/);
  assert.equal(part.querySelectorAll(".figures tr").length, 0, "a closed table has no rows");
  const details = part.querySelector(".next-view details")!;
  send(Object.assign(details, { open: true }), "toggle");
  const rows = [...part.querySelectorAll(".figures tbody tr")];
  assert.equal(rows.length, 10);
  assert.equal(rows[1]!.textContent, "2Registered nurses9530.0%");
  send(bySaying(part, "button", /Show all 335/), "click");
  assert.equal(codes(".next-view").length, NUM_OCCUPATIONS);
  assert.equal(part.querySelectorAll(".figures tbody tr").length, NUM_OCCUPATIONS);
  assert.match(text(".prompt"), /2002 \(college\): Carpenters\n2003 \(college\):$/);
  assert.match(text(".prompt-view"), / lines, 123 tokens\./);
  const search = part.querySelector<HTMLInputElement>(".search [role=combobox]")!;
  type(search, "nurse");
  press(search, "Enter");
  assert.equal(text(".search-answer"), "Registered nurses: 30.0%, the 2nd likeliest of 335.");
});

test("another year asks again, and tells what was entered for it", async () => {
  app.model.value = modelInfo();
  app.career.value = careerOf("a", "275", "567");
  await answered();
  choose(part.querySelector<HTMLInputElement>(".results-all > .fields input")!, "2002");
  assert.equal(part.querySelector(".result")!.getAttribute("aria-busy"), "true");
  assert.notEqual(codes(".next-view").length, 0, "the last answer stays on view");
  await answered();
  assert.equal(part.querySelector(".result")!.getAttribute("aria-busy"), "false");
  assert.match(
    text(".summary"),
    /^In 2002.*You entered “Carpenters” for 2002, which has 0\.03%\.$/,
  );
  choose(part.querySelector<HTMLInputElement>(".results-all > .fields input")!, "1980");
  await answered();
  assert.match(text(".summary"), /^In 2002/, "a year that cannot be asked for changes nothing");
});

test("what if shows which probabilities change, and says that it is no cause", async () => {
  app.model.value = modelInfo();
  app.career.value = careerOf("a", "275", "567");
  await answered();
  const whatIf = part.querySelector(".what-if")!;
  assert.match(
    whatIf.textContent,
    /compares people in the data.*does not say what the change would cause/,
  );
  const before = engine.questions;
  choose(whatIf.querySelectorAll("select")[1]!, "male");
  assert.match(text(".differences"), /^gender: male, not female\.$/);
  await answered();
  assert.equal(engine.questions, before + 1);
  const changes = new Map(
    [...whatIf.querySelectorAll("[data-code]")].map((row) => [
      row.getAttribute("data-code"),
      Number(row.querySelector("[data-change]")!.getAttribute("data-change")),
    ]),
  );
  assert.equal(changes.size, 10);
  assert.ok(Math.abs(changes.get("95")! + 0.2) < 1e-12);
  assert.match(whatIf.textContent, /In all, 20\.0% of the probability/);
  send(bySaying(whatIf, "button", /Put everything back/), "click");
  assert.equal(whatIf.querySelectorAll("[data-code]").length, 0);
  assert.equal(whatIf.querySelectorAll<HTMLSelectElement>("select")[1]!.value, "female");
});

test("an error of the engine is told with its remedy", async () => {
  app.model.value = modelInfo();
  engine.failure = new EngineError({ kind: "limits", message: "Too long", remedy: "Cut it." });
  app.career.value = careerOf("a", "275");
  await answered();
  assert.deepEqual(app.notice.value, { tone: "error", message: "Too long", remedy: "Cut it." });
  engine.failure = undefined;
  app.career.value = careerOf("a", "567");
  await answered();
  assert.equal(app.notice.value, undefined, "it goes when it is over");
  engine.failure = new EngineError({ kind: "limits", message: "Too long", remedy: "Cut it." });
  app.career.value = careerOf("a", "275");
  await answered();
  assert.notEqual(app.notice.value, undefined);
  app.career.value = undefined;
  assert.equal(app.notice.value, undefined, "and with the career it was about");
});

test("futures are drawn with one seed after the other, and many are counted", async () => {
  app.model.value = modelInfo();
  app.career.value = careerOf("a", "567");
  await answered();
  send(bySaying(part, "button", /^Draw a future$/), "click");
  await answered();
  assert.equal(text(".stretches"), `2002–2011${choiceOf("275").title}`);
  send(bySaying(part, "button", /^Draw another one$/), "click");
  await answered();
  assert.deepEqual(engine.seeds, [0, 1]);
  send(bySaying(part, "button", /^Draw 20/), "click");
  await answered();
  assert.deepEqual(
    engine.seeds.slice(2),
    Array.from({ length: 20 }, (_, i) => i),
  );
  // Ten years: seeds from 10 on never leave, and in the last year those are the carpenters.
  assert.match(text(".futures"), /10 of 20 never leave/);
  assert.deepEqual(new Set(codes(".futures")), new Set(["275", "567"]));
  assert.equal(app.work.value, undefined);
});

test("futures drawn before somebody ends it still count", async () => {
  app.model.value = modelInfo();
  app.career.value = careerOf("a", "567");
  await answered();
  const draw = engine.sampleFuture.bind(engine);
  engine.sampleFuture = (career, options) => {
    if (options?.seed === 7) app.work.value?.cancel?.();
    return draw(career, options);
  };
  send(bySaying(part, "button", /^Draw 20/), "click");
  await answered();
  assert.match(text(".futures h4"), /^7 futures, counted$/);
  assert.equal(app.notice.value, undefined);
});

test("another model's futures go, and drawing them ends", async () => {
  app.model.value = modelInfo();
  app.career.value = careerOf("a", "567");
  await answered();
  send(bySaying(part, "button", /^Draw a future$/), "click");
  await answered();
  assert.notEqual(part.querySelector(".stretches"), null);
  const draw = engine.sampleFuture.bind(engine);
  engine.sampleFuture = (career, options) => {
    if (options?.seed === 7) app.model.value = { ...modelInfo(), name: "another" };
    return draw(career, options);
  };
  send(bySaying(part, "button", /^Draw 20/), "click");
  await answered();
  assert.deepEqual(engine.seeds.slice(1), [0, 1, 2, 3, 4, 5, 6], "no more is drawn than needed");
  assert.equal(part.querySelector(".stretches, .futures"), null);
  assert.equal(app.notice.value, undefined);
  bySaying(part, "button", /^Draw a future$/);
});

test("results of a career that is being edited cannot be asked on", async () => {
  app.model.value = modelInfo();
  app.career.value = careerOf("a", "567");
  await answered();
  const all = part.querySelector(".results-all")!;
  assert.equal(all.hasAttribute("inert"), false);
  app.career.value = undefined;
  assert.equal(all.hasAttribute("inert"), true);
  app.career.value = careerOf("a", "567");
  assert.equal(all.hasAttribute("inert"), false);
});
