import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { strToU8, zipSync } from "fflate";
import type { Browser, Page } from "playwright-core";
import { careerToJson } from "../../data/career_json.ts";
import { syntheticPopulation } from "../../data/synthetic/mod.ts";
import { temporaryFolder } from "../cli/run_support.ts";
import { noChromium } from "./chromium.ts";
import {
  assertClean,
  buildPageAndRun,
  openBrowser,
  serveSite,
  type Site,
  type Visit,
  visitWithModel,
} from "./page_support.ts";

/** Counts what the page does when it is idle: a dot each time, and "end" when it asks no more. */
const COUNT_SLICES = `{
  const ask = requestIdleCallback;
  globalThis.slices = "";
  globalThis.requestIdleCallback = (task) => {
    globalThis.asked = 1;
    return ask((deadline) => {
      globalThis.slices += ".";
      globalThis.asked = 0;
      task(deadline);
      if (globalThis.asked === 0) globalThis.slices += "end";
    });
  };
}`;

const skip = noChromium;
const folder = temporaryFolder();
const model = join(folder, "run");
const PEOPLE = syntheticPopulation("survey").generate(20, { seed: 7 });

const RESUME = JSON.stringify({
  work: [
    { position: "Barista", name: "Corner", startDate: "2008-01", endDate: "2011-05" },
    { position: "Registered nurse", startDate: "2012-03", endDate: "2014-12" },
  ],
  education: [{ studyType: "Bachelor", startDate: "2007", endDate: "2011" }],
});
const POSITIONS =
  "Company Name,Title,Description,Location,Started On,Finished On\n" +
  'General,"RN, ICU",,,Mar 2012,Jun 2015\n' +
  "Acme,Sr. Software Engineer II @ Acme,,,Jul 2015,Dec 2018\n" +
  "Other,Zorblax wrangler,,,Mar 2019,\n";
const EXPORT = zipSync({ "Basic/Positions.csv": strToU8(POSITIONS), "messages.csv": strToU8("x") });
const LINES = PEOPLE.map((career) => `${careerToJson(career)}\n`).join("");

let browser: Browser;
let site: Site;

before(async () => {
  if (skip !== false) return;
  const { page } = await buildPageAndRun(folder);
  site = await serveSite(page, { model });
  browser = await openBrowser();
});

/** Opens the page, and waits until its model answers. */
function open(init?: string): Promise<Visit> {
  return visitWithModel(browser, site, init === undefined ? {} : { init });
}

/** A file on disk, for a file input. */
function fileOf(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** Drops a file where it is wanted, as from a folder. */
async function drop(page: Page, zone: string, path: string): Promise<void> {
  const file = { name: path.split("/").at(-1)!, bytes: [...readFileSync(path)] };
  await page.locator(zone).evaluate((element, { name, bytes }) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([new Uint8Array(bytes)], name));
    for (const type of ["dragover", "drop"]) {
      const options = { dataTransfer, bubbles: true, cancelable: true };
      element.dispatchEvent(new DragEvent(type, options));
    }
  }, file);
}

const occupations = (page: Page): Promise<string[]> =>
  page
    .locator(".years [role=combobox]")
    .evaluateAll((inputs) => inputs.map((input) => (input as HTMLInputElement).value));

test("a resume becomes years: chosen, one match changed, and used", { skip }, async () => {
  const opened = await open();
  const { page } = opened;
  await page.locator("#career-file").setInputFiles(fileOf("resume.json", RESUME));
  const review = page.getByRole("group", { name: "Jobs of the JSON Resume file" });
  const barista = review.getByRole("combobox", { name: /^Occupation of: Barista/ });
  await barista.fill("cook");
  await page.keyboard.press("Enter");
  assert.equal(await barista.inputValue(), "Cooks");
  await review.getByLabel("Years up to").fill("2014");
  await review.getByText("8 years will be used:").waitFor();
  await review.getByRole("button", { name: "Use this career" }).click();
  await review.waitFor({ state: "detached" });
  const nurses = Array.from({ length: 3 }, () => "Registered nurses");
  const cooks = Array.from({ length: 4 }, () => "Cooks");
  assert.deepEqual(await occupations(page), ["In education", ...cooks, ...nurses]);
  assertClean(opened, site);
  await opened.close();
});

