// Where in a picture the product is, by the rules and the numbers of features/foreground.py.
//
// In: pixels (S, S, 3) and S. Out: a mask (S, S) of 0 and 1, never empty. Never: learns anything; all reasons stand there.

import { rounded } from "./pixels.js";

const WHITE = 240;
const WHITE_SHARE = 0.25;
const PLAIN_SHARE = 0.5;
const NOISE = 12;
const NEAR = 30;
const TINT = 16;
const DARK = 90;
const EDGE = [8, 20];
const EDGE_OF_NOISE = [8, 12];
const HOLE = 0.01;
const SPECK = 0.02;
const MIDDLE = 0.42;

const FOUR = [[1, 0], [-1, 0], [0, 1], [0, -1]];
const EIGHT = [...FOUR, [1, 1], [1, -1], [-1, 1], [-1, -1]];
const SOBEL = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]];
const GAUSS = [[1, 2, 1], [2, 4, 2], [1, 2, 1]];
const BOX = [-1, 0, 1].map((dy) => ({ dy, reach: 1 }));
const TAN_22 = 13573; // of 22.5 degrees, in parts of 1 << 15

/** The mask (S, S) of one picture (S, S, 3). */
export function foreground(pixels, size) {
  const border = borderOf(pixels, size);
  const ground = groundOf(border);
  if (ground === null) return middle(size);
  const spread = spreadOf(border, ground);
  const { far, tint } = departure(pixels, ground);
  const [low, high] = EDGE.map((edge, one) => edge + EDGE_OF_NOISE[one] * spread);
  const edges = canny(blurred(gray(pixels), size), size, low, high);
  const walls = edges.map((edge, at) => Number(edge || tint[at] > TINT || far[at] > DARK));
  const outside = reachedFromBorder(walls, size);
  const plain = walls.map((wall, at) => Number(!wall && far[at] <= spread + 1 && !outside[at]));
  pieces(opened(plain, size, disc(3)), size, HOLE * plain.length).forEach((there, at) => (outside[at] |= there));
  grown(outside, size, disc(size / 22)).forEach((there, at) => (outside[at] |= there & Number(far[at] <= NEAR)));
  return withoutSpecks(outside.map((there) => 1 - there), size);
}

// The ground

function borderOf(pixels, size) {
  const wide = Math.max(Math.floor(size / 56), 1);
  const inFrame = (along) => Number(along < wide) + Number(along >= size - wide);
  const border = [];
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const at = (y * size + x) * 3;
      for (let times = inFrame(x) + inFrame(y); times > 0; times--) border.push(pixels.subarray(at, at + 3)); // a corner twice
    }
  }
  return border;
}

function groundOf(border) {
  const white = border.filter((pixel) => Math.min(...pixel) >= WHITE);
  const isWhite = white.length / border.length >= WHITE_SHARE;
  const color = [0, 1, 2].map((channel) => Math.floor(median((isWhite ? white : border).map((pixel) => pixel[channel]))));
  const plain = border.filter((pixel) => away(pixel, color) <= NOISE).length / border.length;
  return isWhite || plain >= PLAIN_SHARE ? color : null;
}

function away(pixel, color) {
  return Math.max(...color.map((level, channel) => Math.abs(pixel[channel] - level)));
}

function spreadOf(border, ground) {
  const near = border.map((pixel) => away(pixel, ground)).filter((levels) => levels <= NEAR);
  return Math.min(Math.floor(quantile(near, 0.9)), NOISE);
}

function median(values) {
  return quantile(values, 0.5);
}

function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  const place = share * (sorted.length - 1);
  const low = Math.floor(place);
  return sorted[low] + (place - low) * (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]);
}

function departure(pixels, ground) {
  const far = new Uint8Array(pixels.length / 3);
  const tint = new Uint8Array(pixels.length / 3);
  for (let at = 0; at < far.length; at++) {
    const levels = ground.map((level, channel) => Math.abs(pixels[3 * at + channel] - level));
    far[at] = Math.max(...levels);
    tint[at] = far[at] - Math.min(...levels);
  }
  return { far, tint };
}

function middle(size) {
  const from = (along) => (along + 0.5) / size - 0.5;
  return Uint8Array.from({ length: size * size }, (_, at) =>
    Number(from(Math.floor(at / size)) ** 2 + from(at % size) ** 2 <= MIDDLE ** 2),
  );
}

// Edges, as OpenCV finds them

function gray(pixels) {
  return Uint8Array.from({ length: pixels.length / 3 }, (_, at) =>
    (pixels[3 * at] * 9798 + pixels[3 * at + 1] * 19235 + pixels[3 * at + 2] * 3735 + (1 << 14)) >> 15,
  );
}

function blurred(plane, size) {
  const mirrored = (along) => (along < 0 ? -along : along >= size ? 2 * size - 2 - along : along);
  return Uint8Array.from(weighed(plane, size, GAUSS, mirrored), (sum) => (sum + 8) >> 4);
}

