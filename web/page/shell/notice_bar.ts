import type { App } from "../app.ts";
import { el, replace } from "../dom.ts";

const WORDS = { error: "Problem", warning: "Note", info: "Good news" } as const;

/**
 * The page's one place for problems with their remedies. Its two live regions are there from the
 * beginning, as screen readers want it; an error interrupts, news wait.
 */
export function noticeBar({ notice }: App): HTMLElement {
  const urgent = el("div", { role: "alert" });
  const calm = el("div", { role: "status" });
  notice.follow((now) => {
    replace(urgent);
    replace(calm);
    if (now === undefined) return;
    const dismiss = el(
      "button",
      { type: "button", class: "quiet", onclick: () => (notice.value = undefined) },
      "Dismiss",
    );
    const text = el(
      "div",
      {},
      el("p", {}, el("strong", {}, `${WORDS[now.tone]}: `), sentence(now.message)),
      now.remedy !== undefined && el("p", {}, now.remedy),
    );
    const box = el("div", { class: "notice", "data-tone": now.tone }, text, dismiss);
    replace(now.tone === "info" ? calm : urgent, box);
    box.scrollIntoView?.({ block: "nearest" });
  });
  return el("div", { class: "notices" }, urgent, calm);
}

/** Errors end without a period; on a page they get one. */
function sentence(message: string): string {
  return /[.!?…]$/.test(message) ? message : `${message}.`;
}
