// The queue as a visitor reads it: the lanes of the panel with their slots and rows, and the words at an output.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "./harness/app_page.mjs";

let fixture;
before(async () => { fixture = await start("fixture"); });
after(() => fixture.stop());

/**
 * What stands in the panel, lane by lane, and nothing that the page knows beside; put into the page as `window.panel`.
 * Of a job its id is what its cancel button names.
 */
function readPanel() {
  const text = (place, of) => place.querySelector(of)?.textContent ?? null;
  const cancels = (place) => [...place.querySelectorAll("button.cancel:not([disabled])")].map((button) => button.getAttribute("aria-label")).join();
  return [...document.querySelectorAll("aside [data-lane]:not([hidden])")].map((lane) => ({
    name: text(lane, ".lane-name"),
    slots: text(lane, ".lane-count"),
    callers: text(lane, ".lane-callers"),
    run: text(lane, ".lane-bar .estimate"),
    free: lane.querySelectorAll(".slots > .slot-free").length,
    running: [...lane.querySelectorAll(".slots > .slot-busy")].map((slot) => ({
      cancel: cancels(slot),
      says: slot.title,
      share: slot.querySelector("progress")?.getAttribute("value") ?? null,
      elapsed: text(slot, ".slot-words"),
    })),
    waiting: [...lane.querySelectorAll(".waiting > .waiting-row")].map((row) => ({
      cancel: cancels(row),
      position: text(row, ".position"),
      listener: text(row, ".waiting-words > :first-child"),
      estimate: text(row, ".estimate"),
    })),
  }));
}

async function opened(app) {
  const page = await app.open("?engine=cpu");
  await page.page.evaluate((source) => { window.panel = new Function(`return (${source})()`); }, String(readPanel));
  const lane = (name) => page.page.evaluate((name) => window.panel().find((lane) => lane.name === name), name);
  /** Waits until a lane of the panel is as the predicate wants it; gives what it was then. */
  const until = async (name, predicate, argument) => {
    const found = await page.page.waitForFunction(([name, source, argument]) => {
      const lane = window.panel().find((lane) => lane.name === name);
      return lane && new Function(`return (${source})`)()(lane, argument) && lane;
    }, [name, String(predicate), argument], { timeout: 30_000, polling: 20 });
    return found.jsonValue();
  };
  return { page, lane, until, panel: () => page.page.evaluate(() => window.panel()) };
}

/** Clicks buttons in one instant, so that none of their jobs is over before all of them are there. */
const clickAll = (page, names) => page.page.evaluate((names) => {
  const named = (name) => [...document.querySelectorAll("button")].find((button) => [button.textContent, button.ariaLabel].includes(name));
  names.forEach((name) => named(name).click());
}, names);

const jobsOf = async (page, lane) => (await page.snapshot()).jobs.filter((job) => job.lane === lane).map((job) => job.id);
const seconds = (words) => Number(/(\d+(?:\.\d+)?) s$/.exec(words)[1]);

test("the panel shows the guide's lanes of five and of two slots, busy ones beside free ones", async (t) => {
  const guide = await start("queue_guide");
  t.after(() => guide.stop());
  const { page, panel, until } = await opened(guide);
  const idle = (await panel()).map(({ name, slots, callers, free, running, waiting }) => [name, slots, callers, free, running, waiting]);
  assert.deepEqual(idle, [
    ["image_gen", "5 slots", "Generate Image", 5, [], []],
    ["gpu_queue", "2 slots", [1, 2, 3].map((n) => `Generate Image via model ${n}`).join(", "), 2, [], []],
  ]);
  for (const region of ["Example 1", "Example 2"]) await page.region(region).getByLabel("Prompt").fill("a green torus on sand");
  // Three of five slots, and one more job than two.
  await clickAll(page, [...Array(3).fill("Generate Image"), ...[1, 2, 3].map((n) => `Generate Image via model ${n}`)]);
  const [some, full] = await Promise.all([
    until("image_gen", ({ running }) => running.length === 3),
    until("gpu_queue", ({ running }) => running.length === 2),
  ]);
  assert.deepEqual([some.free, some.waiting.length], [2, 0]);
  assert.deepEqual([full.free, full.waiting.length], [0, 1]);
  for (const { says } of [...some.running, ...full.running]) assert.match(says, /^Generate Image.*: .*\d+\.\ds$/);
  assert.deepEqual(full.waiting.map(({ listener }) => listener), ["Generate Image via model 3"]);
  await clickAll(page, [...full.waiting, ...some.running, ...full.running].map(({ cancel }) => cancel));
  await until("gpu_queue", ({ free, waiting }) => free === 2 && waiting.length === 0);
  await until("image_gen", ({ free }) => free === 5);
  await page.close();
});