/** Each pixel's nine neighbours by a kernel; `inside` says which pixel stands for one beyond the edge. */
function weighed(plane, size, kernel, inside) {
  const sums = new Int32Array(plane.length);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      kernel.forEach((row, dy) => {
        const line = inside(y + dy - 1) * size;
        row.forEach((weight, dx) => (sums[y * size + x] += weight * plane[line + inside(x + dx - 1)]));
      });
    }
  }
  return sums;
}

/** Ridges of the slope above `low` that hang together with one above `high`. */
function canny(plane, size, low, high) {
  const last = (along) => Math.min(Math.max(along, 0), size - 1);
  const across = weighed(plane, size, SOBEL, last);
  const down = weighed(plane, size, SOBEL[0].map((_, column) => SOBEL.map((row) => row[column])), last);
  const slope = across.map((dx, at) => dx * dx + down[at] * down[at]);
  const ridge = Uint8Array.from(slope, (_, at) =>
    Number(slope[at] > low * low && isRidge(slope, size, at, across[at], down[at])),
  );
  const sure = [...slope.keys()].filter((at) => ridge[at] && slope[at] > high * high);
  return maskOf(flooded(ridge, size, sure, EIGHT), plane.length);
}

/** Whether the slope is no steeper on either side, along its own direction. */
function isRidge(slope, size, at, across, down) {
  const [x, y] = [at % size, Math.floor(at / size)];
  const beside = (dx, dy) => (x + dx < 0 || x + dx >= size ? 0 : (slope[(y + dy) * size + x + dx] ?? 0));
  const [wide, high] = [Math.abs(across), Math.abs(down) * (1 << 15)];
  if (high < wide * TAN_22) return slope[at] > beside(-1, 0) && slope[at] >= beside(1, 0);
  if (high > wide * (TAN_22 + (1 << 16))) return slope[at] > beside(0, -1) && slope[at] >= beside(0, 1);
  const lean = (across ^ down) < 0 ? -1 : 1;
  return slope[at] > beside(-lean, -1) && slope[at] > beside(lean, 1);
}

// Shapes

function reachedFromBorder(walls, size) {
  const gap = disc(size / 16);
  const wide = gap.length;
  const yard = size + 2 * wide;
  const inner = (at) => (Math.floor(at / size) + wide) * yard + wide + (at % size);
  const there = new Uint8Array(yard * yard);
  walls.forEach((wall, at) => (there[inner(at)] = wall));
  const closed = shrunk(grown(there, yard, gap), yard, gap);
  const outside = maskOf(flooded(inverse(closed), yard, [0], FOUR), closed.length);
  return Uint8Array.from(walls, (_, at) => outside[inner(at)]);
}

function withoutSpecks(product, size) {
  const clean = opened(product, size, BOX);
  const kept = pieces(clean, size, SPECK * clean.reduce((sum, there) => sum + there, 0));
  return kept.some(Boolean) ? kept : kept.fill(1);
}

/** The connected pieces of at least so many pixels. */
function pieces(mask, size, least) {
  const left = mask.slice();
  const kept = new Uint8Array(mask.length);
  for (let at = 0; at < left.length; at++) {
    if (!left[at]) continue;
    const piece = flooded(left, size, [at], EIGHT);
    if (piece.length >= least) piece.forEach((one) => (kept[one] = 1));
  }
  return kept;
}

/** All that is reached from the starts by moves over what is 1 in `open`; it is 0 there from then on. */
function flooded(open, size, starts, moves) {
  const reached = starts.filter((at) => open[at]);
  reached.forEach((at) => (open[at] = 0));
  for (let next = 0; next < reached.length; next++) {
    const [x, y] = [reached[next] % size, Math.floor(reached[next] / size)];
    for (const [dx, dy] of moves) {
      const at = (y + dy) * size + x + dx;
      if (x + dx < 0 || x + dx >= size || !open[at]) continue;
      open[at] = 0;
      reached.push(at);
    }
  }
  return reached;
}

function maskOf(places, length) {
  const mask = new Uint8Array(length);
  places.forEach((at) => (mask[at] = 1));
  return mask;
}

function inverse(mask) {
  return mask.map((there) => 1 - there);
}

function opened(mask, size, rows) {
  return grown(shrunk(mask, size, rows), size, rows);
}

/** Beyond the edge all is mask, so that it takes nothing away. */
function shrunk(mask, size, rows) {
  return inverse(grown(inverse(mask), size, rows));
}

/** The mask, with `rows` about each of its pixels. */
function grown(mask, size, rows) {
  const made = new Uint8Array(mask.length);
  mask.forEach((there, at) => {
    if (!there) return;
    const [x, y] = [at % size, Math.floor(at / size)];
    for (const { dy, reach } of rows) {
      if (y + dy < 0 || y + dy >= size) continue;
      const line = (y + dy) * size;
      made.fill(1, line + Math.max(x - reach, 0), line + Math.min(x + reach, size - 1) + 1);
    }
  });
  return made;
}

/** A disc of about so many pixels across, an odd number, three at least: how far each of its rows reaches. */
function disc(across) {
  const radius = Math.max(rounded((across - 1) / 2), 1);
  return Array.from({ length: 2 * radius + 1 }, (_, row) => {
    const dy = row - radius;
    return { dy, reach: rounded(radius * Math.sqrt(1 - (dy * dy) / (radius * radius))) };
  });
}
