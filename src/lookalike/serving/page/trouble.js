/**
 * What went wrong, in words that help.
 *
 * In: a Problem, what was asked, what can be done. Out: a panel with the server's words, a mend and buttons.
 * Never: markup from outside.
 */

import { drawing, make } from "./dom.js";

const TITLES = {
  0: "The server does not answer",
  400: "This cannot be searched",
  401: "A key is needed",
  404: "It is not here any more",
  408: "The photo came too slowly",
  413: "The photo is too large",
  415: "This is no picture that can be read",
  422: "This cannot be searched",
  429: "Many people are searching right now",
  503: "The search is not ready",
};
const MENDS = {
  0: "Your photo and your results stay here. Try again in a moment.",
  404: "The catalog may have changed. Search with another product or a photo.",
  408: "Try again where the connection is better, or send a smaller copy.",
  413: "Send a smaller copy of it; that is as good for the search.",
  415: "Choose a JPEG, PNG, WebP or GIF.",
  422: "Choose another photo, or change what you asked.",
  429: "Wait a moment, then try again.",
  503: "It may be filling its shelves. Try again in a moment.",
};
const OFFLINE = { title: "You are offline", detail: "", mend: "The search goes on when the connection is back." };
const ODD = {
  title: "Something broke on the server",
  mend: "It is not your photo's fault. Try again; if it stays, tell who runs this.",
};

/** What to say of a Problem. offline: the browser knows of no connection. */
export function words(problem, offline) {
  if (problem.status === 0 && offline) return OFFLINE;
  const title = TITLES[problem.status] ?? (problem.status >= 500 ? ODD.title : problem.title || "It did not work");
  const mend = MENDS[problem.status] ?? (problem.status >= 500 ? ODD.mend : "");
  return { title, detail: sentence(problem.message), mend };
}

/** Draw it. ways: [[words, what is done]], the first one offered most. */
export function draw(root, problem, ways) {
  const { title, detail, mend } = words(problem, !navigator.onLine);
  const told = make(
    "div",
    {},
    make("h3", {}, title),
    detail && make("p", { class: "detail" }, detail),
    mend && make("p", {}, mend),
    make("div", { class: "ways" }, ...ways.map(way)),
    problem.request && make("p", { class: "small" }, `Request ${problem.request}`),
  );
  root.replaceChildren(drawing("trouble"), told);
  root.hidden = false;
}

function way([said, click], at) {
  return make("button", { type: "button", class: at ? "" : "strong", click }, said);
}

function sentence(text) {
  const said = text.trim();
  return said ? said[0].toLocaleUpperCase() + said.slice(1) + (/[.!?]$/.test(said) ? "" : ".") : "";
}
