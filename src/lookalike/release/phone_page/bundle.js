// A release's phone/ folder, opened: a picture's square in, products out.
//
// In: the folder's address, ONNX Runtime; then squares (S, S, 3). Out: vectors; hits, best first. Never: asks for anything
// once it is open, or opens a bundle that is not whole.

import { colorHistogram } from "./color.js";

const KIND = "lookalike phone bundle";
const FORMAT = 1;

/** All of a bundle in memory. at: the folder's address, a slash last; told: hears of each file that came. */
export async function opened(at, runtime, told = () => {}) {
  const manifest = JSON.parse(text(await read(at + "manifest.json")));
  refuse(manifest, at);
  const part = async (name) => {
    const bytes = await read(at + name);
    if (bytes.byteLength !== manifest.bytes[name]) {
      throw new Error(`${at}${name} has ${bytes.byteLength} bytes and the manifest says ${manifest.bytes[name]}; copy the bundle again`);
    }
    told(name, bytes.byteLength);
    return bytes;
  };
  const { shape, of, color } = manifest.dimensions;
  return {
    manifest,
    ids: JSON.parse(text(await part("ids.json"))),
    products: JSON.parse(text(await part("products.json"))),
    shape: rows(await part("shape.i8"), shape),
    color: rows(await part("color.i8"), color),
    axes: shape === of ? null : new Float32Array(await part("axes.f32")), // little-endian, as every browser's machine is
    network: await runtime.InferenceSession.create(await part("model.onnx"), { executionProviders: ["wasm"] }),
    runtime,
  };
}

/** What a bundle sees in a square (S, S, 3): {shape, color}, as long as its rows. */
export async function looked(bundle, square) {
  const { manifest, network, runtime } = bundle;
  const size = manifest.preprocessing.size;
  const picture = new runtime.Tensor("uint8", Uint8Array.from(square), [1, size, size, 3]);
  const given = await network.run({ [network.inputNames[0]]: picture });
  const color = colorHistogram(square, size, manifest.color);
  if (color.length !== manifest.dimensions.color) {
    throw new Error(`a color is ${color.length} numbers here and ${manifest.dimensions.color} in the bundle; take the page of its lookalike`);
  }
  return { shape: turned(given[network.outputNames[0]].data, bundle), color };
}

/** The k products most alike: {id, score, shape, color, facts}. weight: of color, 0 to 1. Of equal ones the first by id. */
export function hits(bundle, seen, weight, k) {
  const found = bundle.ids.map((id, row) => {
    const [shape, color] = [cosine(bundle.shape, row, seen.shape), cosine(bundle.color, row, seen.color)];
    return { id, shape, color, score: (1 - weight) * shape + weight * color };
  });
  found.sort((one, other) => other.score - one.score); // stable, and the ids rise
  return found.slice(0, k).map((one) => ({ ...one, facts: bundle.products[one.id] }));
}

function refuse({ kind, format, preprocessing }, at) {
  if (kind !== KIND) throw new Error(`${at} is no phone bundle: its manifest says ${kind}; \`lookalike index RELEASE dataset=NAME phone=true\` makes one`);
  if (format !== FORMAT) throw new Error(`${at} has the format ${format}, and this page reads ${FORMAT}; take the page of its lookalike`);
  if (preprocessing.mask) throw new Error(`${at}: its network wants pictures whose background is painted white, and this page paints none`);
}

async function read(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status} ${answer.statusText}; put the bundle's folder beside this page`);
  return answer.arrayBuffer();
}

function text(bytes) {
  return new TextDecoder().decode(bytes);
}

/** Whole numbers -127..127 and each row's length: their scales (scales.f32) fall out of a cosine. */
function rows(bytes, width) {
  const numbers = new Int8Array(bytes);
  const lengths = Float64Array.from({ length: numbers.length / width }, (_, row) =>
    Math.hypot(...numbers.subarray(row * width, (row + 1) * width)),
  );
  return { numbers, width, lengths };
}

function cosine({ numbers, width, lengths }, row, vector) {
  let sum = 0;
  for (let at = 0; at < width; at++) sum += numbers[row * width + at] * vector[at];
  return sum / Math.max(lengths[row], 1e-12);
}

/** A vector along the bundle's axes, of length one again; as it is where the bundle keeps all of it. */
function turned(vector, { axes, manifest }) {
  if (axes === null) return vector;
  const width = manifest.dimensions.shape;
  const along = Float64Array.from({ length: width }, (_, axis) =>
    vector.reduce((sum, one, at) => sum + one * axes[at * width + axis], 0),
  );
  const length = Math.max(Math.hypot(...along), 1e-12);
  return along.map((one) => one / length);
}
