/**
 * How many products there are, and how many each filter would leave.
 *
 * In: filters, the release that answers. Out: /v1/facets' last answer.
 * Never: gives counts of some filters as those of others.
 */

import { asSearch } from "./filters.js";
import { Problem, get } from "./server.js";

export class Counts {
  #changed; #asking = new AbortController(); #release = ""; #of = null;
  last = null; // whatever filters they are of

  /** changed: told when there are others. */
  constructor(changed) {
    this.#changed = changed;
  }

  /** The counts under these filters; null where they are not known. */
  of(filters) {
    return this.#of === asSearch(filters) ? this.last : null;
  }

  async ask(filters, release) {
    const of = asSearch(filters);
    this.#asking.abort(); // even where these are known: others must not come after them
    if (of === this.#of && release === this.#release) return;
    this.#asking = new AbortController();
    try {
      this.last = await get(`/v1/facets?${of}`, { signal: this.#asking.signal });
      [this.#of, this.#release] = [of, release];
      this.#changed();
    } catch (wrong) {
      if (!(wrong instanceof Problem) && wrong.name !== "AbortError") throw wrong; // the last ones stay
    }
  }
}
