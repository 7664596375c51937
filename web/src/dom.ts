// Making elements. Text goes in as text nodes only: nothing here parses HTML, and nothing else does.

type Child = Node | string | null | undefined | false;
type Props = Record<string, unknown>;

/** Make an element. `on...` are listeners, `class`, `aria-*`, `data-*` and the like are attributes. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  apply(element, props);
  element.append(...kept(children));
  return element;
}

function apply(element: Element, props: Props): void {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on") && typeof value === "function") {
      element.addEventListener(name.slice(2), value as EventListener);
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
}

function kept(children: Child[]): (Node | string)[] {
  return children.filter((child): child is Node | string => child !== null && child !== undefined && child !== false);
}

/** Put other children into an element. */
export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren(...kept(children));
}

/** Return the element with an id. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}

const PATHS = {
  into: "M12 3v11m-4.5-4.5L12 14l4.5-4.5M5 20h14",
  over: "M4 13a8 8 0 0 1 15-2m1-6v6h-6M12 19.5h.01",
  out: "M12 14V3M7.5 7.5 12 3l4.5 4.5M5 20h14",
  continue: "M7 5v14l9-7zM19.5 5v14",
  back: "M19 12H5m6-6-6 6 6 6",
  forward: "M5 12h14m-6-6 6 6-6 6",
  backOver: "M20 13a8 8 0 0 0-15-2M4 5v6h6m2 8.5h.01",
  continueBack: "M17 5v14l-10-7zM4.5 5v14",
  restart: "M4 6v12M21 6.5v11L13.5 12zM13.5 6.5v11L6.5 12z",
  last: "M18 5v14M5 5l9 7-9 7z",
  share: "M12 15V4M8 7.5 12 3.5l4 4M5 12v7h14v-7",
  theme: "M12 4a8 8 0 1 0 8 8 6 6 0 0 1-8-8z",
  help: "M9 9a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.2-1.5 2.4M12 17.5h.01",
  guess: "M9.5 18h5M10.5 21h3M12 3a6 6 0 0 0-3.5 10.9c.6.5 1 1.2 1 2.1h5c0-.9.4-1.6 1-2.1A6 6 0 0 0 12 3z",
  close: "M6 6l12 12M18 6 6 18",
  cancel: "M7 7h10v10H7z",
  divergence: "M5 9h14M5 15h14M16 4 8 20",
  edit: "M4 20l1-4L16 5l3 3L8 19z",
} as const;

export type IconName = keyof typeof PATHS;

/** Return an icon; it is decoration, its button carries the name. */
export function icon(name: IconName): SVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  apply(svg, { viewBox: "0 0 24 24", "aria-hidden": "true", class: "icon", focusable: "false" });
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  apply(path, { d: PATHS[name] });
  svg.append(path);
  return svg;
}

/** Return a button with an icon; `keys` is what does the same on the keyboard. */
export function iconButton(name: IconName, label: string, keys: string, click: () => void, text = ""): HTMLButtonElement {
  return h(
    "button",
    {
      type: "button",
      class: text ? "button" : "button square",
      "aria-label": label,
      title: keys ? `${label}  (${keys})` : label,
      "aria-keyshortcuts": keys || null,
      onclick: click,
    },
    icon(name),
    text,
  );
}
