/**
 * A step: one thing that is searched for, how its list is wanted, and what was found.
 *
 * In: a source, what was wanted before. Out: steps, and the questions that they ask. Never: draws.
 *
 * A source is a file, the address of a picture, a product, or what is liked. A photo is sent once: its answer's `query`
 * is kept and asked again with another dial, filter or order. Products are asked for by id each time, as a list then
 * leaves them out. `told` is the question, in asks' words, that the hits or the trouble of a step are of.
 */

import { Problem, post } from "./server.js";

const PAGE = 24; // hits asked for at once
const LIST = "/v1/search";
const BRAND = "/v1/brand";

/** A new one; the dial, the filters and the groups stay as they were before. */
export function step(source, before) {
  const { weight = null, group = "product", filters = {} } = before ?? {};
  const found = { query: null, proposal: null, hits: null, next: null, release: null, wrong: null, told: null };
  return { source, crop: null, weight, group, filters, order: "best", ...found };
}

export const isPhoto = (of) => of.source.kind === "file" || of.source.kind === "url";

/** What a step asks for now, to compare. */
export const asks = (of) => JSON.stringify([wish(of), of.crop]);

/** A list from its beginning. */
export const list = (of, said) => answered(of, LIST, wish(of), said);

/** What follows in it. */
export const more = (of, said) => answered(of, LIST, { ...wish(of), cursor: of.next }, said);

/** The brand of what is searched for. */
export function brand(of, said) {
  return of.source.kind === "liked" ? post(BRAND, { query: of.query }, said) : answered(of, BRAND, {}, said);
}

/** What need not be sent to know that it is no picture; null where it must. */
export function refused({ kind, file }) {
  if (kind !== "file") return null;
  if (file.size === 0) return new Problem(422, { detail: `${file.name} is empty` });
  if (!file.type || file.type.startsWith("image/")) return null;
  return new Problem(415, { detail: `${file.name} is ${file.type}, not a picture` });
}

/** Take an answer in. */
export function took(of, { hits, next, query, release, proposal, color_weight: shown, milliseconds }) {
  Object.assign(of, { hits, next, query, release, shown, wrong: null, milliseconds: milliseconds.all });
  if (!of.crop) of.proposal = proposal ?? of.proposal;
}

function wish(of) {
  const weight = of.weight === null ? {} : { color_weight: of.weight };
  return { k: PAGE, order: of.order, group_by: of.group, ...weight, ...of.filters };
}

/** By the kept query; by the photo where there is none, or where the release that knew the query is gone. */
async function answered(of, path, wanted, said) {
  if (isPhoto(of) && of.query) {
    try {
      return await post(path, { query: of.query, ...wanted }, said);
    } catch (wrong) {
      if (!isOfQuery(wrong) || wanted.cursor) throw wrong;
      of.query = null;
    }
  }
  return post(path, { ...origin(of), ...wanted }, said);
}

/** Whether it is the query that is refused. What else is wrong with a question is told field by field. */
const isOfQuery = (wrong) => wrong.status === 422 && wrong.fields.every((one) => one.where === "query");

function origin({ source: { kind, file, url, product, liked, disliked }, crop }) {
  if (kind === "product") return { product };
  if (kind === "liked") return { liked, disliked };
  const box = crop ? { crop } : {};
  return kind === "url" ? { url, ...box } : { file, ...box };
}