test("a lane shows those that run with how far and how long, and those that wait in order with their estimate", async () => {
  const { page, panel, lane, until } = await opened(fixture);
  const name = "panics";
  const { slots, free, run } = await lane(name);
  assert.deepEqual([slots, free, run], ["3 slots", 3, "no estimate yet"]);
  await clickAll(page, Array(12).fill("Innocent"));
  const first = await until(name, ({ running, waiting }) =>
    running.length === 3 && waiting.length === 9 && running.every(({ share }) => share !== null));
  const jobs = await jobsOf(page, name);
  const cancels = (of) => of.map(({ cancel }) => cancel);
  assert.deepEqual(cancels(first.running), jobs.slice(0, 3).map((job) => `Cancel job ${job}`));
  assert.deepEqual(cancels(first.waiting), jobs.slice(3).map((job) => `Cancel job ${job}`));
  assert.equal(first.free, 0);
  assert.deepEqual(first.waiting.map(({ position }) => position), ["1", "2", "3", "4", "5", "6", "7", "8", "9"]);
  assert.deepEqual(first.waiting.map(({ listener, estimate }) => [listener, estimate]), jobs.slice(3).map((job) => ["Innocent", `${job} · no estimate yet`]));
  for (const { says, share, elapsed } of first.running) {
    assert.match(says, /^Innocent: \d+\/50 steps \| \d+\.\d(\/\d+\.\d)?s$/);
    assert.ok(Number(share) >= 0 && Number(share) < 1, share);
    assert.match(elapsed, /^\d\.\d s$/);
  }
  // They go on: further, and for longer.
  const on = await until(name, ({ running }, before) => running.every(({ share, elapsed }, at) =>
    Number(share) > Number(before[at].share) && parseFloat(elapsed) > parseFloat(before[at].elapsed)), first.running);
  assert.deepEqual(cancels(on.running), cancels(first.running));
  for (const [at, { says }] of on.running.entries()) assert.notEqual(says, first.running[at].says);

  // Once a run is over, what the others take is known.
  const then = await until(name, ({ running, waiting }) =>
    running.length === 3 && waiting.length === 6 && waiting.every(({ estimate }) => /done in/.test(estimate)));
  assert.deepEqual(cancels(then.running), jobs.slice(3, 6).map((job) => `Cancel job ${job}`));
  assert.deepEqual(cancels(then.waiting), jobs.slice(6).map((job) => `Cancel job ${job}`));
  assert.deepEqual(then.waiting.map(({ position }) => position), ["1", "2", "3", "4", "5", "6"]);
  const took = await page.region("Ended").getByText(/^Innocent: done in/).allTextContents();
  const mean = took.reduce((sum, words) => sum + seconds(words), 0) / took.length;
  // By the listener whose runs are known, which is not the lane's first.
  assert.match(then.run, /^a run takes \d+(\.\d)? s ± \d+(\.\d)? s$/);
  const left = then.waiting.map(({ estimate }) => seconds(estimate));
  assert.deepEqual(left.toSorted((a, b) => a - b), left, "who is further behind waits longer");
  // Two rows of three behind those that run: one run's time for a slot to be free at most, then one or two.
  assert.ok(left[0] > 0.9 * mean && left[2] < 2.5 * mean && left[3] > 1.9 * mean && left[5] < 4 * mean, `${left} for runs of ${mean} s`);

  // Each job's button is that job's: of those that wait the second goes, and of those that run.
  const gone = await page.page.evaluate((name) => {
    const { running, waiting } = window.panel().find((lane) => lane.name === name);
    const names = [running, waiting].map((of) => of[1].cancel);
    names.forEach((name) => document.querySelector(`[aria-label="${name}"]`).click());
    return names;
  }, name);
  await until(name, ({ running, waiting }, gone) => [...running, ...waiting].every(({ cancel }) => cancel && !gone.includes(cancel)), gone);
  await page.ended(name, "cancelled", 2);
  const { jobs: all } = await page.snapshot();
  assert.deepEqual(all.filter(({ state }) => state === "cancelled").map(({ id }) => `Cancel job ${id}`), gone);
  await page.page.evaluate((name) => {
    const { running, waiting } = window.panel().find((lane) => lane.name === name);
    [...running, ...waiting].forEach(({ cancel }) => document.querySelector(`[aria-label="${cancel}"]`).click());
  }, name);
  await until(name, ({ free, running, waiting }) => free === 3 && running.length + waiting.length === 0);
  assert.ok((await panel()).every(({ running, waiting }) => running.length + waiting.length === 0));
  await page.close();
});

test("an output says its job's place and estimate while it waits, then how far it is, or that it is processed", async () => {
  const page = await fixture.open();
  const said = (pattern) => page.page.getByTestId("status").getByText(pattern).first().waitFor();
  await page.press("Steps");
  // Another tab's job has the slot, so that all there is to say in this one is how its own wait.
  const other = await page.another();
  await page.page.bringToFront();
  await page.ended("steps_1", "done", 1);
  const [, words] = await Promise.all([
    other.page.evaluate(async () => { const run = window.gradus.submit("steps_1", ["x"]); run.done.catch(() => {}); await run.accepted; }),
    page.page.locator('[data-lane="steps_1"] .lane-bar .estimate').textContent(),
  ]);
  assert.match(words, /^a run takes \d\.\d s$/);
  await clickAll(page, ["Steps", "Steps"]);
  await said(/^queue: 1\/2 \| \d\.\ds$/);
  await said(/^\d+\/50 steps \| \d\.\d\/\d\.\ds$/);
  const left = (await page.snapshot()).jobs.filter(({ state }) => /waiting|running/.test(state));
  await clickAll(page, left.map(({ id }) => `Cancel job ${id}`));
  await page.ended("steps_1", "cancelled", left.length);
  await page.press("Sync");
  await said(/^processing \| \d\.\ds$/);
  await page.press(`Cancel job ${(await jobsOf(page, "sync"))[0]}`);
  await page.ended("sync", "cancelled", 1);
  await page.close();
});
