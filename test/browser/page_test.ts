import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { predict } from "../../cli/run/predict.ts";
import { careerToJson } from "../../data/career_json.ts";
import { occupationIndex, type Career, OCCUPATIONS } from "../../data/mod.ts";
import { prepareFew, temporaryFolder, trainTiny } from "../cli/run_support.ts";
import { noChromium } from "./chromium.ts";
import {
  assertClean,
  buildPage,
  openBrowser,
  quietDown,
  readProbabilities,
  serveSite,
  type Site,
  type Visit,
  visit,
} from "./page_support.ts";

/** Two devices add up in different orders, and round; the model is far from sure of anything. */
const PROBABILITY_TOLERANCE = 1e-4;

/** Long enough for a software GPU on a busy machine. */
const PATIENCE_MS = 60_000;

const skip = noChromium;
const folder = temporaryFolder();
const model = join(folder, "run");

/** A person whom the keyboard enters. */
const CAREER: Career = {
  id: "keyboard",
  gender: "female",
  ethnicity: "white",
  region: "south",
  birthYear: 1980,
  observations: [
    { year: 2001, education: "college", occupation: codeOf("Registered nurses") },
    { year: 2002, education: "college", occupation: codeOf("Registered nurses") },
    { year: 2003, education: "college", occupation: codeOf("Social workers") },
  ],
};

let browser: Browser;
let site: Site;

before(async () => {
  if (skip !== false) return;
  const [page] = await Promise.all([
    buildPage(),
    prepareFew(join(folder, "data")).then(() =>
      trainTiny({ dataFolder: join(folder, "data"), runFolder: model }),
    ),
  ]);
  site = await serveSite(page, { model });
  browser = await openBrowser();
});

function codeOf(title: string): string {
  const { code } = OCCUPATIONS.find((occupation) => occupation.title === title)!;
  assert.ok(occupationIndex(code) >= 0);
  return code;
}

/** Probabilities as the command line gives them, by code. */
async function predicted(career: Career): Promise<Map<string, number>> {
  const file = join(folder, `${career.id}.jsonl`);
  writeFileSync(file, careerToJson(career));
  const { occupations } = await predict({ model, career: { file }, top: OCCUPATIONS.length });
  return new Map(occupations.map(({ code, probability }) => [code, probability]));
}

function assertSame(found: ReadonlyMap<string, number>, expected: ReadonlyMap<string, number>) {
  for (const [code, probability] of found) {
    const distance = Math.abs(probability - expected.get(code)!);
    assert.ok(
      distance < PROBABILITY_TOLERANCE,
      `${code}: ${probability} in the page, ${expected.get(code)} on the command line`,
    );
  }
}

/** Opens the page, and waits until its model answers and its files are kept. */
async function open(options: Parameters<typeof visit>[2] = {}): Promise<Visit> {
  const opened = await visit(browser, site.url, options);
  opened.page.setDefaultTimeout(PATIENCE_MS);
  await opened.page.getByText(/thousand weights/).waitFor();
  await opened.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await quietDown(site);
  return opened;
}

/** Presses Tab until the element with this label has the focus, as a person without a mouse does. */
async function tabTo(page: Page, name: string): Promise<void> {
  const passed: string[] = [];
  for (let i = 0; i < 60; i++) {
    const label = await page.evaluate(() => {
      const element = document.activeElement as HTMLInputElement | null;
      const label = element?.labels?.[0];
      const own = element?.getAttribute("aria-label") ?? label?.firstChild?.textContent;
      return (own ?? element?.textContent ?? "").trim().slice(0, 40);
    });
    if (label === name) return;
    passed.push(label);
    await page.keyboard.press("Tab");
  }
  assert.fail(`Tab must reach "${name}", passed ${passed.join(", ")}`);
}

/** Enters a career with the keyboard alone, from wherever the focus is. */
async function typeCareer(page: Page, career: Career): Promise<void> {
  const { keyboard } = page;
  for (const [name, value] of [
    ["Gender", career.gender],
    ["Ethnicity", career.ethnicity],
    ["Region", career.region!],
    ["Year of birth", String(career.birthYear)],
  ] as const) {
    await tabTo(page, name);
    await keyboard.type(value);
  }
  for (const [i, { year, education, occupation }] of career.observations.entries()) {
    if (i > 0) {
      await tabTo(page, "Add the next year");
      await keyboard.press("Enter");
      await page.getByRole("spinbutton", { name: "Year", exact: true }).nth(i).waitFor();
      // The cursor is in the new row's job; its year and education are right as they are.
    } else {
      await tabTo(page, "Year");
      await keyboard.press("ControlOrMeta+a");
      await keyboard.type(String(year));
      await tabTo(page, "Education");
      await keyboard.type(education);
      await tabTo(page, "Occupation");
    }
    await keyboard.type(OCCUPATIONS[occupationIndex(occupation)]!.title);
    await keyboard.press("Enter");
  }
}

test(
  "a career entered with the keyboard gets the probabilities of tenure predict",
  { skip },
  async () => {
    const expected = predicted(CAREER);
    const opened = await open();
    const { page } = opened;
    const before = site.requests.length;
    await typeCareer(page, CAREER);
    await page.getByRole("button", { name: "Show all 335" }).waitFor();
    await page.getByRole("button", { name: "Show all 335" }).click();
    const found = await readProbabilities(page);
    assert.equal(found.size, OCCUPATIONS.length);
    assertSame(found, await expected);
    assert.equal(site.requests.length, before, "typing and predicting must ask the server nothing");
    assertClean(opened, site);
    await opened.close();
  },
);
