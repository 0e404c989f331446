// The queue's promises in a real browser: reloads, crashes, several tabs, scripts.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "./harness/app_page.mjs";

const RELOADS = Number(process.env.GRADUS_RELOADS ?? 20);
const KILLS = Number(process.env.GRADUS_KILLS ?? 5);
const JOBS = 100;

let app;
before(async () => { app = await start("fixture"); });
after(() => app.stop());

/** Submits so many jobs from a script; gives the ids of those that were accepted before the page went away. */
const submit = (page, first, count) => page.page.evaluate(async ([first, count]) => {
  const runs = Array.from({ length: count }, (_, n) => window.gradus.submit("work", [`w${first + n}`]));
  return Promise.all(runs.map((run) => run.accepted));
}, [first, count]);

/**
 * Every accepted job, once, with one end; and no others of its listener. That is done, or that pages went away under it
 * as often as may be.
 */
async function check(page, accepted) {
  const { jobs } = await page.snapshot();
  const work = jobs.filter((job) => job.listener === "work");
  assert.deepEqual(work.map((job) => job.id).sort(), [...accepted].sort());
  const other = work.filter((job) => job.state !== "done" && !/^The page went away 4 times/.test(job.error));
  assert.deepEqual(other, []);
  assert.ok(work.filter((job) => job.state === "done").length > 0.9 * work.length);
}

const allDone = (page, count) => page.until(
  (snapshot, count) => snapshot.jobs.filter((job) => job.listener === "work" && /done|failed/.test(job.state)).length >= count,
  count, 60_000,
);
/** Lives of a page end at moments that nothing else decides; the same ones each time. */
const moments = (seed) => () => { seed = (seed * 1_664_525 + 1_013_904_223) % 2 ** 32; return seed / 2 ** 32; };

test(`${RELOADS} reloads lose and double nothing`, async () => {
  const next = moments(1);
  // Each load of the page is a job too, and the snapshot has the last 200: a browser of its own for 40 reloads.
  for (let left = RELOADS; left > 0; left -= 40) {
    const page = await app.open();
    const accepted = await submit(page, 0, JOBS);
    for (let time = 0; time < Math.min(left, 40); time += 1) {
      await page.page.waitForTimeout(next() * 150);
      await page.page.reload();
      await page.page.waitForFunction(() => window.gradus?.snapshot);
    }
    await allDone(page, JOBS);
    await check(page, accepted);
    // The last load's job writes the same output.
    await page.until((snapshot) => snapshot.jobs.every((job) => !/waiting|running/.test(job.state)));
    await submit(page, 999, 1);
    await page.shows("Out", "w999 worked");
    await page.close();
  }
});

test("what a page has shown as done is not made again after a reload in that moment", async () => {
  const page = await app.open();
  for (let time = 0; time < 12; time += 1) {
    // The page reloads itself in the very turn in which it first sees the end.
    const reloaded = page.page.waitForEvent("load");
    await page.page.evaluate(() => {
      const state = (id) => window.gradus.snapshot().jobs.find((job) => job.id === id)?.state;
      const { port1, port2 } = new MessageChannel();
      window.gradus.submit("work", ["seen"]).accepted.then((id) => {
        port1.onmessage = () => {
          if (state(id) !== "done") return port2.postMessage(0);
          sessionStorage.setItem("seen", id);
          location.reload();
        };
        port2.postMessage(0);
      });
    });
    await reloaded;
    await page.page.waitForFunction(() => window.gradus?.snapshot);
    const id = await page.page.evaluate(() => sessionStorage.getItem("seen"));
    await page.until((snapshot, id) => snapshot.jobs.find((job) => job.id === id)?.state === "done", id);
    const job = (await page.snapshot()).jobs.find((job) => job.id === id);
    assert.equal(job.attempt, 1, `reload ${time}: it was seen as done, and made again`);
  }
  await page.close();
});

test(`${KILLS} crashes of the renderer lose and double nothing`, async () => {
  let page = await app.open();
  const next = moments(2);
  const accepted = await submit(page, 0, JOBS);
  for (let time = 0; time < KILLS; time += 1) {
    await page.page.waitForTimeout(next() * 300);
    page = await page.crash();
  }
  await allDone(page, JOBS);
  await check(page, accepted);
  await page.close();
});

