// A browser that stores nothing, or what it stored is broken, or a tab in the background: the queue goes on.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "./harness/app_page.mjs";

let app;
before(async () => { app = await start("fixture"); });
after(() => app.stop());

const NOT_KEPT = /Nothing outlives this page, since the browser stores nothing/;

test("a page on plain http from another machine says in one line that nothing is kept, and why", async () => {
  const page = await app.open("", { host: "plain.test" });
  assert.equal(await page.page.evaluate(() => isSecureContext), false);
  await page.page.getByText(/Nothing outlives this page.*https/).waitFor();
  assert.equal(await page.page.getByText(NOT_KEPT).count(), 1);
  assert.ok(await work(page, 5));
  await page.close();
});

/** So many jobs from a script, to their ends; how long that took. */
const work = (page, count) => page.page.evaluate(async (count) => {
  const began = performance.now();
  const runs = Array.from({ length: count }, () => window.gradus.submit("noop"));
  await Promise.all(runs.map((run) => run.done));
  return performance.now() - began;
}, count);

/** Opens the fixture with a browser in which `change` was done first. */
async function opened(change, argument) {
  const page = await app.open();
  await page.page.addInitScript(change, argument);
  await page.page.reload();
  // Not by frames: a change may have stopped them.
  await page.page.waitForFunction(() => window.gradus?.snapshot, undefined, { polling: 50 });
  return page;
}

for (const [name, change] of [
  ["refused, as in a private window", () => { IDBFactory.prototype.open = () => { throw new DOMException("no", "SecurityError"); }; }],
  ["refused with all that tabs share, as where a site may store nothing", () => {
    const refuse = () => { throw new DOMException("no", "SecurityError"); };
    IDBFactory.prototype.open = refuse;
    LockManager.prototype.request = async () => refuse();
  }],
  ["blocked", () => { IDBFactory.prototype.open = () => new EventTarget(); }],
]) {
  test(`a database that is ${name} is said in one line, and jobs run`, async () => {
    const page = await opened(change);
    assert.ok(await work(page, 20));
    await page.page.getByText(NOT_KEPT).waitFor();
    assert.equal(await page.page.getByText(NOT_KEPT).count(), 1);
    await page.close();
  });
}

test("a disk that fills up is said in one line, and jobs run", async () => {
  // As browsers tell it: the transaction is aborted, and its error is the quota's.
  const page = await opened(() => {
    const add = IDBObjectStore.prototype.add;
    let room = 20;
    IDBObjectStore.prototype.add = function (...all) {
      const request = add.apply(this, all);
      room -= 1;
      if (room < 0) {
        Object.defineProperty(this.transaction, "error", { value: new DOMException("the disk is full", "QuotaExceededError") });
        this.transaction.abort();
      }
      return request;
    };
  });
  for (let n = 0; n < 30; n += 1) await work(page, 1);
  await page.page.getByText(NOT_KEPT).waitFor();
  assert.equal(await page.page.getByText(NOT_KEPT).count(), 1);
  assert.ok(await work(page, 20));
  // What was written before does not come back without what became of it since.
  await page.page.reload();
  await page.page.waitForFunction(() => window.gradus?.snapshot);
  assert.ok(await work(page, 1));
  assert.equal((await page.snapshot()).jobs.filter((job) => job.listener === "noop").length, 1);
  await page.close();
});

test("a broken log is said, and a new one begun", async () => {
  const page = await app.open();
  await work(page, 5);
  const spoil = () => new Promise((done, failed) => {
    indexedDB.databases().then(([{ name }]) => {
      const request = indexedDB.open(name);
      request.onsuccess = () => {
        const transaction = request.result.transaction("log", "readwrite");
        transaction.objectStore("log").clear();
        for (let n = 0; n < 3; n += 1) transaction.objectStore("log").add(new Uint8Array([255, 1, 2, 3, n]));
        transaction.oncomplete = () => { request.result.close(); done(); };
        transaction.onabort = () => failed(transaction.error);
      };
      request.onerror = () => failed(request.error);
    });
  });
  await page.page.evaluate(spoil);
  await page.page.reload();
  await page.page.getByText(/The stored queue could not be read/).waitFor();
  assert.ok(await work(page, 5));
  // What is written now is there the next time.
  await page.page.reload();
  await page.page.waitForFunction(() => window.gradus?.snapshot().jobs.filter((job) => job.state === "done").length >= 5);
  assert.equal(await page.page.getByText(/The stored queue could not be read/).count(), 0);
  await page.close();
});

test("a tab in the background runs its queue as fast: neither frames nor timers drive it", async () => {
  // What browsers do to hidden pages: no frame, and timers once a second.
  const page = await opened(() => {
    Object.defineProperty(document, "hidden", { value: true });
    Object.defineProperty(document, "visibilityState", { value: "hidden" });
    window.requestAnimationFrame = () => 0;
    const [timeout, interval] = [window.setTimeout, window.setInterval];
    window.setTimeout = (act, time = 0, ...rest) => timeout(act, Math.max(time, 1000), ...rest);
    window.setInterval = (act, time = 0, ...rest) => interval(act, Math.max(time, 1000), ...rest);
  });
  await work(page, 1);
  const took = await work(page, 200);
  // One a second at worst would be minutes.
  assert.ok(took < 4_000, `200 jobs took ${took} ms`);
  await page.close();
});
