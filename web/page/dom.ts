/** What an element gets: attributes as they are in HTML, `on…` listeners; false, null and undefined are left out. */
export type Attributes = Readonly<
  Record<string, string | number | boolean | null | undefined | ((event: Event) => void)>
>;

/** What stands in an element. */
export type Child = Node | string | null | undefined | false;

const SVG = "http://www.w3.org/2000/svg";

/**
 * An HTML element. Text is always text: nothing here parses markup.
 *
 * @example
 * ```ts ignore
 * el("button", { type: "button", onclick: () => save() }, "Save");
 * ```
 */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Puts other children in place of an element's own. */
export function replace(parent: Element, ...children: Child[]): void {
  parent.replaceChildren(...children.filter(isPresent));
}

/** Hands the keyboard on, if it is at `from`, which may be about to be disabled. */
export function moveFocus(from: HTMLElement, to: HTMLElement): void {
  if (document.activeElement === from) to.focus();
}

function fill<E extends Element>(
  element: E,
  attributes: Attributes,
  children: readonly Child[],
): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") element.addEventListener(name.replace(/^on/, ""), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter(isPresent));
  return element;
}

function isPresent(child: Child): child is Node | string {
  return child !== null && child !== undefined && child !== false;
}
