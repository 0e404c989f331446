// The page's own JavaScript without a browser: what a browser makes hard to bring about.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mock, test } from "node:test";

const load = (path) => {
  const source = readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
  return import(`data:text/javascript,${encodeURIComponent(source)}`);
};

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
