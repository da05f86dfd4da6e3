/**
 * What is searched for: the photo with its crop, the product, or what is liked; and how far the search is.
 *
 * In: a step. Out: the panel. Never: asks the server.
 */

import { counted, part, percent, tell, whole } from "./dom.js";
import { show } from "./server.js";
import { isPhoto } from "./steps.js";

const TITLES = {
  file: "Your photo",
  url: "A picture from elsewhere",
  product: "More like this",
  liked: "What you like",
};
const MOST = 9; // small pictures of what is liked

export function draw(step, crop, { first }) {
  const { kind, name, hit } = step.source;
  part("asked-title").textContent = TITLES[kind];
  document.title = `${kind === "product" ? `More like ${name}` : "Look-alikes"} · lookalike`;
  part("back").hidden = first;
  part("stage").dataset.kind = kind;
  part("asked-facts").hidden = kind !== "product";
  part("asked-facts").textContent = [hit?.brand, name].filter(Boolean).join(" · ");
  const unreadable = !step.hits && [415, 422].includes(step.wrong?.status);
  picture(step.source, unreadable);
  several(step.source);
  crop.show(step.crop, step.proposal);
  drawWays(step);
}

/** Which crops are one press away. */
export function drawWays(step) {
  part("crop-proposed").hidden = !isPhoto(step) || !step.proposal || Boolean(step.crop);
  part("crop-whole").hidden = !isPhoto(step) || !step.crop;
}

/** The picture, where the browser can show it and the server could read it; its name, where not. */
async function picture({ kind, picture: address, name }, unreadable) {
  const photo = part("photo");
  if (address && !unreadable && photo.dataset.of === address) return;
  photo.dataset.of = unreadable ? "" : address ?? "";
  photo.hidden = part("crop").hidden = true;
  part("unseen").hidden = (Boolean(address) && !unreadable) || kind === "liked";
  part("unseen-name").textContent = name ?? "";
  if (!address || unreadable) return;
  photo.alt = kind === "file" ? "Your photo" : name;
  try {
    if (kind === "file") photo.src = address;
    else await show(photo, address);
    await photo.decode();
  } catch {
    if (photo.dataset.of === address) part("unseen").hidden = false;
    return;
  }
  if (photo.dataset.of !== address) return; // meanwhile another one is searched for
  photo.hidden = false;
  part("crop").hidden = kind !== "file";
}

function several({ kind, pictures }) {
  part("liked").hidden = kind !== "liked";
  const of = (pictures ?? []).join(" ");
  if (part("liked").dataset.of === of) return;
  part("liked").dataset.of = of;
  const images = (pictures ?? []).slice(0, MOST).map((address) => {
    const image = Object.assign(new Image(), { alt: "" });
    show(image, address);
    return image;
  });
  part("liked").replaceChildren(...images);
}

const PHASES = {
  sending: (share) => `Sending ${percent(share)}`,
  searching: () => "Searching",
  waiting: (seconds) => `Many people are searching. Trying again in ${counted(seconds, "second")}`,
  done: (milliseconds) => `Found in ${whole(Math.max(1, Math.round(milliseconds)))} ms`,
};

/** How far it is: a phase of PHASES with its number, or "none". */
export function progress(phase, number = 0) {
  const root = part("progress");
  root.hidden = phase === "none";
  root.dataset.phase = phase;
  if (root.hidden) return;
  part("progress-text").textContent = PHASES[phase](number);
  part("progress-bar").hidden = phase === "done";
  root.querySelector(".tick").hidden = phase !== "done";
  if (phase === "sending") part("progress-bar").value = number;
  else part("progress-bar").removeAttribute("value");
  if (phase === "waiting") tell(PHASES.waiting(number));
}
