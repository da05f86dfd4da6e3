/**
 * Which release answers, and whether this page may ask it.
 *
 * In: time that passes, presses, a key. Out: /v1/version's last answer, and a dialog where a key is wanted.
 * Never: takes results away.
 */

import { counted, part, tell } from "./dom.js";
import { Problem, get, key } from "./server.js";

const LOOK = 60_000; // milliseconds between two looks
const SAID = 4_000; // milliseconds that an answer to a press stands

export class Release {
  #changed; #looked = 0;
  version = null;

  /** changed: told after each look that was answered, and after a key was given. */
  constructor(changed) {
    this.#changed = changed;
    part("updates").addEventListener("click", () => this.press());
    part("key-form").addEventListener("submit", (event) => this.#given(event));
    part("key-close").addEventListener("click", () => part("key").close());
    part("key-forget").addEventListener("click", () => { key.forget(); location.reload(); });
    document.addEventListener("visibilitychange", () => this.#sometimes());
    setInterval(() => this.#sometimes(), LOOK / 4);
  }

  /** Look now; answers null, or what is wrong. */
  async look() {
    this.#looked = Date.now();
    try {
      this.version = await get("/v1/version");
    } catch (wrong) {
      if (!(wrong instanceof Problem)) throw wrong;
      if (wrong.status === 401) this.ask(wrong);
      return wrong;
    }
    this.#draw();
    this.#changed({ keyed: false });
    return null;
  }

  async press() {
    const before = this.version?.release;
    const wrong = await this.look();
    const now = this.version?.release;
    const news = now === before ? "Up to date" : `Renewed to ${now}`;
    const words = wrong ? "The server does not answer" : news;
    part("updates").textContent = words;
    tell(words);
    setTimeout(() => { part("updates").textContent = "Check for updates"; }, SAID);
  }

  /** Ask for a key. */
  ask(wrong) {
    if (wrong && key.get()) part("key-why").textContent = "That key was refused. Is it written right?";
    if (!part("key").open) part("key").showModal();
  }

  async #given(event) {
    event.preventDefault();
    key.keep(part("key-text").value);
    part("key-text").value = "";
    part("key").close();
    if (await this.look() === null) this.#changed({ keyed: true });
  }

  #sometimes() {
    if (document.visibilityState === "visible" && Date.now() - this.#looked >= LOOK) this.look();
  }

  #draw() {
    const { release, catalog, products, image_urls: addresses } = this.version;
    part("version").textContent = [release, catalog, counted(products, "product")].join(" · ");
    part("address").hidden = !addresses;
    part("key-forget").hidden = !key.get();
  }
}
