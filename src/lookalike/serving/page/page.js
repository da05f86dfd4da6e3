/**
 * The page: what is pressed, what that asks, and what is shown of the answer.
 *
 * In: photos, presses, the server's answers. Out: the page.
 * Never: shows an answer to a question that is no longer asked.
 *
 * The browser's history walks over steps. What a step found stays with it, so the way back asks nothing but what was
 * left before its answer came.
 */

import { bars } from "./brands.js";
import { Camera, smaller } from "./camera.js";
import { Cards } from "./cards.js";
import { Counts } from "./counts.js";
import { Crop } from "./crop.js";
import { counted, part, percent, rested, tell } from "./dom.js";
import { Filters, chips } from "./filters.js";
import { listen } from "./intake.js";
import { draw as drawPanel, drawWays, progress } from "./panel.js";
import { Release } from "./release.js";
import { Problem, get } from "./server.js";
import { asks, brand, isPhoto, list, more, refused, step, took } from "./steps.js";
import { Taste } from "./taste.js";
import { draw as drawTrouble } from "./trouble.js";

const DIAL_REST = 90; // milliseconds
const SMALL = 1280; // pixels of a smaller copy's longer side
const VISIT = performance.timeOrigin; // history outlives a reload, steps do not

const steps = [];
let now = null; // the step that is shown
let question = new AbortController(); // the one that is asked
let branding = false; // whether the brand's bars are wanted

const cards = new Cards(part("cards"), { alike, taste: (hit, kind) => taste.press(hit, kind) });
const taste = new Taste(() => cards.taste(taste));
const counts = new Counts(drawCounts);
const crop = new Crop(part("crop"), cropped);
const filters = new Filters(part("filters"), filtered, grouped);
const camera = new Camera(withFile);
const release = new Release(renewed);
const rest = rested(() => search(), DIAL_REST); // of the dial

// What is searched for

function withFile(file) {
  begin({ kind: "file", file, picture: URL.createObjectURL(file), name: file.name });
}

/** A server that fetches no addresses says so itself. */
function withAddress(url) {
  begin({ kind: "url", url, name: new URL(url).hostname });
}

function alike(hit) {
  begin({ kind: "product", product: hit.id, hit, picture: hit.picture, name: hit.name ?? hit.id }, hit.id);
}

function begin(source, pressed) {
  rest.stop();
  leave(pressed);
  const made = step(source, now);
  steps.push(made);
  const address = source.kind === "product" ? `/?like=${encodeURIComponent(source.product)}` : "/";
  history.pushState({ visit: VISIT, step: steps.length - 1 }, "", address);
  open(made);
  scrollTo({ top: 0 });
  search({ arriving: true });
}

/** Remember where the reader was, for the way back. card: the one that was pressed. */
function leave(card = document.activeElement?.closest(".card")?.dataset.id) {
  if (now) now.left = { scroll: scrollY, card };
}

/** Show what the history or the address says: a step of this visit, a product, or the beginning. */
function arrive(state) {
  question.abort();
  question = new AbortController(); // for what is asked beside the list: more of it, its brand
  rest.stop();
  leave();
  const known = state?.visit === VISIT ? steps[state.step] : null;
  const product = new URLSearchParams(location.search).get("like");
  if (known) comeBack(known);
  else if (product) arriveAt(product);
  else welcome();
}

function comeBack(known) {
  open(known);
  if (known.told !== asks(known)) search(); // it was left before that was told
  scrollTo({ top: known.left?.scroll ?? 0 });
  if (known.left?.card) cards.focus(known.left.card);
  else part("found-title").focus({ preventScroll: true });
}

async function arriveAt(product) {
  const made = step({ kind: "product", product, picture: null, name: product });
  steps.push(made);
  history.replaceState({ visit: VISIT, step: steps.length - 1 }, "");
  open(made);
  search();
  try {
    const { product: hit, pictures } = await get(`/v1/products/${encodeURIComponent(product)}`);
    Object.assign(made.source, { hit, name: hit.name ?? product, picture: pictures[0]?.picture ?? null });
    if (now === made) drawPanel(now, crop, { first: steps[0] === now });
  } catch (wrong) {
    if (!(wrong instanceof Problem)) throw wrong; // the search tells what is the matter
  }
}

function welcome() {
  now = null;
  document.body.dataset.state = "empty";
  document.title = "lookalike";
  part("welcome").hidden = false;
  part("work").hidden = true;
  if (release.version) count(); // else when it is known
}

// Asking

async function search({ arriving = false } = {}) {
  const asked = now;
  question.abort();
  question = new AbortController();
  const { signal } = question;
  const asking = asks(asked);
  loading();
  try {
    const not = refused(asked.source);
    if (not) throw not;
    took(asked, await list(asked, { signal, sending, waiting }));
    asked.told = asking;
    if (!signal.aborted) found(arriving);
  } catch (wrong) {
    if (signal.aborted) return;
    asked.told = asking;
    failed(wrong);
  }
}

