/**
 * What a shopper wants to see only: a form of the values that there are, and chips of those that are set.
 *
 * In: /v1/facets' answer, what is chosen. Out: what is chosen now. Never: asks the server.
 * Chosen: {brand, category, color, shop, currency: [values], price_min, price_max, rating_min, in_stock}, each where it is set.
 */

import { drawing, make, replace, rested, whole } from "./dom.js";

const LISTS = { category: "Category", brand: "Brand", color: "Color", shop: "Shop", currency: "Currency" };
const GROUPS = { product: "Every product", style: "One of each style", brand: "One of each brand" };
const FEW = 6; // values that are shown at once
const MANY = 8; // values from which on they are searched for
const RATINGS = [3, 3.5, 4, 4.5];
const WORN = { // names of fashion that browsers do not know
  anthracite: "#383e42",
  bordeaux: "#5c1a2b",
  burgundy: "#6d1a2d",
  camel: "#c19a6b",
  charcoal: "#3d4248",
  cognac: "#9a4a1c",
  cream: "#f5efdc",
  denim: "#3b5b84",
  forest: "#23402b",
  mustard: "#d09b1f",
  nude: "#e3c4a8",
  rust: "#a2472b",
  sand: "#d8c5a0",
  taupe: "#8b7d6b",
  wine: "#5e1f33",
};
const NO_COLORS = ["inherit", "initial", "unset", "revert", "transparent", "currentcolor"]; // though CSS takes them
const ALONE = { // what has one value at most, in words
  price_min: (at) => `from ${whole(at)}`,
  price_max: (at) => `up to ${whole(at)}`,
  rating_min: (at) => `★ ${at} and more`,
  in_stock: () => "in stock",
};
const REST = 350; // milliseconds without a key

/** What is set, one by one: {words, without} where `without` is what is left when it is taken away. */
export function chosenOnes(chosen) {
  const lists = Object.keys(LISTS).flatMap((name) => (chosen[name] ?? []).map((value) => ({
    words: value, name, without: cleaned({ ...chosen, ...said(name, chosen[name].filter((one) => one !== value)) }),
  })));
  const others = Object.keys(ALONE).filter((name) => chosen[name] !== undefined).map((name) => ({
    words: ALONE[name](chosen[name]), name: name.split("_")[0], without: cleaned({ ...chosen, [name]: undefined }),
  }));
  return [...lists, ...others];
}

/** Values of a name. A price is of one currency, and goes with it. */
function said(name, values) {
  return name === "currency" ? { currency: values, price_min: undefined, price_max: undefined } : { [name]: values };
}

/** Without what is empty. */
export function cleaned(chosen) {
  const set = (value) => value !== undefined && value !== false && value.length !== 0;
  return Object.fromEntries(Object.entries(chosen).filter(([, value]) => set(value)));
}

/** The same as an address says it. */
export function asSearch(chosen) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(chosen)) for (const one of [value].flat()) words.append(name, one);
  return words.toString();
}

export function chips(root, chosen, changed) {
  const ones = chosenOnes(chosen);
  const clear = make("button", { type: "button", class: "quiet", click: () => changed({}) }, "Clear all");
  root.hidden = !ones.length;
  replace(root, ones.length ? [...ones.map((one) => chip(one, changed)), clear] : []);
}

function chip({ words, name, without }, changed) {
  const said = { type: "button", class: "chip", "aria-label": `Remove the filter ${name} ${words}` };
  return make("button", { ...said, click: () => changed(without) }, words, drawing("close"));
}

export class Filters {
  #changed; #groups = new Map(); #chosen = {}; #by;

