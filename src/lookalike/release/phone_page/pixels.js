// A photograph as the network and the color feature want it: a square of whole levels.
//
// In: a file that the browser can decode; the manifest's preprocessing. Out: pixels (S, S, 3), as features/resize.py has them.
// Never: lets the browser resize (a canvas resizes otherwise than what the catalog was seen with), but to spare memory.

export const MOST_PIXELS = 16e6; // of one canvas on a small phone

const REACH = { bilinear: 1, bicubic: 2, lanczos: 3 };
const KERNELS = {
  bilinear: (away) => Math.max(0, 1 - away),
  bicubic: (away) =>
    away < 1 ? (1.5 * away - 2.5) * away * away + 1 : away < 2 ? ((-0.5 * away + 2.5) * away - 4) * away + 2 : 0,
  lanczos: (away) => (away < 3 ? sinc(away) * sinc(away / 3) : 0),
};
const ONE = 1 << 22; // Pillow's weights are whole numbers of so many parts

/** A file's pixels {data (H, W, 3), width, height}, upright, transparency on white. */
export async function decoded(file) {
  const picture = await shrunk(await createImageBitmap(file), file);
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, 0, 0);
  const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
  picture.close();
  return { data: withoutAlpha(data), width, height };
}

/** Pixels {data, width, height} as a square (S, S, 3): squash stretches, letterbox puts them on white, crop cuts out the middle. */
export function squared(pixels, { size, resize, interpolation }) {
  const { width, height } = pixels;
  if (resize === "letterbox") return letterboxed(pixels, size, interpolation);
  const side = Math.min(width, height);
  const [wide, high] = resize === "crop" ? [side, side] : [width, height];
  const [left, top] = [(width - wide) / 2, (height - high) / 2];
  return acrossAndDown(pixels, [size, size], interpolation, [left, left + wide], [top, top + high]).data;
}

/** To the nearest whole number, halves to the even one, as Python rounds. */
export function rounded(number) {
  const low = Math.floor(number);
  const beyond = number - low;
  return low + (beyond > 0.5 || (beyond === 0.5 && low % 2 !== 0) ? 1 : 0);
}

async function shrunk(picture, file) {
  const share = Math.sqrt(MOST_PIXELS / (picture.width * picture.height));
  if (share >= 1) return picture;
  const resizeWidth = Math.floor(picture.width * share);
  picture.close();
  return createImageBitmap(file, { resizeWidth, resizeQuality: "high" });
}

function withoutAlpha(pixels) {
  const data = new Uint8Array((pixels.length / 4) * 3);
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) {
    data[to] = pixels[from];
    data[to + 1] = pixels[from + 1];
    data[to + 2] = pixels[from + 2];
  }
  return data;
}

function letterboxed(pixels, size, interpolation) {
  const scale = size / Math.max(pixels.width, pixels.height);
  const sides = [pixels.width, pixels.height].map((side) => Math.max(1, rounded(side * scale)));
  const inside = acrossAndDown(pixels, sides, interpolation, [0, pixels.width], [0, pixels.height]);
  const square = new Uint8Array(size * size * 3).fill(255);
  const [left, top] = sides.map((side) => Math.floor((size - side) / 2));
  for (let row = 0; row < inside.height; row++) {
    const line = inside.data.subarray(row * inside.width * 3, (row + 1) * inside.width * 3);
    square.set(line, ((top + row) * size + left) * 3);
  }
  return square;
}

/** Across first, levels rounded between the two. seenAcross, seenDown: [begin, end] in pixels and fractions of them. */
function acrossAndDown(pixels, [width, height], interpolation, seenAcross, seenDown) {
  const across = oneWay(pixels.data, taken(pixels.width, width, interpolation, seenAcross), pixels.height, {
    out: { step: 3, line: 3 * width },
    from: { step: 3, line: 3 * pixels.width },
  });
  const data = oneWay(across, taken(pixels.height, height, interpolation, seenDown), width, {
    out: { step: 3 * width, line: 3 },
    from: { step: 3 * width, line: 3 },
  });
  return { data, width, height };
}

/** Every line of a picture resized along one axis. step: from one pixel of a line to the next; line: to the next line. */
function oneWay(data, takes, lines, { out, from }) {
  const made = new Uint8ClampedArray(takes.length * lines * 3);
  for (let line = 0; line < lines; line++) {
    takes.forEach(({ first, weights }, place) => {
      for (let channel = 0; channel < 3; channel++) {
        let sum = ONE / 2;
        let at = line * from.line + first * from.step + channel;
        for (const weight of weights) {
          sum += weight * data[at];
          at += from.step;
        }
        made[line * out.line + place * out.step + channel] = Math.floor(sum / ONE);
      }
    });
  }
  return made;
}

/** For each of `count` places which pixels of a line of `side` it takes: {first, weights}, in ONE parts. */
function taken(side, count, interpolation, [begin, end]) {
  const kernel = KERNELS[interpolation];
  const scale = (end - begin) / count;
  const width = Math.max(scale, 1);
  const reach = REACH[interpolation] * width;
  return Array.from({ length: count }, (_, place) => {
    const center = begin + (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - reach + 0.5));
    const last = Math.min(side, Math.trunc(center + reach + 0.5));
    const weights = Array.from({ length: last - first }, (_, one) => kernel(Math.abs(first + one - center + 0.5) / width));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: weights.map((weight) => whole((weight / total) * ONE)) };
  });
}

function whole(number) {
  return Math.trunc(number + (number < 0 ? -0.5 : 0.5));
}

function sinc(away) {
  return away === 0 ? 1 : Math.sin(Math.PI * away) / (Math.PI * away);
}
