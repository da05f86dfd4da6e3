/**
 * A box over a photo, to drag and to resize by mouse, touch and keyboard.
 *
 * In: a photo's element, a crop, a proposal. Out: the crop that is wanted, when the hand or the keys rest.
 * Never: asks the server. A crop is [left, top, right, bottom] as shares of the upright photo; null is all of it.
 */

import { percent, rested } from "./dom.js";

const WHOLE = [0, 0, 1, 1];
const LEAST = 0.06; // of a side, that a box keeps
const STEP = { small: 0.02, large: 0.1 };
const REST = 450; // milliseconds without a key
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const within = (value, low, high) => Math.min(Math.max(value, low), high);
const same = (one, other) => one.every((value, at) => Math.abs(value - other[at]) < 0.005);

/** A box moved by a share of the photo; it stays inside. */
export function moved([left, top, right, bottom], across, down) {
  const x = within(across, -left, 1 - right);
  const y = within(down, -top, 1 - bottom);
  return [left + x, top + y, right + x, bottom + y];
}

/** A box with one corner moved; it stays inside, and never turns over. */
export function pulled([left, top, right, bottom], corner, across, down) {
  const west = corner.includes("w") ? within(left + across, 0, right - LEAST) : left;
  const east = corner.includes("e") ? within(right + across, left + LEAST, 1) : right;
  const north = corner.includes("n") ? within(top + down, 0, bottom - LEAST) : top;
  const south = corner.includes("s") ? within(bottom + down, top + LEAST, 1) : bottom;
  return [west, north, east, south];
}

/** A box between two points of the photo; null where they are too close to mean one. */
export function between([x, y], [otherX, otherY]) {
  const corners = [Math.min(x, otherX), Math.min(y, otherY), Math.max(x, otherX), Math.max(y, otherY)];
  const box = corners.map((at) => within(at, 0, 1));
  return box[2] - box[0] < LEAST || box[3] - box[1] < LEAST ? null : box;
}

export class Crop {
  #root; #changed; #box = WHOLE; #told = WHOLE; #hold = null; #rest;

  /** changed: told of each crop that is wanted. */
  constructor(root, changed) {
    this.#root = root;
    this.#changed = changed;
    this.#rest = rested(() => this.#tell(), REST);
    root.addEventListener("pointerdown", (event) => this.#grip(event));
    root.addEventListener("pointermove", (event) => this.#drag(event));
    root.addEventListener("pointerup", () => this.#drop());
    root.addEventListener("pointercancel", () => this.#drop());
    root.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Show a crop that was made, and one that is proposed. */
  show(crop, proposal) {
    this.#rest.stop();
    this.#told = this.#box = crop ?? WHOLE;
    const outline = this.#root.querySelector(".proposed");
    outline.hidden = !proposal || crop !== null;
    if (proposal) lay(outline, proposal);
    this.#draw();
  }

  /** Take a crop as if a hand had made it. */
  take(crop) {
    this.#box = crop ?? WHOLE;
    this.#draw();
    this.#tell();
  }

  #grip(event) {
    if (event.button !== 0) return;
    const corner = event.target.dataset.at;
    const inside = event.target.classList.contains("frame");
    const all = same(this.#box, WHOLE);
    if (all && !corner && event.pointerType === "touch") return; // there the page is scrolled
    const draws = !corner && (all || !inside);
    this.#hold = { corner, draws, from: this.#at(event), box: this.#box };
    this.#root.setPointerCapture(event.pointerId);
    (corner ? event.target : this.#root.querySelector(".frame")).focus({ preventScroll: true });
    event.preventDefault();
  }

  #drag(event) {
    if (!this.#hold) return;
    const { corner, draws, from, box } = this.#hold;
    const to = this.#at(event);
    const [across, down] = [to[0] - from[0], to[1] - from[1]];
    if (draws) this.#box = between(from, to) ?? this.#box;
    else this.#box = corner ? pulled(box, corner, across, down) : moved(box, across, down);
    this.#draw();
  }

  #drop() {
    if (!this.#hold) return;
    this.#hold = null;
    this.#tell();
  }

  #key(event) {
    if (event.key === "Escape" && !same(this.#box, WHOLE)) this.take(null);
    else if (event.key === "Enter") this.#rest.now();
    else if (event.key in KEYS) this.#nudge(event);
    else return;
    event.preventDefault();
  }

  #nudge({ key, shiftKey, target }) {
    const corner = target.dataset.at;
    const by = KEYS[key].map((way) => way * (shiftKey ? STEP.large : STEP.small));
    this.#box = corner ? pulled(this.#box, corner, ...by) : moved(this.#box, ...by);
    this.#draw();
    this.#rest();
  }

  #tell() {
    this.#rest.stop();
    if (same(this.#box, this.#told)) return;
    this.#told = this.#box;
    this.#changed(same(this.#box, WHOLE) ? null : this.#box.map((at) => Math.round(at * 1e4) / 1e4));
  }

  #at(event) {
    const photo = this.#root.getBoundingClientRect();
    return [(event.clientX - photo.left) / photo.width, (event.clientY - photo.top) / photo.height];
  }

  #draw() {
    const [left, top, right, bottom] = this.#box;
    const told = `from ${percent(left)} to ${percent(right)} across, ${percent(top)} to ${percent(bottom)} down`;
    this.#root.classList.toggle("all", same(this.#box, WHOLE));
    lay(this.#root.querySelector(".hole"), this.#box);
    const frame = this.#root.querySelector(".frame");
    lay(frame, this.#box);
    value(frame, left, told);
    for (const corner of this.#root.querySelectorAll(".corner")) {
      const at = corner.dataset.at;
      const [x, y] = [at.includes("w") ? left : right, at.includes("n") ? top : bottom];
      corner.style.left = `${100 * x}%`;
      corner.style.top = `${100 * y}%`;
      value(corner, x, `${percent(x)} across, ${percent(y)} down`);
    }
  }
}

function lay(element, [left, top, right, bottom]) {
  element.style.left = `${100 * left}%`;
  element.style.top = `${100 * top}%`;
  element.style.width = `${100 * (right - left)}%`;
  element.style.height = `${100 * (bottom - top)}%`;
}

function value(element, share, told) {
  element.setAttribute("aria-valuenow", Math.round(100 * share));
  element.setAttribute("aria-valuetext", told);
}