  /** changed: told of what is chosen; grouped: of what there is to be one of. */
  constructor(root, changed, grouped) {
    this.#changed = changed;
    for (const [name, words] of Object.entries(LISTS)) {
      this.#groups.set(name, new Values(name, words, (values) => this.#set(said(name, values))));
    }
    this.#groups.set("price", new Price((price) => this.#set(price)));
    this.#groups.set("rating", new Rating((rating) => this.#set(rating)));
    this.#groups.set("in_stock", new Stock((stock) => this.#set(stock)));
    this.#by = new By(grouped);
    root.append(...[...this.#groups.values()].map((group) => group.root), this.#by.root);
    root.addEventListener("submit", (event) => event.preventDefault());
  }

  show(facets, chosen, by) {
    this.#chosen = chosen;
    this.#by.show(by);
    for (const [name, group] of this.#groups) group.show(facets[name], chosen);
  }

  #set(some) {
    this.#chosen = cleaned({ ...this.#chosen, ...some });
    this.#changed(this.#chosen);
  }
}

/** The values of one name, with how many products each would leave. */
class Values {
  #name; #changed; #list; #search; #rest; #rows = new Map(); #counts = {}; #chosen = []; #all = false;

  constructor(name, words, changed) {
    this.#name = name;
    this.#changed = changed;
    this.#list = make("ul");
    const find = `Find a ${name}`;
    const inside = { type: "search", placeholder: find, "aria-label": find };
    this.#search = make("input", { ...inside, input: () => this.#draw() });
    this.#rest = make("button", { type: "button", class: "quiet rest", click: () => this.#unfold() });
    const parts = [make("legend", {}, words), this.#search, this.#list, this.#rest];
    this.root = make("fieldset", { class: `values ${name}` }, ...parts);
  }

  show(counts, chosen) {
    this.#counts = counts ?? {};
    this.#chosen = chosen[this.#name] ?? [];
    const values = this.#values();
    this.root.hidden = values.length < 2 && !this.#chosen.length;
    this.#search.hidden = values.length < MANY;
    this.#draw();
  }

  #unfold() {
    this.#all = !this.#all;
    this.#draw();
  }

  /** The chosen ones stay even where other filters leave none of them. */
  #values() {
    return [...Object.keys(this.#counts), ...this.#chosen.filter((value) => !(value in this.#counts))];
  }

  #draw() {
    const sought = this.#search.hidden ? "" : this.#search.value.trim().toLocaleLowerCase();
    const found = this.#values().filter((value) => value.toLocaleLowerCase().includes(sought));
    const few = found.filter((value, at) => at < FEW || this.#chosen.includes(value));
    const shown = this.#all || sought ? found.slice(0, 200) : few;
    replace(this.#list, shown.map((value) => this.#row(value)));
    this.#rest.hidden = Boolean(sought) || found.length === few.length;
    this.#rest.textContent = this.#all ? "Fewer" : `${whole(found.length - few.length)} more`;
    this.#rest.setAttribute("aria-expanded", this.#all);
  }

  #row(value) {
    if (!this.#rows.has(value)) this.#rows.set(value, this.#made(value));
    const row = this.#rows.get(value);
    row.box.checked = this.#chosen.includes(value);
    row.count.textContent = whole(this.#counts[value] ?? 0);
    return row.root;
  }

  #made(value) {
    const box = make("input", { type: "checkbox", change: () => this.#changed(this.#with(value, box.checked)) });
    const count = make("span", { class: "count" });
    const drop = this.#name === "color" ? swatch(value) : null;
    const label = make("label", {}, box, drop, make("span", { class: "value" }, value), count);
    return { box, count, root: make("li", {}, label) };
  }

  #with(value, wanted) {
    const others = this.#chosen.filter((one) => one !== value);
    return wanted ? [...others, value] : others;
  }
}

/** A drop of the color, or of both; an empty one where a name says nothing. */
function swatch(name) {
  const words = name.toLowerCase().split("/").map((word) => word.replaceAll(/[^a-z]/g, ""));
  const [first, second = first] = words.map((word) => WORN[word] ?? word);
  const made = make("span", { class: "swatch", "aria-hidden": "true" });
  if (![first, second].every((word) => CSS.supports("color", word) && !NO_COLORS.includes(word))) return made;
  made.style.background = `linear-gradient(135deg, ${first} 50%, ${second} 50%)`;
  return made;
}

class Price {
  #low; #high; #told = "";

  constructor(changed) {
    const later = rested(() => this.#tell(changed), REST);
    const kind = { type: "number", min: 0, step: "any", inputmode: "decimal" };
    const field = (words) => make("input", { ...kind, "aria-label": words, input: later, change: later.now });
    this.#low = field("Price from");
    this.#high = field("Price up to");
    const span = make("div", {}, this.#low, make("span", {}, "to"), this.#high);
    this.root = make("fieldset", { class: "price" }, make("legend", {}, "Price"), span);
  }

  show(span, chosen) {
    this.root.hidden = !span && chosen.price_min === undefined && chosen.price_max === undefined;
    if (span) [this.#low.placeholder, this.#high.placeholder] = [whole(Math.floor(span[0])), whole(Math.ceil(span[1]))];
    this.#told = JSON.stringify([chosen.price_min, chosen.price_max]);
    write(this.#low, chosen.price_min);
    write(this.#high, chosen.price_max);
  }

  /** Once: a field tells of its change again when it is left. */
  #tell(changed) {
    const price = this.#read();
    const told = JSON.stringify([price.price_min, price.price_max]);
    if (told === this.#told) return;
    this.#told = told;
    changed(price);
  }

  /** The lower end first, whichever field it stands in. */
  #read() {
    const [low, high] = [number(this.#low), number(this.#high)];
    const turned = low !== undefined && high !== undefined && low > high;
    return turned ? { price_min: high, price_max: low } : { price_min: low, price_max: high };
  }
}

class Rating {
  #choice;

  constructor(changed) {
    const options = RATINGS.map((at) => make("option", { value: at }, ALONE.rating_min(at)));
    const told = () => changed({ rating_min: number(this.#choice) });
    const any = make("option", { value: "" }, "Any");
    this.#choice = make("select", { "aria-label": "Rating", change: told }, any, ...options);
    this.root = make("fieldset", { class: "rating" }, make("legend", {}, "Rating"), this.#choice);
  }

  show(span, chosen) {
    this.root.hidden = !span && chosen.rating_min === undefined;
    write(this.#choice, chosen.rating_min);
  }
}

class Stock {
  #box; #count;

  constructor(changed) {
    this.#box = make("input", { type: "checkbox", change: () => changed({ in_stock: this.#box.checked }) });
    this.#count = make("span", { class: "count" });
    const label = make("label", {}, this.#box, make("span", { class: "value" }, "In stock only"), this.#count);
    this.root = make("fieldset", { class: "values stock" }, make("legend", {}, "Stock"), label);
  }

  show(count, chosen) {
    this.root.hidden = (count === null || count === undefined) && !chosen.in_stock;
    this.#box.checked = Boolean(chosen.in_stock);
    this.#count.textContent = count === null || count === undefined ? "" : whole(count);
  }
}

/** One result of each product, style or brand. */
class By {
  #choice;

  constructor(changed) {
    const options = Object.entries(GROUPS).map(([value, words]) => make("option", { value }, words));
    this.#choice = make("select", { "aria-label": "Show", change: () => changed(this.#choice.value) }, ...options);
    this.root = make("fieldset", {}, make("legend", {}, "Show"), this.#choice);
  }

  show(by) {
    this.#choice.value = by;
  }
}

function number(field) {
  const value = Number.parseFloat(field.value);
  return Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** Not under the hand of who is writing. */
function write(field, value) {
  if (field !== document.activeElement) field.value = value ?? "";
}
