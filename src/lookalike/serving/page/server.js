/**
 * Who speaks with the server.
 *
 * In: a path and what to send. Out: the answer, or a Problem in the server's own words.
 * Never: draws, or keeps a key longer than the tab lives.
 */

const PATIENCE = 60_000; // milliseconds
const LONGEST = 30; // seconds that a busy server may make us wait
const KEY = "lookalike-key";

/** What went wrong. status 0: nobody answered. */
export class Problem extends Error {
  constructor(status, said = {}) {
    super(typeof said.detail === "string" ? said.detail : "");
    this.name = "Problem";
    this.status = status;
    this.title = typeof said.title === "string" ? said.title : "";
    this.request = typeof said.request === "string" ? said.request : "";
    this.fields = Array.isArray(said.errors) ? said.errors : [];
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  keep: (said) => sessionStorage.setItem(KEY, said),
  forget: () => sessionStorage.removeItem(KEY),
};

/**
 * Ask, and ask once more if the server is busy.
 * waiting: told for how many seconds we wait; sending: told the share that is sent.
 */
export async function ask(method, path, { body, signal, sending, waiting } = {}) {
  let answer = await once(method, path, { body, signal, sending });
  if (answer.status === 429) {
    const seconds = Math.min(Number(answer.getResponseHeader("Retry-After")) || 1, LONGEST);
    waiting?.(seconds);
    await pause(seconds, signal);
    answer = await once(method, path, { body, signal, sending });
  }
  return read(answer);
}

export const get = (path, said) => ask("GET", path, said);
export const post = (path, body, said) => ask("POST", path, { ...said, body });

const drawn = new Map(); // addresses of pictures fetched with a key, by their own

/** Show a picture. With a key it is fetched by hand, as an <img> cannot send one. */
export async function show(image, address) {
  if (!key.get()) { image.src = address; return; }
  image.dataset.of = address;
  if (!drawn.has(address)) drawn.set(address, fetched(address));
  const at = await drawn.get(address);
  if (image.dataset.of !== address) return; // meanwhile it is to show another one
  if (at) image.src = at;
  else image.dispatchEvent(new Event("error"));
}

async function fetched(address) {
  try {
    const answer = await fetch(address, { headers: { "X-API-Key": key.get() } });
    if (answer.ok) return URL.createObjectURL(await answer.blob());
  } catch {
    // nobody answered, which ends as a refusal does
  }
  drawn.delete(address); // where it is shown next, it is asked for again
  return null;
}

/** One request. XMLHttpRequest and not fetch, which does not tell how much of a photo is sent. */
function once(method, path, { body, signal, sending }) {
  return new Promise((done, failed) => {
    if (signal?.aborted) { failed(stopped()); return; }
    const request = new XMLHttpRequest();
    request.open(method, path);
    request.timeout = PATIENCE;
    request.setRequestHeader("Accept", "application/json");
    if (key.get()) request.setRequestHeader("X-API-Key", key.get());
    if (sending) request.upload.onprogress = (sent) => sending(sent.lengthComputable ? sent.loaded / sent.total : 0);
    request.onload = () => done(request);
    request.onerror = () => failed(new Problem(0));
    request.ontimeout = () => failed(new Problem(0, { detail: "The server took longer than a minute." }));
    request.onabort = () => failed(stopped());
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    request.send(packed(request, body));
  });
}

function packed(request, body) {
  if (body === undefined) return null;
  if (body.file) return form(body);
  request.setRequestHeader("Content-Type", "application/json");
  return JSON.stringify(body);
}

function form(body) {
  const filled = new FormData();
  for (const [name, value] of Object.entries(body)) {
    const each = name === "crop" ? [value.join(",")] : [value].flat();
    for (const one of each) filled.append(name, one);
  }
  return filled;
}

function read(answer) {
  let said = {};
  try {
    said = JSON.parse(answer.responseText) ?? {};
  } catch {
    if (answer.status < 400) throw new Problem(502, { detail: "The answer is not one of this server's." });
  }
  if (answer.status >= 400) throw new Problem(answer.status, said);
  return said;
}

function pause(seconds, signal) {
  return new Promise((done, failed) => {
    const clock = setTimeout(done, 1000 * seconds);
    signal?.addEventListener("abort", () => { clearTimeout(clock); failed(stopped()); }, { once: true });
  });
}

const stopped = () => new DOMException("another question came", "AbortError");
