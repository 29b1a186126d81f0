import type { StoredModelInfo } from "../../engine/api.ts";
import { el, replace } from "../dom.ts";
import { bytesInWords, dateInWords } from "../shell/words.ts";
import type { ModelDesk } from "./model_desk.ts";

/** Models that this browser keeps: to load, to check, to delete. */
export function storedModels(desk: ModelDesk): HTMLElement {
  const box = el("div", { tabindex: -1 });
  // Apart from the list, whose sums nobody wants to hear read out.
  const said = el("p", { class: "unseen", role: "status" });
  desk.stored.follow((state) => {
    const models = state?.models ?? [];
    const hadFocus = box.contains(document.activeElement);
    if (state !== undefined) said.textContent = countOf(models.length);
    replace(
      box,
      state === undefined && el("p", { class: "soft" }, "Looking…"),
      state !== undefined && models.length === 0 && el("p", { class: "soft" }, "None."),
      models.length > 0 &&
        el("ul", { class: "stored" }, ...models.map((model) => item(desk, model))),
    );
    if (hadFocus) box.focus();
  });
  return el("div", {}, box, said);
}

function countOf(count: number): string {
  if (count === 0) return "No model is kept.";
  return count === 1 ? "One model is kept." : `${count} models are kept.`;
}

function item(desk: ModelDesk, model: StoredModelInfo): HTMLElement {
  const { id, name, bytes, savedAt, files } = model;
  return el(
    "li",
    {},
    el("strong", {}, name),
    el("span", { class: "soft number" }, `${bytesInWords(bytes)}, ${dateInWords(savedAt)}`),
    el(
      "div",
      { class: "row" },
      el(
        "button",
        {
          type: "button",
          "aria-label": `Load ${name}`,
          onclick: () => void desk.openStored(model),
        },
        "Load",
      ),
      deleteButton(desk, model),
    ),
    sums(files, desk.justSaved.value === id),
  );
}

/** Asks once before it deletes; the question goes away when the button is left. */
function deleteButton(desk: ModelDesk, model: StoredModelInfo): HTMLElement {
  const button = el(
    "button",
    { type: "button", class: "quiet danger", "aria-label": `Delete ${model.name}` },
    "Delete",
  );
  let isAsked = false;
  const ask = (now: boolean) => {
    isAsked = now;
    button.textContent = now ? `Really delete ${bytesInWords(model.bytes)}?` : "Delete";
    button.setAttribute(
      "aria-label",
      now ? `Really delete ${model.name}?` : `Delete ${model.name}`,
    );
  };
  button.addEventListener("click", () => {
    if (isAsked) void desk.remove(model);
    else ask(true);
  });
  button.addEventListener("blur", () => ask(false));
  return button;
}

function sums(files: StoredModelInfo["files"], open: boolean): HTMLElement {
  return el(
    "details",
    { open },
    el("summary", {}, `SHA-256 of ${files.length === 1 ? "its file" : `${files.length} files`}`),
    el(
      "dl",
      { class: "sums" },
      ...files.flatMap(({ path, bytes, sha256 }) => [
        el("dt", {}, `${path} (${bytesInWords(bytes)})`),
        el("dd", {}, el("code", {}, sha256)),
      ]),
    ),
  );
}
