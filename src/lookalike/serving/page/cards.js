/**
 * The results as cards.
 *
 * In: hits, what is liked. Out: cards, and what is pressed on them.
 * Never: asks, sorts, or follows a link that is not http or https.
 */

import { calm, drawing, make, replace } from "./dom.js";
import { show } from "./server.js";

const SAFE = /^https?:\/\//i;
const GLIDE = 240; // milliseconds
const SKELETONS = 12;

export class Cards {
  #root; #on; #cards = new Map();

  /** on: {alike(hit, button), taste(hit, "liked" | "disliked")} */
  constructor(root, on) {
    this.#root = root;
    this.#on = on;
  }

  /** Show hits; products that were there before glide to their new place. */
  show(hits, taste) {
    const before = this.#places();
    const kept = new Map();
    for (const hit of hits) {
      const old = this.#cards.get(hit.id);
      const card = old && says(old.hit) === says(hit) ? old : this.#made(hit); // a release may say other prices
      fill(card, hit, taste);
      kept.set(hit.id, card);
    }
    this.#cards = kept;
    replace(this.#root, [...kept.values()].map((card) => card.root));
    this.#root.classList.remove("waiting");
    if (!calm()) this.#glide(before);
  }

  taste(taste) {
    for (const card of this.#cards.values()) liked(card, taste);
  }

  /** Nothing to show yet. */
  wait() {
    this.#cards.clear();
    this.#root.classList.add("waiting");
    this.#root.replaceChildren(...Array.from({ length: SKELETONS }, skeleton));
  }

  /** Put the focus on a card's "More like this". */
  focus(id) {
    this.#cards.get(id)?.alike.focus({ preventScroll: true });
  }

  #places() {
    const high = innerHeight;
    const places = new Map();
    for (const [id, card] of this.#cards) {
      const at = card.root.getBoundingClientRect();
      if (at.bottom > 0 && at.top < high) places.set(id, at);
    }
    return places;
  }

  #glide(before) {
    for (const [id, from] of before) {
      const card = this.#cards.get(id)?.root;
      if (!card) continue;
      const to = card.getBoundingClientRect();
      const [x, y] = [from.left - to.left, from.top - to.top];
      const way = [{ transform: `translate(${x}px, ${y}px)` }, { transform: "none" }];
      if (x || y) card.animate(way, { duration: GLIDE, easing: "ease-out" });
    }
  }

  #made(first) {
    const card = { hit: first };
    const name = first.name || first.id;
    const lost = () => card.picture.classList.add("lost");
    const alike = () => this.#on.alike(card.hit);
    card.image = make("img", { alt: "", decoding: "async", loading: "lazy", width: 240, height: 240, error: lost });
    card.alike = make(
      "button",
      { type: "button", class: "alike", "aria-label": `More like ${name}`, click: alike },
      drawing("alike"),
      make("span", {}, "More like this"),
    );
    card.more = thumb("more", `Like ${name}`, () => this.#on.taste(card.hit, "liked"));
    card.less = thumb("less", `Not like ${name}`, () => this.#on.taste(card.hit, "disliked"));
    card.picture = make("div", { class: "picture" }, card.image, card.alike);
    card.score = make("strong", { title: "Score" });
    card.shape = part("shape");
    card.color = part("color");
    card.root = make(
      "li",
      { class: "card", "data-id": first.id },
      card.picture,
      make("div", { class: "facts" }, ...facts(first)),
      make("div", { class: "scores" }, make("span", { class: "unheard" }, "Score "), card.score, parts(card)),
      make("div", { class: "acts" }, buy(first), card.more, card.less),
    );
    return card;
  }
}

/** What a card tells of a product, whatever it is compared with. */
const says = ({ name, brand, shop, price, currency, rating, in_stock: stock, url }) =>
  JSON.stringify([name, brand, shop, price, currency, rating, stock, url]);

const parts = ({ shape, color }) => make("div", { class: "parts" }, shape.root, color.root);

/** What a shop asks, in its currency. */
export function money(price, currency) {
  if (price === null || price === undefined) return "";
  const form = currency ? { style: "currency", currency } : { maximumFractionDigits: 2 };
  try {
    return new Intl.NumberFormat(undefined, form).format(price);
  } catch {
    return `${price} ${currency}`; // no currency that the browser knows
  }
}

function fill(card, hit, taste) {
  card.hit = hit;
  if (card.shown !== hit.picture) {
    card.picture.classList.remove("lost");
    show(card.image, hit.picture);
    card.shown = hit.picture;
  }
  card.score.textContent = hit.score.toFixed(2);
  for (const name of ["shape", "color"]) {
    card[name].number.textContent = hit.parts[name].toFixed(2);
    card[name].bar.style.width = `${100 * Math.min(Math.max(hit.parts[name], 0), 1)}%`;
  }
  liked(card, taste);
}

function liked(card, taste) {
  card.more.setAttribute("aria-pressed", taste.liked.has(card.hit.id));
  card.less.setAttribute("aria-pressed", taste.disliked.has(card.hit.id));
}

function facts(hit) {
  const stars = hit.rating === null ? null : `★ ${hit.rating.toFixed(1)}`;
  const rest = [hit.shop, stars, hit.in_stock === false ? "Out of stock" : null];
  const price = money(hit.price, hit.currency);
  return [
    hit.brand && make("p", { class: "brand" }, hit.brand),
    make("h3", {}, hit.name || hit.id),
    price && make("p", { class: "price" }, price),
    rest.some(Boolean) && make("p", { class: "rest" }, rest.filter(Boolean).join(" · ")),
  ].filter(Boolean);
}

function buy(hit) {
  if (!SAFE.test(hit.url ?? "")) return null;
  const leads = { href: hit.url, target: "_blank", rel: "noopener noreferrer nofollow" };
  const words = `Buy ${hit.name || hit.id}, in a new tab`;
  return make("a", { class: "buy", ...leads, "aria-label": words }, "Buy", drawing("out"));
}

function thumb(name, words, click) {
  const said = { type: "button", class: `thumb ${name}`, "aria-label": words, title: words, "aria-pressed": "false" };
  return make("button", { ...said, click }, drawing(name));
}

function part(name) {
  const bar = make("i");
  const number = make("b");
  const track = make("span", { class: "track" }, bar);
  return { bar, number, root: make("div", { class: `part ${name}` }, make("span", {}, name), track, number) };
}

function skeleton() {
  const lines = [make("p"), make("p"), make("p")];
  return make("li", { class: "card skeleton", "aria-hidden": "true" }, make("div", { class: "picture" }), ...lines);
}
