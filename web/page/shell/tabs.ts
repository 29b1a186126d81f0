import { el } from "../dom.ts";

/** A section of the page. */
export interface Tab {
  /** What stands behind `#` in an address. */
  readonly id: string;
  readonly title: string;
  /** Makes its content when it is first opened; a promise where its code comes by then. */
  readonly content: () => HTMLElement | Promise<HTMLElement>;
}

/** Tabs and what they show. */
export interface Tabs {
  readonly list: HTMLElement;
  readonly panels: readonly HTMLElement[];
  /** Shows a tab, as a click does. */
  readonly open: (id: string) => void;
}

/**
 * Sections of which one is shown: arrow keys, Home and End walk along, and each has an address.
 *
 * @param onError Called if the content of a tab does not come; opening it again tries again.
 * @see https://www.w3.org/WAI/ARIA/apg/patterns/tabs/
 */
export function tabs(all: readonly Tab[], onError: (error: unknown) => void): Tabs {
  const buttons = all.map(({ id, title }) =>
    el(
      "button",
      { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": `panel-${id}` },
      title,
    ),
  );
  // Panels carry another id than the address names, or the browser would jump to them.
  const panels = all.map(({ id }) =>
    el("section", {
      role: "tabpanel",
      id: `panel-${id}`,
      class: "sheet",
      "aria-labelledby": `tab-${id}`,
      tabindex: 0,
      hidden: true,
    }),
  );
  const filled = new Set<number>();
  const show = (chosen: number) => {
    for (const [i, button] of buttons.entries()) {
      button.setAttribute("aria-selected", String(i === chosen));
      button.setAttribute("tabindex", i === chosen ? "0" : "-1");
      panels[i]!.hidden = i !== chosen;
    }
    buttons[chosen]!.scrollIntoView?.({ block: "nearest", inline: "nearest" });
    if (filled.has(chosen)) return;
    filled.add(chosen);
    fillPanel(panels[chosen]!, all[chosen]!, (error) => {
      filled.delete(chosen);
      onError(error);
    });
  };
  const go = (chosen: number) => {
    const { id } = all[chosen]!;
    if (location.hash !== `#${id}`) location.hash = id;
    show(chosen);
  };
  const fromAddress = () => Math.max(0, indexOfHash(all, location.hash));
  const list = el("div", { class: "tabs", role: "tablist", "aria-label": "Sections" }, ...buttons);
  for (const [i, button] of buttons.entries()) button.addEventListener("click", () => go(i));
  list.addEventListener("keydown", (event) => {
    const next = nextTab(event.key, buttons.indexOf(document.activeElement as never), all.length);
    if (next === undefined) return;
    event.preventDefault();
    go(next);
    buttons[next]!.focus();
  });
  addEventListener("hashchange", () => show(fromAddress()));
  show(fromAddress());
  return { list, panels, open: (id) => go(Math.max(0, indexOfHash(all, `#${id}`))) };
}

/** The tab that an address names; -1 if none. */
function indexOfHash(all: readonly Tab[], hash: string): number {
  return all.findIndex(({ id }) => hash === `#${id}`);
}

/** Where a key leads from a tab; undefined if nowhere. */
function nextTab(key: string, from: number, length: number): number | undefined {
  if (from < 0) return undefined;
  switch (key) {
    case "ArrowRight":
      return (from + 1) % length;
    case "ArrowLeft":
      return (from + length - 1) % length;
    case "Home":
      return 0;
    case "End":
      return length - 1;
    default:
      return undefined;
  }
}

function fillPanel(panel: HTMLElement, tab: Tab, onError: (error: unknown) => void): void {
  const content = tab.content();
  if (content instanceof Promise) {
    const wait = el("p", { class: "soft" }, "Loading this section…");
    panel.replaceChildren(wait);
    content.then(
      (element) => panel.replaceChildren(element),
      (error) => {
        wait.textContent = "This section could not be loaded. Open it again to try again.";
        onError(error);
      },
    );
  } else {
    panel.replaceChildren(content);
  }
}
