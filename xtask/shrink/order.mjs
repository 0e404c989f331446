// An order of functions in which those that are alike stand side by side: gzip looks back 32 kB at the most, and finds
// more there that it has seen before. Measured: 2.5 % less of examples/hello, 2 % of the demo.
import { SECTION, encoded, importsOf, leb, number, section, sections } from "./wasm.mjs";

/** Bytes before a function among which it is to find its like. */
const WINDOW = 10_000;
/** Bytes of a run, and bits of its hash: with fewer bits strangers look alike. */
const RUN = 5;
const BITS = 18;

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

// Greedy: next is the one of whose runs the largest share stands in the window. A run that few functions have tells
// more than one that most have, and one that no other has tells nothing.
function ordered(bodies) {
  const runs = bodies.map(runsOf);
  const owners = ownersOf(runs);
  const weights = owners.map((list) => (list.length > 1 ? list.length ** -0.6 : 0));
  const totals = runs.map((list) => list.reduce((sum, run) => sum + weights[run], 0));
  const known = new Float64Array(bodies.length);
  const seen = new Uint32Array(owners.length);
  const add = (run, sign) => owners[run].forEach((index) => (known[index] += sign * weights[run]));
  const window = [];
  let inWindow = 0;
  const order = [];
  const left = new Set(bodies.keys());
  for (let next = 0; next !== undefined; next = best(left, known, totals)) {
    left.delete(next);
    order.push(next);
    window.push(next);
    inWindow += bodies[next].length;
    for (const run of runs[next]) if (seen[run]++ === 0) add(run, 1);
    while (inWindow > WINDOW) {
      const first = window.shift();
      inWindow -= bodies[first].length;
      for (const run of runs[first]) if (--seen[run] === 0) add(run, -1);
    }
  }
  return order;
}

function best(left, known, totals) {
  let found;
  let most = -1;
  for (const index of left) {
    // So that tiny functions do not all come first.
    const share = known[index] / (totals[index] + 8);
    if (share > most) [found, most] = [index, share];
  }
  return found;
}

/** The different runs of a function's bytes, as hashes. */
function runsOf(body) {
  const runs = new Set();
  for (let at = 0; at + RUN <= body.length; at++) {
    const high = Math.imul(body.readUInt32LE(at), 0x9e3779b1);
    runs.add(Math.imul(high ^ body[at + RUN - 1], 0x85ebca6b) >>> (32 - BITS));
  }
  return Uint32Array.from(runs);
}

/** The functions that have a run, for each run. */
function ownersOf(runs) {
  const owners = Array.from({ length: 1 << BITS }, () => []);
  runs.forEach((list, index) => list.forEach((run) => owners[run].push(index)));
  return owners;
}