test("three tabs have one limit, one queue, and each its own results", async () => {
  const first = await app.open();
  const tabs = [first, await first.another(), await first.another()];
  for (const tab of tabs) await tab.page.evaluate(() => {
    window.most = 0;
    const look = () => { window.most = Math.max(window.most, ...window.gradus.snapshot().lanes.filter((lane) => lane.id === "work").map((lane) => lane.running.length)); };
    window.gradus.on("started", look);
    setInterval(look, 5);
  });
  const accepted = (await Promise.all(tabs.map((tab, n) => submit(tab, n * 100, 30)))).flat();
  assert.equal(new Set(accepted).size, 90);
  for (const tab of tabs) await allDone(tab, 90);
  for (const [n, tab] of tabs.entries()) {
    await check(tab, accepted);
    assert.ok((await tab.page.evaluate(() => window.most)) <= 2);
    const last = await tab.page.getByLabel("Out", { exact: true }).inputValue();
    assert.match(last, [/^w[012]?\d worked/, /^w1\d\d worked/, /^w2\d\d worked/][n]);
  }
  await first.close();
});

test("the lead moves within a second and loses nothing", async () => {
  const leader = await app.open();
  const other = await leader.another();
  const accepted = [...await submit(other, 0, 40), ...await submit(leader, 100, 40)];
  const began = Date.now();
  await leader.page.close();
  const done = async () => (await other.snapshot()).jobs.filter((job) => job.state === "done").length;
  const before = await done();
  await other.until((snapshot, before) => snapshot.jobs.filter((job) => job.state === "done").length > before, before);
  assert.ok(Date.now() - began < 2_000, `${Date.now() - began} ms`);
  await allDone(other, 80);
  await check(other, accepted);
  await other.close();
});

test("a frozen tab gives up the lead and comes back", async () => {
  const leader = await app.open();
  const other = await leader.another();
  const accepted = await submit(leader, 0, 40);
  await leader.freeze(true);
  await allDone(other, 40);
  await check(other, accepted);
  await leader.freeze(false);
  await allDone(leader, 40);
  accepted.push(...await submit(leader, 40, 5));
  await allDone(leader, 45);
  await check(leader, accepted);
  await leader.close();
});

test("a duplicated tab has a session of its own", async () => {
  const first = await app.open();
  const storage = await first.page.evaluate(() => ({ ...sessionStorage }));
  const second = await first.another({ storage });
  const session = (page) => page.page.evaluate(() => Object.values(sessionStorage).join());
  assert.notEqual(await session(first), await session(second));
  const before = await session(first);
  await first.page.reload();
  await first.page.waitForFunction(() => window.gradus?.snapshot);
  assert.equal(await session(first), before);
  await first.close();
});

test("scripts submit, follow and cancel, and every promise settles", async () => {
  const page = await app.open();
  const seen = await page.page.evaluate(async () => {
    const { gradus } = window;
    const heard = [];
    const off = gradus.on("ended", (id) => heard.push(id));
    const run = gradus.submit("work", ["x"]);
    const partials = [];
    for await (const [text] of run) partials.push(text);
    const [result] = await run.done;
    off();
    const failed = await gradus.submit("fails", ["y"]).done.catch((error) => [error.name, error.message]);
    const stopped = gradus.submit("steps", ["z"]);
    stopped.cancel();
    const cancelled = await stopped.done.catch((error) => error.name);
    const wrong = [["nobody"], ["work", []], ["work", [1]], ["work", "x"], ["work", [Symbol("s")]], ["work", [{ width: 1e9, height: 1, data: new Uint8ClampedArray(4) }]]].map((call) => {
      try { gradus.submit(...call); return "taken"; } catch (error) { return error.name; }
    });
    let listens;
    try { gradus.on("nothing", () => {}); } catch (error) { listens = error.name; }
    return { partials, result, id: run.id, heard, failed, cancelled, wrong, listens };
  });
  assert.deepEqual(seen.partials, ["x a", "x b"]);
  assert.equal(seen.result, "x worked");
  assert.ok(seen.heard.includes(seen.id), seen.heard.join());
  assert.deepEqual(seen.failed, ["failed", "It failed on y. Try another."]);
  assert.equal(seen.cancelled, "cancelled");
  assert.deepEqual(seen.wrong, Array(6).fill("TypeError"));
  assert.equal(seen.listens, "TypeError");
  await page.close();
});