test("LinkedIn's files may be dropped, and so may a table of people", { skip }, async () => {
  const opened = await open();
  const { page } = opened;
  for (const path of [fileOf("export.zip", EXPORT), fileOf("Positions.csv", POSITIONS)]) {
    await drop(page, ".drop-zone", path);
    const review = page.getByRole("group", { name: "Jobs of the LinkedIn file" });
    await review.getByText(/by “software engineer”/).waitFor();
    await review.getByText('"Zorblax wrangler" has no occupation and is left out').waitFor();
    await review.getByRole("button", { name: "Leave it" }).click();
    await review.waitFor({ state: "detached" });
  }
  await drop(page, ".drop-zone", fileOf("people.jsonl", LINES));
  const id = page.getByLabel("Id of one of 20 people");
  await id.fill("nobody");
  await page.getByRole("button", { name: "Use this career" }).click();
  await page.getByText('the id must be that of a person in it, got "nobody"').waitFor();
  await id.fill(PEOPLE[7]!.id);
  await page.getByRole("button", { name: "Use this career" }).click();
  await id.waitFor({ state: "detached" });
  assert.equal((await occupations(page)).length, PEOPLE[7]!.observations.length);
  assert.equal(await page.locator(".notice:visible").count(), 0, "what was wrong is right by now");
  await page.getByRole("button", { name: "Show all 335" }).waitFor();
  assertClean(opened, site);
  await opened.close();
});

