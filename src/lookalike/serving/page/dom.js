/**
 * Elements from data.
 *
 * In: names, attributes, children. Out: elements. Never: reads a text as markup.
 */

export const part = (id) => document.getElementById(id);

/**
 * An element.
 * A function among its attributes listens to the event of that name; null and false leave an attribute out.
 */
export function make(kind, said = {}, ...inside) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(said)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...inside.filter((one) => one !== null && one !== undefined && one !== ""));
  return made;
}

/** One of the drawings that index.html holds. */
export function drawing(name) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  made.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#d-${name}`);
  made.append(use);
  return made;
}

/** New children, some of them the old ones: whoever of them had the focus keeps it. */
export function replace(parent, children) {
  const held = parent.contains(document.activeElement) ? document.activeElement : null;
  parent.replaceChildren(...children);
  if (held?.isConnected && held !== document.activeElement) held.focus({ preventScroll: true });
}

/** Tell a screen reader, which hears the same words again only when they were gone in between. */
export function tell(words) {
  part("told").textContent = "";
  requestAnimationFrame(() => { part("told").textContent = words; });
}

/** Call it when nobody has asked for so many milliseconds; `.now()` does not wait. */
export function rested(call, milliseconds) {
  let clock = 0;
  const later = () => { clearTimeout(clock); clock = setTimeout(call, milliseconds); };
  later.now = () => { clearTimeout(clock); call(); };
  later.stop = () => clearTimeout(clock);
  return later;
}

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
export const whole = (number) => new Intl.NumberFormat().format(number);
export const percent = (share) => new Intl.NumberFormat(undefined, { style: "percent" }).format(share);
export const counted = (count, one, many = `${one}s`) => `${whole(count)} ${count === 1 ? one : many}`;
