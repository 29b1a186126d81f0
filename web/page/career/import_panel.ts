import type { Career, Observation } from "../../../data/career.ts";
import { doWork, noticeOf, type App } from "../app.ts";
import { el, replace } from "../dom.ts";
import { ImportClient } from "./import_client.ts";
import type { OpenedFile } from "./import_messages.ts";
import { historyReview } from "./import_review.ts";

/** What comes of an import. */
export interface ImportEvents {
  /** Years out of a history, which does not say who they are about. */
  readonly useYears: (observations: readonly Observation[]) => void;
  readonly useCareer: (career: Career) => void;
}

/** Chooses or drops a file, and shows what is in it before it is used. */
export function importPanel(
  app: App,
  events: ImportEvents,
  client: ImportClient = new ImportClient(),
): HTMLElement {
  const found = el("div", { "aria-live": "polite" });
  /** What is being read; another file, or an end, overtakes it. */
  let reading = new AbortController();
  const finish = () => {
    reading.abort();
    client.close();
    replace(found);
    input.value = "";
    input.focus();
  };
  const done =
    <T>(use: (value: T) => void) =>
    (value: T) => {
      finish();
      use(value);
    };
  const read = async (file: File) => {
    reading.abort();
    const own = (reading = new AbortController());
    const opened = await doWork(app, `Reading ${file.name}`, ({ signal }) =>
      client.open(file, AbortSignal.any([signal, own.signal])).catch(unlessEnded(own.signal)),
    );
    if (own.signal.aborted) return;
    if (opened === undefined) {
      // Or the same file, once it is mended, would be no other choice.
      input.value = "";
      return;
    }
    if (opened.kind === "history") {
      const use = done(events.useYears);
      replace(found, historyReview(opened, { use, dismiss: finish }));
      found.querySelector("h3")?.focus();
      return;
    }
    const choose = (id: string) => void chooseCareer(app, () => client.career(id), useCareer);
    const useCareer = done(events.useCareer);
    if (opened.people.length === 1 && opened.isComplete) choose(opened.people[0]!.id);
    else replace(found, personChoice(opened, choose, finish));
  };
  const input = el("input", {
    type: "file",
    id: "career-file",
    accept: ".json,.jsonl,.zip,.csv,.tsv,.gz",
    onchange: () => {
      const file = input.files?.[0];
      if (file !== undefined) void read(file);
    },
  });
  const zone = el(
    "div",
    { class: "drop-zone" },
    el("label", { for: "career-file", class: "label" }, "Or read it from a file"),
    input,
    el(
      "p",
      { class: "hint" },
      "Choose or drop a JSON Resume, a LinkedIn data export (the .zip, or its Positions.csv), or " +
        "careers as this program keeps them. It is read in this page and sent nowhere.",
    ),
  );
  acceptDrops(zone, (file) => void read(file));
  return el("div", { class: "import" }, zone, found);
}

/** Passes an error on, unless it is only that another file overtook this one. */
function unlessEnded(signal: AbortSignal): (error: unknown) => undefined {
  return (error) => {
    if (!signal.aborted) throw error;
  };
}

async function chooseCareer(
  app: App,
  readCareer: () => Promise<Career>,
  use: (career: Career) => void,
): Promise<void> {
  app.notice.value = undefined;
  try {
    use(await readCareer());
  } catch (error) {
    app.notice.value = noticeOf(error);
  }
}

/** Asks which of several people. */
function personChoice(
  { people, notes }: Extract<OpenedFile, { kind: "careers" }>,
  choose: (id: string) => void,
  dismiss: () => void,
): HTMLElement {
  const ids = el(
    "datalist",
    { id: "career-people" },
    ...people.map(({ id, firstYear, lastYear, numYears }) =>
      el("option", { value: id }, `${firstYear}–${lastYear}, ${numYears} years`),
    ),
  );
  const input = el("input", { type: "text", list: "career-people", autocomplete: "off" });
  input.value = people[0]?.id ?? "";
  const onSubmit = (event: Event) => {
    event.preventDefault();
    choose(input.value.trim());
  };
  return el(
    "form",
    { class: "import-review", onsubmit: onSubmit },
    el("h3", {}, "Whose career?"),
    ...notes.map((note) => el("p", { class: "hint" }, note)),
    el(
      "label",
      { class: "field" },
      el("span", { class: "label" }, `Id of one of ${people.length} people`),
      input,
    ),
    ids,
    el(
      "p",
      { class: "career-actions" },
      el("button", { type: "submit", class: "primary" }, "Use this career"),
      el("button", { type: "button", onclick: dismiss }, "Leave it"),
    ),
  );
}

function acceptDrops(zone: HTMLElement, onFile: (file: File) => void): void {
  const mark = (isOver: boolean) => zone.classList.toggle("is-over", isOver);
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    mark(true);
  });
  zone.addEventListener("dragleave", () => mark(false));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    const file = event.dataTransfer?.files[0];
    if (file !== undefined) onFile(file);
  });
}
