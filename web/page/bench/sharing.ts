import type { App } from "../app.ts";
import { el } from "../dom.ts";

/** What is passed on. */
export interface SharedResult {
  readonly json: string;
  readonly fileName: string;
  readonly summary: string;
}

/** Buttons that copy, download and share a result. */
export function sharingButtons(app: App, result: () => SharedResult | undefined): HTMLElement {
  const button = (name: string, task: (result: SharedResult) => Promise<string | undefined>) =>
    el(
      "button",
      {
        type: "button",
        onclick: () => {
          const now = result();
          if (now !== undefined) void run(app, () => task(now));
        },
      },
      name,
    );
  return el(
    "div",
    { class: "row" },
    button("Copy JSON", copy),
    button("Download JSON", download),
    typeof navigator.share === "function" && button("Share …", share),
  );
}

async function run(app: App, task: () => Promise<string | undefined>): Promise<void> {
  try {
    const message = await task();
    if (message !== undefined) app.notice.value = { tone: "info", message };
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError") return; // they thought better of it
    app.notice.value = {
      tone: "error",
      message: `Cannot pass the figures on: the browser must allow it, got ${String(error)}`,
      remedy: "Download the JSON instead, or allow it in the browser's settings.",
    };
  }
}

async function copy({ json }: SharedResult): Promise<string> {
  await navigator.clipboard.writeText(json);
  return "The figures are copied.";
}

function download({ json, fileName }: SharedResult): Promise<undefined> {
  const url = URL.createObjectURL(new Blob([json], { type: "application/json" }));
  el("a", { href: url, download: fileName }).click();
  // The browser reads the address when it gets to it.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  return Promise.resolve(undefined);
}

async function share({ json, fileName, summary }: SharedResult): Promise<undefined> {
  const files = [new File([json], fileName, { type: "application/json" })];
  const text = { title: "tenure kernel bench", text: summary };
  const canShareFiles = "canShare" in navigator && navigator.canShare({ files });
  await navigator.share(canShareFiles ? { ...text, files } : text);
}
