import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { Career } from "../../data/career.ts";
import { OCCUPATIONS } from "../../data/occupations.ts";
import { createApp, type App } from "../../web/page/app.ts";
import { careerPart } from "../../web/page/career/career_part.ts";
import { choiceOf, suggestChoices } from "../../web/page/career/choices.ts";
import { Combobox } from "../../web/page/career/combobox.ts";
import { EXAMPLE_CAREER } from "../../web/page/career/example.ts";
import type { Engine } from "../../web/engine/api.ts";
import { bySaying, press, send, settled } from "./page_support.ts";
import { choose, openPage, type } from "./career_results_support.ts";

let kept: Map<string, string>;

beforeEach(() => {
  openPage();
  kept = new Map();
  Object.assign(globalThis, {
    sessionStorage: {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => void kept.set(key, value),
      removeItem: (key: string) => void kept.delete(key),
    },
  });
});

/** The career that the page has by now; TypeScript would believe that it still is as it was. */
const careerNow = (app: App): Career | undefined => app.career.value;

function openPart(): { readonly app: App; readonly part: HTMLElement } {
  const app = createApp({} as Engine);
  const part = careerPart(app);
  document.body.append(part);
  return { app, part };
}

test("a combobox walks its list by arrow keys, picks by Enter, and puts back by Escape", () => {
  const picked: string[] = [];
  const box = new Combobox({
    label: "Occupation",
    suggest: (text) => suggestChoices(text, ["567"]),
    onPick: (code) => picked.push(code),
  });
  document.body.append(box.element);
  const { input } = box;
  const active = () => {
    const id = input.getAttribute("aria-activedescendant");
    return id === null ? undefined : document.getElementById(id)?.textContent;
  };
  const list = box.element.querySelector("[role=listbox]") as HTMLElement;
  assert.equal(input.getAttribute("aria-controls"), list.id);
  assert.equal(input.getAttribute("aria-expanded"), "false");

  press(input, "ArrowDown");
  assert.equal(input.getAttribute("aria-expanded"), "true");
  assert.match(active()!, /^In education/);
  press(input, "ArrowUp");
  assert.match(active()!, /^Carpenters/, "the list goes round, and ends with what was used lately");
  press(input, "Escape");
  assert.equal(input.getAttribute("aria-expanded"), "false");
  assert.equal(active(), undefined);

  type(input, "registered nur");
  assert.match(active()!, /^Registered nurses/);
  press(input, "Enter");
  assert.deepEqual(picked, ["95"]);
  assert.equal(input.value, "Registered nurses");

  type(input, "carpent");
  press(input, "Tab");
  assert.deepEqual(picked, ["95", "567"], "going on takes along what is marked");
  press(input, "Tab");
  assert.equal(picked.length, 2);
  type(input, "registered nur");
  press(input, "Enter");

  type(input, "carp");
  press(input, "Escape");
  assert.equal(input.value, "Registered nurses", "what is not picked does not count");
  type(input, "zzzzqqq");
  assert.equal(input.getAttribute("aria-expanded"), "false");
  send(input, "blur");
  assert.equal(input.value, "Registered nurses");
  assert.deepEqual(picked, ["95", "567", "95"]);
});

test("a click picks, and a title typed in full counts when one goes on", () => {
  const picked: string[] = [];
  const box = new Combobox({
    label: "Occupation",
    suggest: suggestChoices,
    onPick: (code) => picked.push(code),
  });
  document.body.append(box.element);
  type(box.input, "carpenter");
  const option = box.element.querySelector("[role=option]")!;
  assert.equal(send(option, "pointerdown").defaultPrevented, true, "the field keeps the cursor");
  send(option.firstElementChild!, "click");
  type(box.input, "registered NURSES");
  send(box.input, "blur");
  assert.deepEqual(picked, ["567", "95"]);
});

test("what is typed before suggestions are quick gets them as soon as they are", async () => {
  const picked: string[] = [];
  let be = () => {};
  const later = () => new Promise<void>((resolve) => (be = resolve));
  let ready = later();
  let asked = 0;
  const box = new Combobox({
    label: "Occupation",
    suggest: (text) => {
      asked++;
      return suggestChoices(text);
    },
    wait: () => ready,
    onPick: (code) => picked.push(code),
  });
  document.body.append(box.element);
  const { input } = box;
  type(input, "c");
  type(input, "carpenter");
  assert.equal(input.getAttribute("aria-expanded"), "false");
  be();
  await settled();
  assert.equal(asked, 1, "only for what is typed by then");
  assert.match(box.element.querySelector("[role=option]")!.textContent, /^Carpenters/);
  press(input, "Enter");
  assert.deepEqual(picked, ["567"]);

  ready = later();
  type(input, "registered nurse");
  assert.equal(box.element.querySelector(".combobox-code")!.textContent, "", "567 is not typed");
  press(input, "Enter");
  assert.deepEqual(picked, ["567", "95"], "who is faster than the index does not lose a job");
  type(input, "carpenters");
  send(input, "blur");
  assert.deepEqual(picked, ["567", "95", "567"]);
  type(input, "registered nurses");
  press(input, "Escape");
  assert.equal(input.value, "Carpenters");
  type(input, "cook");
  press(input, "Escape");
  be();
  await settled();
  assert.equal(input.getAttribute("aria-expanded"), "false", "what was taken back does not open");
});

