import assert from "node:assert/strict";
import { test } from "node:test";
import { zipSync } from "fflate";
import { careerToJson } from "../../data/career_json.ts";
import type { Engine } from "../../web/engine/api.ts";
import { createApp } from "../../web/page/app.ts";
import { ImportClient, type ImportWorker } from "../../web/page/career/import_client.ts";
import type { OpenedFile } from "../../web/page/career/import_messages.ts";
import { importPanel } from "../../web/page/career/import_panel.ts";
import { serveImports } from "../../web/page/career/import_server.ts";
import { draftOf } from "../../web/page/career/draft.ts";
import {
  draftWithYears,
  firstReview,
  positionInWords,
  withCode,
  yearsOfReview,
} from "../../web/page/career/reviewed.ts";
import { careerOf } from "../data/arbitrary_career.ts";
import { openPage } from "./career_results_support.ts";
import { send, settled } from "./page_support.ts";

const POSITIONS = [
  "Company Name,Title,Description,Location,Started On,Finished On",
  "Acme,Registered Nurse,,,Jan 2012,Dec 2014",
  "Zeta,Chief Happiness Wizard,,,Jan 2015,Dec 2015",
  "Zeta,Carpenter,,,Jan 2016,",
].join("\n");

/** Threads of this process in place of workers: messages are copied, as they are there. */
function startThread(): ImportWorker & { isOpen: boolean } {
  const { port1, port2 } = new MessageChannel();
  serveImports(port2);
  port2.start();
  port1.start();
  return Object.assign(port1 as unknown as ImportWorker, {
    isOpen: true,
    terminate(this: { isOpen: boolean }) {
      this.isOpen = false;
      port1.close();
    },
  });
}

async function withClient(use: (client: ImportClient) => Promise<void>): Promise<void> {
  const client = new ImportClient(startThread);
  try {
    await use(client);
  } finally {
    client.close();
  }
}

const fileOf = (name: string, ...parts: BlobPart[]) => new File(parts, name);

test("a LinkedIn export tells jobs, each with the occupations it may mean", () =>
  withClient(async (client) => {
    const zip = zipSync({ "Positions.csv": new TextEncoder().encode(POSITIONS) });
    for (const file of [fileOf("export.zip", zip), fileOf("Positions.csv", POSITIONS)]) {
      const opened = await client.open(file);
      assert.ok(opened.kind === "history");
      assert.equal(opened.source, "LinkedIn");
      const { history, matches } = opened;
      assert.deepEqual(history.positions.map(positionInWords), [
        "Registered Nurse, Acme, 2012-01 to 2014-12",
        "Chief Happiness Wizard, Zeta, 2015-01 to 2015-12",
        "Carpenter, Zeta, 2016-01 to today",
      ]);
      assert.deepEqual(
        matches.map(([best]) => best?.code),
        ["95", undefined, "567"],
      );
    }
  }));

test("a review becomes years: matches that were changed count, jobs without one are left out", () =>
  withClient(async (client) => {
    const opened = await client.open(fileOf("Positions.csv", POSITIONS));
    assert.ok(opened.kind === "history");
    const review = firstReview(opened.matches, 2018);
    const codes = (some: typeof review) =>
      yearsOfReview(opened.history, some).observations.map((o) => `${o.year} ${o.occupation}`);
    assert.deepEqual(codes(review), [
      "2012 95",
      "2013 95",
      "2014 95",
      "2016 567",
      "2017 567",
      "2018 567",
    ]);
    assert.match(yearsOfReview(opened.history, review).notes.join(), /Wizard.*left out/);
    const changed = withCode({ ...review, until: 2016, gaps: "unemployed" }, 0, undefined);
    assert.deepEqual(codes(changed), ["2016 567"]);
    assert.deepEqual(codes(withCode(changed, 1, "13")), ["2015 13", "2016 567"]);
  }));

test("years out of a file keep who was entered, and lose the survey of another career", () => {
  const before = draftOf({ ...careerOf("7", "95"), dataset: "PSID" });
  const { observations } = careerOf("b", "567", "275");
  const draft = draftWithYears(before, observations);
  assert.deepEqual(draftOf({ ...careerOf("entered", "567", "275") }), draft);
});

test("of a file of careers, people are listed and one is read", () =>
  withClient(async (client) => {
    const careers = [careerOf("first", "95"), careerOf("second", "275", "178")];
    const opened = await client.open(fileOf("a.jsonl", careers.map(careerToJson).join("\n")));
    assert.ok(opened.kind === "careers");
    assert.deepEqual(
      opened.people.map(({ id, numYears }) => [id, numYears]),
      [
        ["first", 1],
        ["second", 2],
      ],
    );
    assert.deepEqual(await client.career("second"), careers[1]);
    await assert.rejects(client.career("third"), /must be that of a person in it, got "third"/);
    await client.open(fileOf("Positions.csv", POSITIONS));
    await assert.rejects(client.career("second"), /no file of careers is open/);
  }));

test("what cannot be read says what it must be, and the next file is read all the same", () =>
  withClient(async (client) => {
    await assert.rejects(client.open(fileOf("a.pdf", "%PDF-1.7")), /must be a JSON Resume, a Lin/);
    await assert.rejects(client.open(fileOf("empty.csv", "")), /got an empty one/);
    assert.equal((await client.open(fileOf("Positions.csv", POSITIONS))).kind, "history");
  }));

test("reading that is ended rejects at once, and a new worker reads the next file", async () => {
  const threads: ReturnType<typeof startThread>[] = [];
  const client = new ImportClient(() => {
    const thread = startThread();
    threads.push(thread);
    return thread;
  });
  const controller = new AbortController();
  const reading = client.open(fileOf("Positions.csv", POSITIONS), controller.signal);
  controller.abort();
  await assert.rejects(reading, /it was ended/);
  assert.equal(threads[0]!.isOpen, false);
  assert.equal((await client.open(fileOf("Positions.csv", POSITIONS))).kind, "history");
  assert.equal(threads.length, 2);
  await assert.rejects(client.open(fileOf("x", "y"), AbortSignal.abort()), { name: "AbortError" });
  client.close();
});

test("a file that is overtaken by another neither shows up nor is told of", async () => {
  openPage();
  const replies: ((file: OpenedFile) => void)[] = [];
  const client = {
    open: (_file: File, signal?: AbortSignal) =>
      new Promise<OpenedFile>((resolve, reject) => {
        replies.push(resolve);
        signal?.addEventListener("abort", () => reject(new Error("Cannot go on: it was ended")));
      }),
    close: () => undefined,
  };
  const app = createApp({} as unknown as Engine);
  const events = { useYears: () => undefined, useCareer: () => undefined };
  const panel = importPanel(app, events, client as unknown as ImportClient);
  document.body.append(panel);
  const drop = (name: string) =>
    send(panel.querySelector(".drop-zone")!, "drop", {
      dataTransfer: { files: [new File(["x"], name)] },
    });
  const people = (id: string) =>
    ["a", "b"].map((end) => ({ id: id + end, firstYear: 1999, lastYear: 2001, numYears: 2 }));
  const reply = (id: string) => ({
    kind: "careers" as const,
    people: people(id),
    isComplete: true,
    notes: [],
  });
  drop("slow.csv");
  drop("quick.csv");
  replies[1]!(reply("quick"));
  await settled();
  replies[0]!(reply("slow"));
  await settled();
  assert.deepEqual(
    [...panel.querySelectorAll("option")].map((option) => option.getAttribute("value")),
    ["quicka", "quickb"],
  );
  assert.equal(app.notice.value, undefined);
  assert.equal(app.work.value, undefined);
});