test("a broken file of each kind is named with what is wrong, on view", { skip }, async () => {
  const opened = await open();
  const { page } = opened;
  const careers = page.locator("#career-file");
  const refused = async (name: string, content: string | Uint8Array, said: RegExp) => {
    await careers.setInputFiles(fileOf(name, content));
    const notice = page.locator(".notice", { hasText: name });
    await notice.waitFor();
    assert.match(await notice.innerText(), said, name);
    const { y, height } = (await notice.boundingBox())!;
    assert.ok(y >= 0 && y + height <= page.viewportSize()!.height, `${name}: on view`);
    await page.waitForFunction(
      () => document.querySelector<HTMLInputElement>("#career-file")!.value === "",
    );
  };
  await refused("cut.json", RESUME.slice(0, 100), /must be whole JSON \(check commas/);
  await refused("cut.zip", EXPORT.subarray(0, 100), /must be a whole zip.*download it again/);
  const other = zipSync({ "messages.csv": strToU8("x") });
  await refused("other.zip", other, /got the file "messages\.csv" \(ask LinkedIn/);
  await refused("open.csv", POSITIONS.replace(',"RN, ICU"', ',"RN, ICU'), /line 2: a quoted field/);
  const wrong = LINES.replace(/"year":\d+/, '"year":"x"');
  await refused("wrong.jsonl", wrong, /line 1: an observation must have a number year/);
  await refused("cv.pdf", "%PDF-1.4\n", /got a PDF \(of LinkedIn, ask for a copy/);
  assertClean(opened, site);
  await opened.close();
});

test(
  "fine-tuning takes its steps, can be stopped, and shows what it changed",
  { skip },
  async () => {
    const opened = await open();
    const { page } = opened;
    await page.getByRole("button", { name: "Try an example" }).click();
    await page.getByRole("tab", { name: "Fine-tune" }).click();
    const panel = page.getByRole("tabpanel", { name: "Fine-tune" });
    await panel.getByLabel(/^Careers to train on/).setInputFiles(fileOf("people.jsonl", LINES));
    await panel.getByText(/^people\.jsonl: 20 people, \d+ years\.$/).waitFor();
    const start = panel.getByRole("button", { name: "Fine-tune" });
    const tune = async (steps: number) => {
      await panel.getByLabel("Steps", { exact: true }).fill(String(steps));
      await start.click();
    };
    const shares = async () => {
      await panel.locator("dd", { hasText: "%" }).nth(1).waitFor();
      return panel.locator("dl.facts dd").allInnerTexts();
    };
    await tune(3);
    await panel.getByText(/^Done after 3 of 3 steps/).waitFor();
    const [, after] = await shares();
    await tune(400);
    await panel.getByText(/^Step [1-9]\d* of 400, loss/).waitFor();
    await panel.getByRole("button", { name: "Stop" }).click();
    await panel.getByText(/^Ended after \d+ of 400 steps/).waitFor();
    assert.equal((await shares())[0], after, "what was learned before is where it begins");
    assert.ok(await start.isEnabled());
    assertClean(opened, site);
    await opened.close();
  },
);

test(
  "a model is kept, held in fewer bits, let go, loaded again, and deleted",
  { skip },
  async () => {
    const opened = await open();
    const { page } = opened;
    await page.getByRole("tab", { name: "Model" }).click();
    const kept = page.getByRole("region", { name: "Kept in this browser" });
    const loaded = page.getByRole("region", { name: "The model that answers" });
    await page.getByLabel("Keep it in this browser").check();
    await page.getByRole("button", { name: "Load run" }).click();
    await kept.getByRole("button", { name: "Delete run" }).waitFor();
    for (const dtype of ["int8", "int4"]) {
      await page.getByRole("radio", { name: dtype }).check();
      await loaded.getByRole("button", { name: `Load it again as ${dtype}` }).click();
      await loaded
        .getByText(new RegExp(`weights|, as ${dtype}$`))
        .last()
        .waitFor();
      await loaded.getByText(new RegExp(`thousand, as ${dtype}$`)).waitFor();
    }
    await kept.getByRole("button", { name: "Keep for good" }).click();
    await kept.getByText(/^The browser (agreed|declined)/).waitFor();
    const remove = async () => {
      await kept.getByRole("button", { name: "Delete run" }).click();
      await kept.getByRole("button", { name: "Really delete run?" }).click();
    };
    await remove();
    await page.getByText(/^Unload it, close the other tabs/).waitFor();
    await loaded.getByRole("button", { name: "Unload" }).click();
    await loaded.getByText(/^None yet/).waitFor();
    await kept.getByRole("button", { name: "Load run" }).click();
    await loaded.getByText(/thousand, as int4$/).waitFor();
    await loaded.getByRole("button", { name: "Unload" }).click();
    await loaded.getByText(/^None yet/).waitFor();
    await remove();
    await kept.getByText("None.", { exact: true }).waitFor();
    assertClean(opened, site);
    await opened.close();
  },
);

/** Types a letter. @returns Whether its suggestions were there at once. */
async function typeLetter(page: Page): Promise<boolean> {
  const box = page.getByRole("combobox", { name: "Occupation", exact: true });
  await box.focus();
  return box.evaluate((input: HTMLInputElement) => {
    input.value = "n";
    input.dispatchEvent(new InputEvent("input", { bubbles: true }));
    return input.getAttribute("aria-expanded") === "true";
  });
}

test("titles are indexed in slices: when the page is idle, or as one types", { skip }, async () => {
  const idle = await open(COUNT_SLICES);
  await idle.page.waitForFunction(() =>
    (globalThis as { slices?: string }).slices?.endsWith("..end"),
  );
  assert.ok(await typeLetter(idle.page), "nothing is left to do");
  await idle.close();

  const busy = await open("globalThis.requestIdleCallback = () => 0");
  assert.ok(!(await typeLetter(busy.page)), "the key press itself must not wait for the index");
  await busy.page.getByRole("option", { name: /nurse/i }).first().waitFor();
  assertClean(busy, site);
  await busy.close();
});
