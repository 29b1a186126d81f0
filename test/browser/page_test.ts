import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { predict } from "../../cli/run/predict.ts";
import { careerToJson } from "../../data/career_json.ts";
import { occupationIndex, type Career, OCCUPATIONS } from "../../data/mod.ts";
import { temporaryFolder } from "../cli/run_support.ts";
import { noChromium } from "./chromium.ts";
import {
  assertClean,
  buildPage,
  buildPageAndRun,
  openBrowser,
  quietDown,
  readProbabilities,
  serveSite,
  type Site,
  type Visit,
  visit,
  visitWithModel,
} from "./page_support.ts";

/** Two devices add up in different orders, and round; the model is far from sure of anything. */
const PROBABILITY_TOLERANCE = 1e-4;

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

/** Roles that must have a name. */
const CONTROL =
  /^(button|checkbox|radio|combobox|textbox|spinbutton|link|tab|listbox|progressbar|slider)$/;

let browser: Browser;
let site: Site;

before(async () => {
  if (skip !== false) return;
  const { page } = await buildPageAndRun(folder);
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
async function open(options: Parameters<typeof visit>[2] = {}, from: Site = site): Promise<Visit> {
  const opened = await visitWithModel(browser, from, options);
  await opened.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await quietDown(from);
  return opened;
}

/** Presses Tab until the element with this label has the focus, as a person without a mouse does. */
async function tabTo(page: Page, name: string): Promise<void> {
  const passed: string[] = [];
  for (let i = 0; i < 60; i++) {
    const label = await page.evaluate(() => {
      const element = document.activeElement as HTMLInputElement | null;
      const text = element?.labels?.[0]?.firstChild?.textContent;
      const own = element?.getAttribute("aria-label") ?? text;
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
    // The run's folder has given its name, and the list of its files spares asking for others.
    assert.match(await page.locator(".masthead").innerText(), /\brun, .* weights/);
    assert.deepEqual(
      site.requests.filter(({ status }) => status >= 400),
      [],
    );
    const asked = site.requests.length;
    await typeCareer(page, CAREER);
    // Answers come while one types: the last is that about all years, each as it was typed.
    const last = CAREER.observations.at(-1)!;
    const { title } = OCCUPATIONS[occupationIndex(last.occupation)]!;
    const end = `${last.year} (${last.education}): ${title}\n${last.year + 1} (`;
    await page.waitForFunction(
      (text) =>
        document.querySelector(".prompt-view")?.textContent.includes(text) === true &&
        document.querySelector(".results-part .result[aria-busy=true]") === null,
      end,
    );
    assert.match(await page.locator(".prompt-view").innerText(), / lines, \d+ tokens\./);
    await page.getByRole("button", { name: "Show all 335" }).click();
    const found = await readProbabilities(page);
    assert.equal(found.size, OCCUPATIONS.length);
    assertSame(found, await expected);
    assert.equal(site.requests.length, asked, "typing and predicting must ask the server nothing");
    assertClean(opened, site);
    await opened.close();
  },
);

test(
  "after the page is loaded, nothing that one does in it makes a request",
  { skip },
  async () => {
    const opened = await open();
    const { page } = opened;
    const [asked, requested] = [site.requests.length, opened.requested.length];
    await page.getByRole("button", { name: "Try an example" }).click();
    await page.getByRole("button", { name: "Show all 335" }).waitFor();
    const whatIf = page.getByRole("region", { name: "What if…" });
    await whatIf.getByRole("combobox", { name: "Education", exact: true }).selectOption("college");
    await page.locator(".changes").waitFor();
    const future = page.getByRole("region", { name: "A possible future" });
    await future.getByLabel("Years").fill("2");
    await future.getByRole("button", { name: "Draw a future" }).click();
    await future.getByText(/^2005/).first().waitFor({ state: "attached" });
    for (const name of ["Fine-tune", "About", "Model"]) {
      await page.getByRole("tab", { name }).click();
      await page.getByRole("tabpanel", { name }).getByRole("heading").first().waitFor();
    }
    await page.getByRole("tab", { name: "Kernel bench" }).click();
    const bench = page.getByRole("tabpanel", { name: "Kernel bench" });
    await bench.getByLabel("Group").selectOption("norm");
    await bench.getByLabel("Sizes").selectOption({ label: "Small: phones, software" });
    await bench.getByRole("button", { name: "Measure" }).click();
    await bench.locator("table tbody tr").first().waitFor();
    await quietDown(site);
    assert.deepEqual(site.requests.slice(asked), [], "the server must have been asked nothing");
    // Files of tabs come from the service worker: they are the page's own, and never leave the browser.
    const own = [`${site.url}assets/`, `${site.url}icon.svg`];
    const others = opened.requested
      .slice(requested)
      .filter((url) => !own.some((place) => url.startsWith(place)));
    assert.deepEqual(others, [], "nor may anything else be looked for");
    assertClean(opened, site);
    await opened.close();
  },
);

test(
  "a model that is kept answers without a network, after the page is loaded again",
  { skip },
  async () => {
    const opened = await open();
    const { page, context } = opened;
    await page.getByRole("tab", { name: "Model" }).click();
    await page.getByLabel("Keep it in this browser").check();
    await page.getByRole("button", { name: "Load run" }).click();
    await page.getByRole("button", { name: "Delete run" }).waitFor();
    await page.getByText(/thousand weights/).waitFor();
    await quietDown(site);
    await context.setOffline(true);
    const asked = site.requests.length;
    await page.reload();
    await page.getByRole("tab", { name: "Model" }).click();
    await page
      .getByRole("region", { name: "Kept in this browser" })
      .getByRole("button", { name: /^Load/ })
      .click();
    await page
      .getByRole("region", { name: "The model that answers" })
      .getByText(/loaded in/)
      .waitFor();
    await page.getByRole("tab", { name: "Career" }).click();
    await page.getByRole("button", { name: "Try an example" }).click();
    await page.getByRole("button", { name: "Show all 335" }).waitFor();
    assert.ok((await readProbabilities(page)).size >= 10);
    // The browser itself looks for another build, which no page can keep it from.
    const own = site.requests.slice(asked).filter(({ url }) => url !== "/service_worker.js");
    assert.deepEqual(own, []);
    await opened.close();
  },
);

test(
  "on a phone nothing is wider than the screen, in any tab, by day and by night",
  { skip },
  async () => {
    for (const colorScheme of ["light", "dark"] as const) {
      const opened = await open({ viewport: { width: 360, height: 740 }, colorScheme });
      const { page } = opened;
      await page.getByRole("button", { name: "Try an example" }).click();
      await page.getByRole("button", { name: "Show all 335" }).waitFor();
      for (const name of ["Career", "Model", "Fine-tune", "Kernel bench", "About"]) {
        await page.getByRole("tab", { name }).click();
        await page.getByRole("tabpanel", { name }).getByRole("heading").first().waitFor();
        const wider = await page.evaluate(() => {
          const { clientWidth } = document.documentElement;
          return [...document.querySelectorAll("body *")]
            .filter(
              (element) =>
                element.checkVisibility() && element.closest(".unseen, .scrolling") === null,
            )
            .filter((element) => element.getBoundingClientRect().right > clientWidth + 1)
            .map((element) => `${element.tagName}.${element.className}`);
        });
        const scrolls = await page.evaluate(
          () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
        );
        assert.ok(
          !scrolls,
          `${name}, ${colorScheme}: must not scroll sideways; too wide: ${wider.join(", ")}`,
        );
      }
      await opened.close();
    }
  },
);

test("every control has a name, every picture a text, every id one element", { skip }, async () => {
  const opened = await open();
  const { page } = opened;
  await page.getByRole("button", { name: "Try an example" }).click();
  await page.getByRole("button", { name: "Show all 335" }).waitFor();
  const session = await page.context().newCDPSession(page);
  let numControls = 0;
  for (const name of ["Career", "Model", "Fine-tune", "Kernel bench", "About"]) {
    await page.getByRole("tab", { name }).click();
    await page.getByRole("tabpanel", { name }).getByRole("heading").first().waitFor();
    const { nodes } = await session.send("Accessibility.getFullAXTree");
    const controls = nodes.filter(
      ({ ignored, role }) => !ignored && CONTROL.test(String(role?.value)),
    );
    const nameless = controls.filter((node) => !node.name?.value);
    assert.deepEqual(nameless, [], `${name}: every control must have a name`);
    numControls += controls.length;
  }
  assert.ok(numControls > 50, `the tabs have many controls, got ${numControls}`);
  const { repeated, pictures, html } = await page.evaluate(() => {
    const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
    return {
      repeated: ids.filter((id, i) => ids.indexOf(id) !== i),
      pictures: [...document.querySelectorAll("svg, img")].filter(
        (picture) =>
          picture.closest("[aria-hidden=true]") === null &&
          picture.getAttribute("role") !== "img" &&
          !picture.hasAttribute("alt"),
      ).length,
      html: document.documentElement.lang,
    };
  });
  assert.deepEqual({ repeated, pictures, html }, { repeated: [], pictures: 0, html: "en" });
  await opened.close();
});

test(
  "Tab goes through the page in the order it is read, and the focus shows",
  { skip },
  async () => {
    const opened = await open();
    const { page } = opened;
    const seen: { readonly top: number; readonly outline: boolean; readonly name: string }[] = [];
    for (let i = 0; i < 25; i++) {
      await page.keyboard.press("Tab");
      seen.push(
        await page.evaluate(() => {
          const element = document.activeElement!;
          const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
          const isOutlined = outlineStyle !== "none" && parseFloat(outlineWidth) > 0;
          const follows = (globalThis as { last?: Element }).last;
          const order = follows?.compareDocumentPosition(element) ?? 4;
          (globalThis as { last?: Element }).last = element;
          return {
            top: order,
            outline: isOutlined || boxShadow !== "none",
            name:
              element === document.body
                ? "the end"
                : (element.getAttribute("aria-label") ?? element.textContent.slice(0, 30)),
          };
        }),
      );
      if (seen.at(-1)!.name !== "the end") continue;
      seen.pop();
      break;
    }
    assert.ok(seen.length > 10, JSON.stringify(seen));
    for (const { outline, name } of seen) assert.ok(outline, `"${name}" must show its focus`);
    const backwards = seen.slice(1).filter(({ top }) => (top & 4) === 0);
    assert.ok(
      backwards.length <= 1,
      `back in the document only at its end: ${JSON.stringify(backwards)}`,
    );
    await opened.close();
  },
);

test(
  "screenshots for the documents",
  {
    skip:
      skip || (process.env["TENURE_SCREENSHOTS"] !== "1" && "asked for by TENURE_SCREENSHOTS=1"),
  },
  async () => {
    for (const [colorScheme, name] of [
      ["light", "page.png"],
      ["dark", "page-dark.png"],
    ] as const) {
      // A trained model of one's own makes a better picture than one of a few steps.
      const shown = process.env["TENURE_SCREENSHOT_MODEL"];
      const shownSite =
        shown === undefined ? site : await serveSite(await buildPage(), { model: shown });
      const opened = await open({ viewport: { width: 1280, height: 900 }, colorScheme }, shownSite);
      const { page } = opened;
      await page.getByRole("button", { name: "Try an example" }).click();
      await page.getByRole("button", { name: "Show all 335" }).waitFor();
      await page.locator(".result[aria-busy=true]").waitFor({ state: "detached" });
      await page.mouse.move(0, 0);
      // As high as the career that is entered, down to its last button.
      const { y, height } = (await page.locator(".career-part > .check").boundingBox())!;
      await page.setViewportSize({ width: 1280, height: Math.ceil(y + height) + 24 });
      mkdirSync("docs/images", { recursive: true });
      await page.screenshot({ path: join("docs/images", name) });
      await opened.close();
    }
  },
);
