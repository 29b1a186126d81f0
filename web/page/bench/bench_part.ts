import { type App, doWork } from "../app.ts";
import { liveChart } from "../charts/live_chart.ts";
import { el, replace } from "../dom.ts";
import { Signal } from "../signal.ts";
import { VERSION } from "../version.ts";
import { type BenchRequest, benchControls, scaleFor } from "./controls.ts";
import { byReason, type Findings, NOTHING, withEvent } from "./findings.ts";
import { fileNameOf, resultOf, type RunConditions, summaryOf } from "./result.ts";
import { describe, rooflinePlot } from "./roofline_plot.ts";
import { sharingButtons } from "./sharing.ts";
import { benchTable } from "./table.ts";

const METHOD =
  "Each case runs the same kernel that predicting and training use, on random numbers, and is " +
  "checked against 64-bit arithmetic before it is timed; what is wrong is left out. A time is the " +
  "median of several rounds, each long enough for the clock; behind ± stands how far off it may " +
  "be. The limit is this device's own: what our simplest kernels reach in copying memory and in " +
  "multiplying and adding. Small cases that fit a cache can exceed it. Nothing is sent anywhere.";

/** Measures the kernels on the visitor's GPU: choices, a roofline plot, a table, and JSON to pass on. */
export function benchPart(app: App): HTMLElement {
  const findings = new Signal<Findings>(NOTHING);
  let conditions: RunConditions | undefined;
  let isMine = false;

  const controls = benchControls(
    (request) => void start(request),
    () => app.work.value?.cancel?.(),
  );
  const start = async (request: BenchRequest) => {
    findings.value = NOTHING;
    isMine = true;
    await doWork(app, "Measuring kernels", async ({ signal, onProgress }) => {
      conditions = await conditionsOf(app, request);
      const { quick, scale } = conditions;
      const { group } = request;
      const options = { quick, scale, signal, onProgress, ...(group !== undefined && { group }) };
      for await (const event of app.engine.bench(options)) {
        findings.value = withEvent(findings.value, event);
      }
    });
    isMine = false;
  };
  // Whatever runs, here or elsewhere on the page, has the device for itself.
  app.work.follow((work) => {
    controls.setState(work === undefined ? "ready" : isMine ? "running" : "waiting");
  });

  const shared = () => {
    if (conditions === undefined) return undefined;
    const json = `${JSON.stringify(resultOf(findings.value, conditions), null, 2)}\n`;
    return {
      json,
      fileName: fileNameOf(conditions),
      summary: summaryOf(findings.value, conditions),
    };
  };
  return el(
    "section",
    { class: "section bench", "aria-labelledby": "bench-title" },
    el("h2", { id: "bench-title" }, "Kernel bench"),
    el("p", { class: "lead" }, "How fast this device does the arithmetic, kernel by kernel."),
    controls.element,
    resultsOf(findings, sharingButtons(app, shared)),
    el("p", { class: "sheet-note" }, METHOD),
  );
}

/** What was found, as it is found. */
function resultsOf(findings: Signal<Findings>, sharing: HTMLElement): HTMLElement {
  const table = benchTable();
  const chart = liveChart((width) => {
    const { roofline, ...others } = findings.value;
    return roofline === undefined ? el("p") : rooflinePlot({ roofline, ...others }, width);
  });
  const words = el("p", { class: "hint" });
  const leftOut = el("details", { hidden: true });
  const element = el("div", { class: "stack", hidden: true });
  element.append(el("figure", { class: "stack" }, chart.element, legend(), words), sharing);
  element.append(table.element, leftOut);
  findings.follow((now) => {
    element.hidden = now.roofline === undefined;
    words.textContent = describe(now);
    chart.update();
    table.update(now.rows);
    showLeftOut(leftOut, now);
  });
  return element;
}

function legend(): HTMLElement {
  const kinds = ["● f32", "■ f16", "▲ int8", "◆ int4"];
  return el("p", { class: "hint" }, `Numbers are those of the table. ${kinds.join(", ")}.`);
}

function showLeftOut(element: HTMLDetailsElement, findings: Findings): void {
  const { length } = findings.leftOut;
  element.hidden = length === 0;
  const reasons = [...byReason(findings)].map(([why, ids]) =>
    el("li", {}, `${why}: ${ids.join(", ")}`),
  );
  replace(element, el("summary", {}, `${length} left out`), el("ul", {}, ...reasons));
}

async function conditionsOf(app: App, request: BenchRequest): Promise<RunConditions> {
  const device = await app.engine.device();
  return {
    device,
    scale: request.scale === "auto" ? scaleFor(device) : request.scale,
    quick: request.quick,
    browser: navigator.userAgent,
    cores: navigator.hardwareConcurrency,
    version: VERSION,
    date: new Date().toISOString(),
  };
}
