import { el } from "../dom.ts";
import { type Browser, webgpuAdvice } from "./webgpu_advice.ts";

/**
 * Says in plain words why nothing can be predicted here, what helps, and what works all the same.
 *
 * @param why What the engine said, where the browser has WebGPU but no device.
 */
export function noWebgpu(browser: Browser, why?: string): HTMLElement {
  return el(
    "aside",
    { class: "section sheet no-webgpu", "aria-labelledby": "no-webgpu" },
    el("h2", { id: "no-webgpu" }, "This browser cannot run the model"),
    el(
      "p",
      { class: "lead" },
      "The model works on your own graphics processor, through WebGPU, ",
      why === undefined ? "and this browser does not offer that here." : `and that failed: ${why}.`,
    ),
    el("ul", {}, ...webgpuAdvice(browser).map((line) => el("li", {}, line))),
    el(
      "p",
      {},
      el("strong", {}, "What works all the same: "),
      "you can enter a career or drop a file, and read the text that the model would read. ",
      "There is no fallback to a server, so a career stays here in any case.",
    ),
  );
}
