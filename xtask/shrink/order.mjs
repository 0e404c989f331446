// An order of functions in which those that are alike stand side by side: gzip looks back 32 kB at the most, and finds
// more there that it has seen before. Measured on examples/hello: 1 % less.
import { SECTION, encoded, importsOf, leb, number, section, sections } from "./wasm.mjs";

/** Bytes before a function among which it is to find its like. */
const WINDOW = 10_000;
const BITS = 13;

/** The module with a name section that names its functions by their new place, for wasm-opt to sort by. */
export function withOrder(bytes) {
  let imported = 0;
  let bodies = [];
  for (const { id, body } of sections(bytes)) {
    if (id === SECTION.import) imported = [...importsOf(body)].filter(({ kind }) => kind === 0).length;
    if (id === SECTION.code) bodies = bodiesOf(body);
  }
  const place = new Array(bodies.length);
  ordered(bodies).forEach((index, rank) => (place[index] = rank));
  const names = place.map((rank, index) =>
    Buffer.concat([leb(index + imported), encoded(String(rank).padStart(6, "0"))]));
  const functions = section(1, Buffer.concat([leb(names.length), ...names]));
  return Buffer.concat([bytes, section(SECTION.custom, Buffer.concat([encoded("name"), functions]))]);
}

function bodiesOf(code) {
  const count = number(code, 0);
  const bodies = [];
  for (let at = count.end; bodies.length < count.value; ) {
    const size = number(code, at);
    bodies.push(code.subarray(size.end, size.end + size.value));
    at = size.end + size.value;
  }
  return bodies;
}

// Greedy: next is the one of whose four-byte runs the largest share stands in the window.
function ordered(bodies) {
  const runs = bodies.map(runsOf);
  const seen = new Uint32Array(1 << BITS);
  const window = [];
  let inWindow = 0;
  const order = [];
  const left = new Set(bodies.keys());
  for (let next = 0; next !== undefined; next = best(left, runs, seen)) {
    left.delete(next);
    order.push(next);
    window.push(next);
    inWindow += bodies[next].length;
    for (const run of runs[next]) seen[run]++;
    while (inWindow > WINDOW) {
      const first = window.shift();
      inWindow -= bodies[first].length;
      for (const run of runs[first]) seen[run]--;
    }
  }
  return order;
}

function best(left, runs, seen) {
  let found;
  let most = -1;
  for (const index of left) {
    let known = 0;
    for (const run of runs[index]) known += seen[run] > 0;
    // So that tiny functions do not all come first.
    const share = known / (runs[index].length + 8);
    if (share > most) [found, most] = [index, share];
  }
  return found;
}

function runsOf(body) {
  const runs = new Set();
  for (let at = 0; at + 4 <= body.length; at++) {
    runs.add(Math.imul(body.readUInt32LE(at), 0x9e3779b1) >>> (32 - BITS));
  }
  return Uint16Array.from(runs);
}
