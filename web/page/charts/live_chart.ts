import { el } from "../dom.ts";

/** Width to draw for while nobody knows it, in CSS pixels. */
const DEFAULT_WIDTH = 640;

/** A chart that follows what it shows and the room it has. */
export interface LiveChart {
  readonly element: HTMLElement;
  /** Draws again with the next frame, however often it is called. */
  readonly update: () => void;
}

/**
 * A place for a chart that is drawn for the width it gets, so that text keeps its size on a phone.
 *
 * @param draw Draws for a width in CSS pixels.
 */
export function liveChart(draw: (width: number) => Element): LiveChart {
  const element = el("div", { class: "chart" });
  let width = DEFAULT_WIDTH;
  let isAsked = false;
  const update = () => {
    if (isAsked) return;
    isAsked = true;
    nextFrame(() => {
      isAsked = false;
      element.replaceChildren(draw(width));
    });
  };
  if (typeof ResizeObserver === "function") {
    new ResizeObserver(([entry]) => {
      const now = Math.floor(entry?.contentRect.width ?? 0);
      if (now === 0 || now === width) return;
      width = now;
      update();
    }).observe(element);
  }
  update();
  return { element, update };
}

function nextFrame(callback: () => void): void {
  if (typeof requestAnimationFrame === "function") requestAnimationFrame(callback);
  else queueMicrotask(callback);
}
