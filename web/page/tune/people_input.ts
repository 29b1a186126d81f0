import { type App, noticeOf } from "../app.ts";
import { el } from "../dom.ts";
import type { Signal } from "../signal.ts";
import { MAX_PEOPLE, type People, readPeople } from "./read_people.ts";

const WANTED =
  "A table (.tsv or .csv, a row a person) or JSON lines (.jsonl), also with .gz, as tenure's " +
  `commands write them; up to ${MAX_PEOPLE.toLocaleString("en")} people. It is read here and goes nowhere.`;

/** A place to choose a file of careers, or to drop one. */
export function peopleInput(app: App, people: Signal<People | undefined>): HTMLElement {
  const state = el("p", { role: "status" });
  let reading: AbortController | undefined;
  const read = async (file: File) => {
    reading?.abort();
    const controller = (reading = new AbortController());
    const isCurrent = () => reading === controller;
    people.value = undefined;
    app.notice.value = undefined;
    const onCount = (count: number) => {
      if (isCurrent()) state.textContent = `Reading ${file.name}: ${count} people so far`;
    };
    state.textContent = `Reading ${file.name}`;
    try {
      const found = await readPeople(file, { signal: controller.signal, onCount });
      if (!isCurrent()) return;
      people.value = found;
      state.textContent = inWords(found);
    } catch (error) {
      if (!isCurrent()) return;
      state.textContent = "";
      input.value = ""; // or the same file, once it is mended, would be no other choice
      app.notice.value = noticeOf(error);
    }
  };
  const input = el("input", {
    id: "tune-file",
    type: "file",
    accept: ".tsv,.csv,.jsonl,.ndjson,.gz",
    "aria-describedby": "tune-file-hint",
    onchange: () => {
      const file = input.files?.[0];
      if (file !== undefined) void read(file);
    },
  });
  const element = el(
    "div",
    { class: "field tune-drop" },
    el("label", { for: "tune-file" }, "Careers to train on: choose a file, or drop it here"),
    input,
    el("p", { class: "hint", id: "tune-file-hint" }, WANTED),
    state,
  );
  takeDrops(element, (file) => void read(file));
  return element;
}

/** Calls back with the first file that is dropped. */
function takeDrops(element: HTMLElement, take: (file: File) => void): void {
  const setOver = (isOver: boolean) => element.classList.toggle("tune-over", isOver);
  element.addEventListener("dragover", (event) => {
    event.preventDefault();
    setOver(true);
  });
  element.addEventListener("dragleave", () => setOver(false));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation(); // or the page around might take it for a model
    setOver(false);
    const file = event.dataTransfer?.files[0];
    if (file !== undefined) take(file);
  });
}

/** What was read, in words. */
export function inWords({ file, careers, numYears, cut }: People): string {
  const count = (number: number, one: string, many: string) =>
    `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
  const read = `${file}: ${count(careers.length, "person", "people")}, ${count(numYears, "year", "years")}.`;
  return cut === undefined ? read : `${read} ${cut}`;
}
