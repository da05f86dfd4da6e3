// What colors a product has, as a unit vector: the numbers of features/color_histogram.py, where the reasons stand.
//
// In: pixels (S, S, 3), S, the manifest's options. Out: a vector (D,). Never: counts the ground.

import { foreground } from "./foreground.js";
import { rounded } from "./pixels.js";

const LOW = [0, -40, -40];
const WIDTH = [100, 80, 80];
const LIGHTNESS = 11;
const BINS = 9;
const SOFTNESS = 5.5;
const STEP = 5; // levels between the colors that stand for all of a screen's
const TO_XYZ = [
  [0.4124564, 0.3575761, 0.1804375],
  [0.2126729, 0.7151522, 0.072175],
  [0.0193339, 0.119192, 0.9503041],
];
const TO_WHITE = TO_XYZ.map((row) => row.map((one) => one / row.reduce((sum, other) => sum + other, 0)));
const LINEAR = Array.from({ length: 256 }, (_, level) =>
  level / 255 <= 0.04045 ? level / 255 / 12.92 : ((level / 255 + 0.055) / 1.055) ** 2.4,
);

const grids = new Map();

/** The colors of a picture's foreground -> (D,), whose inner product with another is the overlap of the two. */
export function colorHistogram(pixels, size, { lightness = LIGHTNESS, bins = BINS, softness = SOFTNESS } = {}) {
  const grid = gridOf(lightness, bins, softness);
  const mask = foreground(pixels, size);
  const counted = new Float64Array(grid.worth.length);
  mask.forEach((there, at) => there && onCorners(counted, along(pixels.subarray(3 * at, 3 * at + 3), grid.fine), grid.fine));
  const amplitude = Float64Array.from(shares(counted, grid), Math.sqrt);
  const length = Math.hypot(...amplitude);
  return Float32Array.from(amplitude, (one) => one / length);
}

/** CIELAB under D65 of a color of a screen. */
export function cielab(color) {
  const [x, y, z] = TO_WHITE.map((row) => {
    const share = row.reduce((sum, weight, channel) => sum + weight * LINEAR[color[channel]], 0);
    return share > 216 / 24389 ? Math.cbrt(share) : share * (841 / 108) + 4 / 29;
  });
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/** Where a color lies on each axis, chroma drawn together: 0 at its first mark, 1 at the next. */
function along(color, marks) {
  const [light, a, b] = cielab(color);
  const chroma = Math.max(0.045 * Math.hypot(a, b), 1e-6);
  const factor = Math.log1p(chroma) / chroma;
  return [light, a * factor, b * factor].map((place, axis) => ((place - LOW[axis]) / WIDTH[axis]) * (marks[axis] - 1));
}

/** One pixel counted on a grid, shared linearly among the eight corners of its cell. */
function onCorners(counted, place, fine) {
  const cell = place.map((one, axis) => Math.min(Math.max(Math.floor(one), 0), fine[axis] - 2));
  const beyond = place.map((one, axis) => Math.min(Math.max(one - cell[axis], 0), 1));
  for (let corner = 0; corner < 8; corner++) {
    const after = [corner >> 2, (corner >> 1) & 1, corner & 1];
    const weight = after.reduce((product, is, axis) => product * (is ? beyond[axis] : 1 - beyond[axis]), 1);
    const [light, a, b] = cell.map((one, axis) => one + after[axis]);
    counted[(light * fine[1] + a) * fine[2] + b] += weight;
  }
}

/** How much of what was counted each bin takes; together 1. */
function shares(counted, { fine, toLightness, toBins, kept, worth }) {
  const [lights, hues] = fine;
  const [lightness, bins] = [toLightness[0].length, toBins[0].length];
  const taken = new Float64Array(lightness * bins * bins);
  for (let at = 0; at < counted.length; at++) {
    if (!counted[at]) continue;
    const [light, a, b] = [Math.floor(at / (hues * hues)), Math.floor(at / hues) % hues, at % hues];
    eachBin(lightness, bins, (bin, i, j, k) => {
      taken[bin] += counted[at] * worth[at] * toLightness[light][i] * toBins[a][j] * toBins[b][k];
    });
  }
  const all = counted.reduce((sum, one) => sum + one, 0);
  return kept.map((bin) => taken[bin] / all);
}

function eachBin(lightness, bins, visit) {
  for (let bin = 0; bin < lightness * bins * bins; bin++) {
    visit(bin, Math.floor(bin / (bins * bins)), Math.floor(bin / bins) % bins, bin % bins);
  }
}

function gridOf(lightness, bins, softness) {
  const name = `${lightness} ${bins} ${softness}`;
  if (!grids.has(name)) grids.set(name, made(lightness, bins, softness));
  return grids.get(name);
}

function made(lightness, bins, softness) {
  const fine = WIDTH.map((width) => Math.ceil(Math.fround(width / Math.fround(softness))) + 1);
  const toLightness = gaussian(fine[0], lightness, WIDTH[0], softness);
  const toBins = gaussian(fine[1], bins, WIDTH[1], softness);
  const kept = ofAScreen([lightness, bins, bins]);
  const isKept = new Uint8Array(lightness * bins * bins);
  kept.forEach((bin) => (isKept[bin] = 1));
  const worth = Float64Array.from({ length: fine[0] * fine[1] * fine[2] }, (_, at) => {
    const [light, a, b] = [Math.floor(at / (fine[1] * fine[2])), Math.floor(at / fine[2]) % fine[1], at % fine[2]];
    let share = 0;
    eachBin(lightness, bins, (bin, i, j, k) => {
      if (isKept[bin]) share += toLightness[light][i] * toBins[a][j] * toBins[b][k];
    });
    return 1 / Math.max(share, 1e-6);
  });
  return { fine, toLightness, toBins, kept, worth };
}

/** The share that each of the bins takes of each of the corners on an axis. */
function gaussian(corners, bins, width, softness) {
  return Array.from({ length: corners }, (_, corner) => {
    const exponents = Array.from({ length: bins }, (_, bin) => {
      const mark = bins > 1 ? (bin * width) / (bins - 1) : width / 2;
      return -0.5 * (((corner * width) / (corners - 1) - mark) / softness) ** 2;
    });
    const weights = exponents.map((one) => Math.exp(one - Math.max(...exponents)));
    const total = weights.reduce((sum, one) => sum + one, 0);
    return weights.map((one) => one / total);
  });
}

/** The bins that are the nearest one of some color of a screen, rising. */
function ofAScreen(bins) {
  const found = new Set();
  for (let red = 0; red < 256; red += STEP) {
    for (let green = 0; green < 256; green += STEP) {
      for (let blue = 0; blue < 256; blue += STEP) {
        const [light, a, b] = along([red, green, blue], bins).map(rounded);
        found.add((light * bins[1] + a) * bins[2] + b);
      }
    }
  }
  return [...found].sort((one, other) => one - other);
}