test("the statuses are at hand, and each occupation is found by its own title", () => {
  assert.deepEqual(
    suggestChoices(" ", ["95", "unemployed", "95"]).map(({ code }) => code),
    ["education", "not_in_labor_force", "unemployed", "95"],
  );
  // Every tenth, for time's sake.
  for (const { code, title } of OCCUPATIONS.filter((_, i) => i % 10 === 0)) {
    assert.ok(
      suggestChoices(title).some((choice) => choice.code === code),
      title,
    );
  }
  assert.deepEqual(choiceOf("95", "“RN”"), {
    code: "95",
    title: "Registered nurses",
    note: "“RN”",
  });
});

test("a career that is entered reaches the page as soon as it is one, and not before", () => {
  const { app, part } = openPart();
  assert.equal(careerNow(app), undefined);
  const [gender, ethnicity] = part.querySelectorAll<HTMLSelectElement>(".who select");
  choose(gender!, "female");
  choose(ethnicity!, "white");
  const row = part.querySelector(".year-row")!;
  choose(row.querySelector<HTMLInputElement>("input[type=number]")!, "2019");
  type(row.querySelector<HTMLInputElement>("[role=combobox]")!, "registered nurse");
  assert.equal(careerNow(app), undefined);
  press(row.querySelector("[role=combobox]")!, "Enter");
  assert.deepEqual(careerNow(app), {
    id: "entered",
    gender: "female",
    ethnicity: "white",
    observations: [{ year: 2019, education: "high school", occupation: "95" }],
  });

  send(part.querySelector(".years-form")!, "submit");
  assert.equal(part.querySelectorAll(".year-row").length, 2);
  assert.deepEqual(careerNow(app)!.observations.at(-1), {
    year: 2020,
    education: "high school",
    occupation: "95",
  });
  const second = part.querySelectorAll(".year-row")[1]!;
  choose(second.querySelector<HTMLInputElement>("input[type=number]")!, "2019");
  assert.match(second.querySelector(".problem")!.textContent, /2019 is told twice/);
  assert.equal(second.querySelector("input")!.getAttribute("aria-invalid"), "true");
  assert.equal(careerNow(app), undefined);
  send(bySaying(second, "button", /^Remove$/), "click");
  assert.equal(careerNow(app)!.observations.length, 1);
});

test("a year that is changed moves its row to where it belongs", () => {
  const { app, part } = openPart();
  send(bySaying(part, "button", /example/), "click");
  assert.deepEqual(careerNow(app), EXAMPLE_CAREER);
  const firstRow = part.querySelector(".year-row")!;
  choose(firstRow.querySelectorAll("select")[0]!, "high school");
  choose(firstRow.querySelector<HTMLInputElement>("input[type=number]")!, "2010");
  assert.equal([...part.querySelectorAll(".year-row")].at(-1), firstRow);
  assert.equal(careerNow(app)!.observations.at(-1)!.occupation, "education");
});

test("repeating a year fills those behind it by keyboard alone", () => {
  const { app, part } = openPart();
  send(bySaying(part, "button", /example/), "click");
  const last = [...part.querySelectorAll(".year-row")].at(-1)!;
  send(bySaying(last, "button", /Repeat until/), "click");
  const until = last.querySelector<HTMLInputElement>("[aria-label=Until]")!;
  until.value = "2006";
  press(until, "Enter");
  assert.deepEqual(
    careerNow(app)!
      .observations.slice(-4)
      .map(({ year, occupation }) => `${year} ${occupation}`),
    ["2003 859", "2004 859", "2005 859", "2006 859"],
  );
});

test("nothing is kept unless it is asked for, and starting over forgets it", () => {
  const { part } = openPart();
  send(bySaying(part, "button", /example/), "click");
  assert.equal(kept.size, 0);
  const box = part.querySelector<HTMLInputElement>("input[type=checkbox]")!;
  assert.equal(box.checked, false);
  box.checked = true;
  send(box, "change");
  assert.equal(kept.size, 1);

  const again = openPart();
  assert.deepEqual(careerNow(again.app), EXAMPLE_CAREER);
  assert.equal(again.part.querySelector<HTMLInputElement>("input[type=checkbox]")!.checked, true);
  send(bySaying(again.part, "button", /Start over/), "click");
  assert.equal(kept.size, 0);
  assert.equal(careerNow(again.app), undefined);

  kept.set("tenure-career", '{"id":');
  assert.equal(careerNow(openPart().app), undefined, "what is damaged is as if it were not there");
});