const sending = (share) => progress(share < 1 ? "sending" : "searching", share);
const waiting = (seconds) => progress("waiting", seconds);

function loading() {
  part("trouble").hidden = part("nothing").hidden = part("on").hidden = true;
  part("work").classList.remove("barren");
  part("cards").setAttribute("aria-busy", "true");
  if (!now.hits) cards.wait();
  if (!now.query) progress(now.source.kind === "file" ? "sending" : "searching");
}

function found(arriving) {
  progress("done", now.milliseconds);
  draw();
  tell(summary());
  if (arriving) part("found-title").focus({ preventScroll: true });
  if (branding) nameBrand();
  if (release.version && release.version.release !== now.release) release.look();
  count();
}

function failed(wrong) {
  if (!(wrong instanceof Problem)) throw wrong;
  now.wrong = wrong;
  progress("none");
  draw();
  if (wrong.status === 401) release.ask(wrong);
  if (wrong.status === 0 && now.source.kind === "file" && !now.query) suspectSize();
}

/** A server, or what stands before it, may hang up on a large photo before the browser has read why. */
async function suspectSize() {
  const asked = now;
  if (await release.look() || now !== asked || asked.wrong?.status !== 0) return;
  const detail = "the server hung up while the photo was on its way, as it may for one that is too large";
  asked.wrong = new Problem(413, { detail });
  draw();
}

async function showMore() {
  const { signal } = question;
  const first = now.hits.length;
  part("on").disabled = true;
  try {
    const answer = await more(now, { signal, waiting });
    if (signal.aborted) return;
    Object.assign(now, { hits: [...now.hits, ...answer.hits], next: answer.next });
    drawFound();
    tell(summary());
    if (now.hits[first]) cards.focus(now.hits[first].id);
  } catch (wrong) {
    if (signal.aborted) return;
    if (wrong.status === 422) search(); // a list of another release: from its beginning
    else failed(wrong);
  } finally {
    part("on").disabled = false;
  }
}

async function nameBrand() {
  const asked = now;
  try {
    const answer = await brand(asked, { signal: question.signal });
    if (now === asked) bars(part("brands"), answer);
  } catch (wrong) {
    if (wrong instanceof Problem && now === asked) part("brands").textContent = wrong.message;
  }
}

const count = () => counts.ask(now?.filters ?? {}, release.version?.release);

// Drawing

function open(made) {
  now = made;
  document.body.dataset.state = "results";
  part("welcome").hidden = true;
  part("work").hidden = false;
  part("brands").replaceChildren();
  progress("none");
  draw();
  if (branding && now.hits) nameBrand();
  if (now.hits) count();
}

function draw() {
  drawPanel(now, crop, { first: steps[0] === now });
  dialled(now.weight ?? now.shown ?? null);
  for (const one of document.getElementsByName("order")) one.checked = one.value === now.order;
  drawFound();
  drawWrong();
  drawNotice();
  drawFilters();
}

function dialled(weight) {
  if (weight === null) return;
  part("dial").value = Math.round(100 * weight);
  part("dial").setAttribute("aria-valuetext", `${percent(1 - weight)} shape, ${percent(weight)} color`);
  part("dial-value").textContent = `${percent(weight)} color`;
}

function drawFound() {
  part("found-title").textContent = now.order === "best" ? "Look-alikes" : "Least alike";
  part("cards").setAttribute("aria-busy", "false");
  cards.show(now.hits ?? [], taste);
  part("nothing").hidden = now.hits?.length !== 0 || Boolean(now.wrong);
  part("nothing-clear").hidden = !Object.keys(now.filters).length;
  part("on").hidden = !now.next;
  part("branding").hidden = !release.version?.brands || !now.hits;
  drawCount();
}

/** There are other counts. */
function drawCounts() {
  drawFilters();
  if (now) drawCount();
  drawStock();
}

/** How many products the filters leave, where that is known. */
const left = () => counts.of(now.filters)?.products;

function drawCount() {
  const all = left();
  part("found-count").textContent = now.hits?.length ? summary() : "";
  part("narrow-shut").textContent = all === undefined ? "Show the results" : `Show ${counted(all, "product")}`;
}

function summary() {
  if (!now.hits.length) return "No results";
  const shown = counted(now.hits.length, "result");
  const all = left();
  return all > now.hits.length && now.group === "product" ? `${shown} of ${counted(all, "product")}` : shown;
}

function drawFilters() {
  if (!now) return;
  chips(part("chips"), now.filters, filtered);
  const set = Object.keys(now.filters).length;
  part("narrow-badge").hidden = !set;
  part("narrow-badge").textContent = set;
  if (counts.last) filters.show(counts.last, now.filters, now.group);
}

