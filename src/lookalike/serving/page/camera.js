/**
 * A photo from the camera.
 *
 * In: a press. Out: a JPEG file. Never: leaves the camera on.
 *
 * Where the browser lends none, the phone's own camera is asked.
 */

import { part } from "./dom.js";

const QUALITY = 0.92;

export class Camera {
  #taken; #stream = null; #facing = "environment";

  /** taken: told of each photo. */
  constructor(taken) {
    this.#taken = taken;
    part("camera-take").addEventListener("click", () => this.#take());
    part("camera-turn").addEventListener("click", () => this.#turn());
    part("camera-close").addEventListener("click", () => part("camera").close());
    part("camera").addEventListener("close", () => this.#off());
  }

  async open() {
    if (!navigator.mediaDevices?.getUserMedia) { part("capture").click(); return; }
    try {
      await this.#on();
    } catch {
      part("capture").click(); // refused, or there is none
      return;
    }
    part("camera").showModal();
    part("camera-take").focus();
  }

  async #on() {
    const video = { facingMode: this.#facing, width: { ideal: 1920 }, height: { ideal: 1920 } };
    this.#stream = await navigator.mediaDevices.getUserMedia({ video });
    part("camera-view").srcObject = this.#stream;
    const all = await navigator.mediaDevices.enumerateDevices();
    part("camera-turn").hidden = all.filter((one) => one.kind === "videoinput").length < 2;
  }

  #off() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    part("camera-view").srcObject = null;
    this.#stream = null;
  }

  async #turn() {
    this.#facing = this.#facing === "environment" ? "user" : "environment";
    this.#off();
    try {
      await this.#on();
    } catch {
      part("camera").close();
    }
  }

  #take() {
    const view = part("camera-view");
    if (!view.videoWidth) return; // no picture has come yet
    const canvas = drawn(view, view.videoWidth, view.videoHeight);
    const taken = (blob) => {
      part("camera").close();
      this.#taken(new File([blob], "camera.jpg", { type: "image/jpeg" }));
    };
    canvas.toBlob(taken, "image/jpeg", QUALITY);
  }
}

/** A copy of a photo with no side longer than `side` pixels; null where the browser cannot read it. */
export async function smaller(file, side) {
  try {
    const image = await createImageBitmap(file, { imageOrientation: "from-image" });
    const share = Math.min(1, side / Math.max(image.width, image.height));
    const canvas = drawn(image, Math.round(image.width * share), Math.round(image.height * share));
    const blob = await new Promise((done) => { canvas.toBlob(done, "image/jpeg", QUALITY); });
    return new File([blob], "smaller.jpg", { type: "image/jpeg" });
  } catch {
    return null;
  }
}

function drawn(image, width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  canvas.getContext("2d").drawImage(image, 0, 0, width, height);
  return canvas;
}
