/**
 * Which brand it may be, as bars.
 *
 * In: /v1/brand's answer. Out: words and bars. Never: hides that it does not know.
 */

import { make, percent } from "./dom.js";

const MOST = 5;

export function bars(root, answer) {
  const first = answer.brands.slice(0, MOST);
  const known = first.map(({ brand, probability }) => bar(brand, probability, brand === answer.brand));
  const unknown = bar("Unknown", answer.unknown, answer.brand === null, "unknown");
  root.replaceChildren(verdict(answer), make("ul", {}, ...known, unknown));
}

function verdict({ brand }) {
  const why = " It is not close enough to any brand here to name one.";
  if (brand === null) return make("p", {}, make("strong", {}, "Unknown."), why);
  return make("p", {}, "It looks like ", make("strong", {}, brand), ".");
}

function bar(name, share, first, kind = "") {
  const filled = make("i");
  filled.style.width = `${100 * share}%`;
  return make(
    "li",
    { class: `${kind} ${first ? "first" : ""}`.trim() },
    make("span", { class: "value" }, name),
    make("b", {}, percent(share)),
    make("span", { class: "track" }, filled),
  );
}
