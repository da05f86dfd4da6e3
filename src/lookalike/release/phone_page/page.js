// The page: a photograph in, cards out. All that it needs is there before the first photograph, and none is sent anywhere.
//
// In: the bundle in phone/, ONNX Runtime beside this file. Out: what is on the screen. Never: asks for anything for a photograph.

import * as runtime from "./ort.wasm.min.mjs";
import { hits, looked, opened } from "./bundle.js";
import { decoded, squared } from "./pixels.js";

const AT = "phone/";
const SHOWN = 24;

const part = (id) => document.getElementById(id);
const state = { bundle: null, seen: null, asked: 0, turned: false };

async function open() {
  runtime.env.wasm.numThreads = 1; // more need headers that a plain file server does not send
  runtime.env.wasm.wasmPaths = new URL("./", import.meta.url).href;
  let bytes = 0;
  state.bundle = await opened(AT, runtime, (_, more) => say(`Opening: ${megabytes((bytes += more))} …`));
  const { size } = state.bundle.manifest.preprocessing;
  await looked(state.bundle, new Uint8Array(size * size * 3).fill(255)); // the first run makes ready what others use
  const { catalog, products } = state.bundle.manifest;
  if (!state.turned) part("dial").valueAsNumber = state.bundle.manifest["color weight"] ?? 0; // its figures were measured so
  show();
  say(`${products.toLocaleString()} products of ${catalog}, ${megabytes(bytes)}. From here on this page asks for nothing.`);
  part("photo").disabled = false;
}

async function take(file, isLast) {
  const began = performance.now();
  say("Looking …");
  const square = squared(await decoded(file), state.bundle.manifest.preprocessing);
  const seen = await looked(state.bundle, square);
  if (!isLast()) return;
  state.seen = seen;
  drawSquare(square);
  show();
  say(`Found in ${Math.round(performance.now() - began)} ms on this device.`);
}

/** The last task counts, however long an earlier one takes. */
async function busyWith(task) {
  const turn = ++state.asked;
  const isLast = () => turn === state.asked;
  part("all").ariaBusy = "true";
  try {
    await task(isLast);
  } catch (wrong) {
    if (isLast()) say(`This did not work: ${wrong.message ?? wrong}`);
  }
  if (isLast()) part("all").ariaBusy = "false";
}

function show() {
  const color = part("dial").valueAsNumber;
  part("turn").textContent = `${percent(1 - color)} shape, ${percent(color)} color`;
  if (state.seen) part("hits").replaceChildren(...hits(state.bundle, state.seen, color, SHOWN).map(card));
}

function card(hit) {
  const { name, brand, category, color, price, currency, rating, url } = hit.facts;
  const made = element("li", "", { title: `shape ${hit.shape.toFixed(3)}, color ${hit.color.toFixed(3)}` });
  made.dataset.product = hit.id;
  made.append(
    element("b", name ?? hit.id),
    element("span", [brand, category, color].filter(Boolean).join(" · ")),
    element("span", [priced(price, currency), rating === undefined ? "" : `${rating} ★`].filter(Boolean).join(" · ")),
    element("small", `${percent(hit.score)} alike`),
  );
  if (isWebAddress(url)) made.append(element("a", "To the shop", { href: url, rel: "noreferrer noopener", target: "_blank" }));
  return made;
}

function element(kind, words, properties = {}) {
  return Object.assign(document.createElement(kind), { textContent: words, ...properties });
}

function drawSquare(square) {
  const size = state.bundle.manifest.preprocessing.size;
  const canvas = Object.assign(part("seen"), { width: size, height: size, hidden: false });
  const image = new ImageData(size, size);
  for (let at = 0; at < size * size; at++) image.data.set([...square.subarray(3 * at, 3 * at + 3), 255], 4 * at);
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function priced(price, currency) {
  if (price === undefined) return "";
  return currency ? `${price.toLocaleString(undefined, { minimumFractionDigits: 2 })} ${currency}` : String(price);
}

function isWebAddress(url) {
  return /^https?:\/\//.test(url ?? "");
}

function percent(share) {
  return `${Math.round(100 * share)} %`;
}

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function say(words) {
  part("state").textContent = words;
}

part("photo").addEventListener("change", ({ target }) => {
  const [file] = target.files;
  if (file) busyWith((isLast) => take(file, isLast));
});
part("dial").addEventListener("input", () => {
  state.turned = true;
  show();
});
show();
busyWith(open);