function drawStock() {
  const all = counts.of({});
  if (!all?.products) return;
  const brands = Object.keys(all.brand).length;
  const words = [counted(all.products, "product"), brands > 1 && `of ${counted(brands, "brand")}`, "to look through"];
  part("stock").textContent = words.filter(Boolean).join(" ");
}

function drawWrong() {
  part("trouble").hidden = !now.wrong;
  part("work").classList.toggle("barren", Boolean(now.wrong) && !now.hits);
  if (now.wrong) drawTrouble(part("trouble"), now.wrong, ways(now.wrong));
}

/** What can be done about what went wrong, the best first. */
function ways({ status }) {
  const again = ["Try again", () => search()];
  const choose = ["Choose another photo", choosePhoto];
  const small = ["Send a smaller copy", sendSmaller];
  if (status === 401) return [["Enter the key", () => release.ask(null)]];
  if (now.source.kind === "file" && [408, 413].includes(status)) return [small, choose];
  return [400, 404, 413, 415, 422].includes(status) ? [choose] : [again, choose];
}

function drawNotice() {
  const newest = release.version?.release;
  const other = Boolean(newest && now?.hits && newest !== now.release && newest !== now.passed);
  part("notice").hidden = !other;
  if (!other) return;
  const stay = `These results are of ${now.release} and stay as they are.`;
  part("notice-text").textContent = `The catalog was renewed to ${newest}. ${stay}`;
}

// What is pressed

function cropped(box) {
  now.crop = box;
  now.query = null;
  drawWays(now);
  search();
}

function filtered(chosen) {
  if (!now) return; // it was left while a price was written
  now.filters = chosen;
  drawFilters();
  const lost = document.activeElement === document.body; // with a chip that is gone
  if (lost) part("found-title").focus({ preventScroll: true });
  search();
}

function ordered(order) {
  now.order = order;
  search();
}

function grouped(group) {
  now.group = group;
  search();
}

function clearTaste() {
  taste.clear();
  part("found-title").focus({ preventScroll: true });
}

function turned() {
  now.weight = Number(part("dial").value) / 100;
  dialled(now.weight);
  rest();
}

function choosePhoto() {
  part("file").click();
}

async function sendSmaller() {
  const asked = now;
  const copy = await smaller(asked.source.file, SMALL);
  if (now !== asked) return;
  if (copy) asked.source.file = copy;
  if (copy) search();
  else failed(new Problem(415, { detail: "the browser cannot read this photo, so it cannot make it smaller" }));
}

/** Of the newest release, whatever is kept of the older one. */
function renew() {
  if (isPhoto(now)) now.query = null;
  search();
}

/** Another release, or a key. */
function renewed({ keyed }) {
  if (now) drawNotice();
  if (now) part("branding").hidden = !release.version.brands || !now.hits;
  if (keyed && now) search();
  count();
}

function nameOrNot() {
  branding = !branding;
  part("brand-toggle").setAttribute("aria-expanded", branding);
  part("brands").hidden = !branding;
  if (branding) nameBrand();
}

function fold() {
  part("narrow-fold").open = false;
  part("found-title").focus();
  part("found-title").scrollIntoView();
}

/** Filters lie open beside the results where there is room, and fold away where there is not. */
function foldWhereNarrow() {
  const wide = matchMedia("(min-width: 62rem)");
  wide.addEventListener("change", () => { part("narrow-fold").open = wide.matches; });
  part("narrow-fold").open = wide.matches;
}

const PRESSES = {
  choose: choosePhoto,
  "again-choose": choosePhoto,
  "camera-open": () => camera.open(),
  "again-camera": () => camera.open(),
  back: () => history.back(),
  "crop-proposed": () => crop.take(now.proposal),
  "crop-whole": () => crop.take(null),
  "brand-toggle": nameOrNot,
  on: showMore,
  "nothing-clear": () => filtered({}),
  "narrow-shut": fold,
  "notice-go": renew,
  "notice-close": () => { now.passed = release.version.release; drawNotice(); },
  "taste-go": () => begin(taste.source()),
  "taste-clear": clearTaste,
};

for (const [id, press] of Object.entries(PRESSES)) part(id).addEventListener("click", press);
for (const one of document.getElementsByName("order")) one.addEventListener("change", () => ordered(one.value));
part("dial").addEventListener("input", turned);
part("address").addEventListener("submit", (event) => {
  event.preventDefault();
  withAddress(part("address-text").value);
});
foldWhereNarrow();
listen({ file: withFile, address: withAddress });
history.scrollRestoration = "manual";
addEventListener("popstate", (event) => { arrive(event.state); if (!now) part("choose").focus(); });
addEventListener("online", () => { if (now?.wrong?.status === 0) search(); });
arrive(history.state);
release.look();
