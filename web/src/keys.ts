// One key for each action: pdb's letters forwards, capitals backwards, arrows for single steps.

export interface Key {
  keys: string[];
  does: string;
  group: "Forwards" | "Backwards" | "Places" | "The rest";
  run: () => void;
}

/** Call the action of a key unless someone is typing. */
export function listen(keys: Key[]): void {
  const actions = new Map(keys.flatMap((key) => key.keys.map((name) => [name, key.run] as const)));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = event.target as HTMLElement;
    if (event.key === "Escape" && target.matches("input, select")) target.blur(); // keys move again
    if (target.matches("input:not([type=checkbox]), select, textarea") || target.closest("dialog[open]")) return;
    const shift = event.shiftKey && event.key.length > 1 ? "Shift+" : "";
    const action = actions.get(shift + event.key);
    if (!action) return;
    event.preventDefault();
    action();
  });
}

const NAMES: Record<string, string> = {
  ArrowRight: "→", ArrowLeft: "←", "Shift+ArrowRight": "Shift →", "Shift+ArrowLeft": "Shift ←", Escape: "Esc",
};

/** How a key is called on the page. */
export function keyName(key: string): string {
  return NAMES[key] ?? key;
}
