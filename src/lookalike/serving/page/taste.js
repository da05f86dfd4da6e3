/**
 * What is liked and what is not, over all searches of a visit.
 *
 * In: thumbs that are pressed. Out: how many there are, and a source to search by. Never: asks the server.
 */

import { part, whole } from "./dom.js";

export class Taste {
  #changed;
  liked = new Map();
  disliked = new Map();

  /** changed: told of each press. */
  constructor(changed) {
    this.#changed = changed;
  }

  /** kind: "liked" or "disliked"; the same press again takes it back. */
  press(hit, kind) {
    this[kind === "liked" ? "disliked" : "liked"].delete(hit.id);
    if (!this[kind].delete(hit.id)) this[kind].set(hit.id, hit);
    this.#draw();
  }

  clear() {
    this.liked.clear();
    this.disliked.clear();
    this.#draw();
  }

  source() {
    const pictures = [...this.liked.values()].map((hit) => hit.picture);
    return { kind: "liked", liked: [...this.liked.keys()], disliked: [...this.disliked.keys()], pictures };
  }

  #draw() {
    const [liked, disliked] = [this.liked.size, this.disliked.size];
    const words = [liked && `${whole(liked)} liked`, disliked && `${whole(disliked)} not`];
    part("taste").hidden = !liked && !disliked;
    part("taste-text").textContent = words.filter(Boolean).join(", ");
    part("taste-go").disabled = !liked;
    this.#changed();
  }
}
