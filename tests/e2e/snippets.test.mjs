// The page's own JavaScript without a browser: what a browser makes hard to bring about.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mock, test } from "node:test";

Promise.withResolvers ??= () => {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
};

const load = (path) => {
  const source = readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
  return import(`data:text/javascript,${encodeURIComponent(source)}`);
};

/** A run, and the function by which its page hears of it. */
async function run() {
  globalThis.window = {};
  let hear;
  (await load("src/launch/gradus.js")).install({ observe() {}, submit: (name, inputs, told) => { hear = told; } });
  return { run: window.gradus.submit("paint"), hear };
}

const taken = async (run) => {
  const all = [];
  for await (const given of run) all.push(given);
  return all;
};

test("a run without a loop keeps the latest partial result and no other", async () => {
  const { run: own, hear } = await run();
  for (let step = 0; step < 5; step += 1) hear("partial", step);
  const first = taken(own);
  const second = own[Symbol.asyncIterator]();
  assert.equal((await second.next()).value, 4);
  hear("partial", 5);
  hear("partial", 6);
  hear("done", []);
  assert.deepEqual(await first, [4, 5, 6]);
  assert.deepEqual([(await second.next()).value, (await second.next()).value], [5, 6], "each loop has its own");
  assert.equal((await second.next()).done, true);
  assert.deepEqual(await taken(own), [6], "a loop that comes late");
});

test("a loop over a run that fails gives what there was, and throws", async () => {
  const { run: own, hear } = await run();
  const loop = own[Symbol.asyncIterator]();
  const next = loop.next();
  hear("partial", 1);
  hear("failed", "as planned");
  assert.equal((await next).value, 1);
  await assert.rejects(loop.next(), { name: "failed", message: "as planned" });
});

test("a database that answers too late is not left open", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const request = { result: { close: mock.fn() } };
  const browser = { indexedDB: { open: () => request }, isSecureContext: true, navigator: { locks: {} } };
  for (const [name, value] of Object.entries(browser)) Object.defineProperty(globalThis, name, { value, configurable: true });
  const opening = (await load("src/browser/origin.js")).openLog("test");
  mock.timers.tick(3000);
  await assert.rejects(opening, /does not answer/);
  request.onsuccess();
  assert.equal(request.result.close.mock.callCount(), 1);
  mock.timers.reset();
});
