/**
 * Photos on their way in: dropped, pasted, chosen.
 *
 * In: what a hand does anywhere on the page. Out: a file, or the address of a picture. Never: looks into a file.
 */

import { part } from "./dom.js";

/** on: {file(file), address(text)} */
export function listen(on) {
  for (const field of [part("file"), part("capture")]) {
    field.addEventListener("change", () => {
      if (field.files[0]) on.file(field.files[0]);
      field.value = ""; // the same photo may be chosen again
    });
  }
  addEventListener("paste", (event) => {
    if (/^(INPUT|TEXTAREA)$/.test(event.target.tagName ?? "")) return;
    if (taken(event.clipboardData, on)) event.preventDefault();
  });
  dropped(on);
}

function dropped(on) {
  let over = 0; // elements that the hand is over: each one is entered before the last is left
  let ours = false; // what is dragged was on this page before
  const kinds = ["Files", "text/uri-list"];
  const carries = (event) => !ours && kinds.some((kind) => event.dataTransfer?.types.includes(kind));
  const shade = (by) => { over = by === null ? 0 : over + by; part("dropping").hidden = over <= 0; };
  addEventListener("dragstart", () => { ours = true; });
  addEventListener("dragend", () => { ours = false; });
  addEventListener("dragenter", (event) => { if (carries(event)) shade(1); });
  addEventListener("dragleave", (event) => { if (carries(event)) shade(-1); });
  addEventListener("dragover", (event) => { if (carries(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    shade(null);
    taken(event.dataTransfer, on);
  });
}

function taken(carried, on) {
  const [file] = carried.files;
  const address = carried.getData("text/uri-list").split("\n")[0] || carried.getData("text/plain").trim();
  if (file) on.file(file);
  else if (/^https?:\/\/\S+$/i.test(address)) on.address(address);
  else return false;
  return true;
}
