import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "./harness/app_page.mjs";

let app;
before(async () => { app = await start("fixture"); });
after(() => app.stop());

const out = (page) => page.page.getByLabel("Out", { exact: true });
const jobsOf = async (page, listener) => (await page.snapshot()).jobs.filter((job) => job.listener === listener);

/** What a handler that panics says on the console, and what a browser may say of its worker then. */
const PANIC = /the handler broke on x|unreachable/;

const shows = (page, text) => page.shows("Out", text);

test("load, no-op, partial results and iterators reach the page", async () => {
  const page = await app.open();
  await shows(page, "loaded");
  await page.press("No-op");
  await shows(page, "done j");
  await page.press("Partials");
  await shows(page, "partial 1000");
  await page.press("Iterator");
  await shows(page, "item 3");
  await page.close();
});

test("a failing handler says why at its output, and the queue goes on", async () => {
  const page = await app.open();
  await page.press("Fails");
  await page.page.getByTestId("status").getByText("It failed on x. Try another.").waitFor();
  assert.equal((await jobsOf(page, "fails"))[0].error, "It failed on x. Try another.");
  await page.press("No-op");
  await shows(page, "done j");
  await page.close();
});

test("a row tells what ended and how, and offers to run it again until that is done", async () => {
  const page = await app.open();
  await shows(page, "loaded");
  await page.press("Fails");
  const rows = page.region("Ended").getByRole("listitem");
  await rows.getByText("Fails: failed: It failed on x. Try another.").waitFor();
  assert.equal(await rows.count(), 1, "the page's own opening is no news");
  const again = page.region("Ended").getByRole("button", { name: /^Run again/ });
  const name = await again.getAttribute("aria-label");
  await again.focus();
  await page.page.keyboard.press("Enter");
  await page.ended("fails", "failed", 2);
  await rows.nth(1).waitFor();
  assert.equal(await page.page.getByRole("button", { name, exact: true }).count(), 0, "what was run again is not offered again");
  assert.equal(await again.count(), 1);
  assert.ok(await page.region("Queue").evaluate((panel) => panel === document.activeElement), "the keyboard stays in the queue");
  await page.close();
});

test("who hears the page hears what ended", async () => {
  const page = await app.open();
  await shows(page, "loaded");
  await page.press("No-op");
  const heard = page.region("Queue").getByRole("status");
  await heard.getByText(/^No-op: done in \d\.\d s\. Nothing to do$/).waitFor();
  await page.press("Steps");
  await heard.getByText(/^1 running$/).waitFor();
  await heard.getByText(/^Steps: done in \d\.\d s\. Nothing to do$/).waitFor();
  await page.close();
});

test("who dismisses a message by keyboard goes on at the next one, and then in the page", async () => {
  const page = await app.open();
  await page.press("Say");
  const dismiss = page.page.getByRole("button", { name: "Dismiss", exact: true });
  await dismiss.nth(1).waitFor();
  await dismiss.first().focus();
  await page.page.keyboard.press("Enter");
  assert.equal(await dismiss.count(), 1);
  assert.ok(await dismiss.evaluate((button) => button === document.activeElement), "the next message");
  await page.page.keyboard.press("Enter");
  assert.equal(await page.page.evaluate(() => document.activeElement.tagName), "MAIN");
  await page.close();
});

test("a panic fails its own job alone, and the innocent run again", async () => {
  const page = await app.open();
  await page.press("Innocent", 2);
  await page.until((snapshot) => snapshot.lanes.find((lane) => lane.id === "panics").running.length === 2);
  await page.press("Panic");
  await page.ended("panics", "failed", 1);
  await page.ended("panics", "done", 2);
  const { jobs } = await page.snapshot();
  const panicked = jobs.filter((job) => job.listener === "panics");
  assert.match(panicked[0].error, /the handler broke on x/);
  const innocent = jobs.filter((job) => job.listener === "steps");
  assert.deepEqual(innocent.map((job) => job.state), ["done", "done"]);
  assert.ok(innocent.some((job) => job.attempt === 2), "the innocent were begun again");
  page.expects(PANIC);
  await page.close();
});

test("a listener that has panicked twice breaks no other's worker", async () => {
  const page = await app.open();
  for (let time = 1; time <= 2; time++) {
    await page.press("Panic");
    await page.ended("panics", "failed", time);
  }
  await page.press("Steps");
  await page.until((snapshot) => snapshot.jobs.some((job) => job.listener === "steps_1" && job.state === "running"));
  await page.press("Panic");
  await page.ended("panics", "failed", 3);
  await page.ended("steps_1", "done", 1);
  assert.deepEqual((await jobsOf(page, "steps_1")).map((job) => job.attempt), [1]);
  page.expects(PANIC);
  await page.close();
});

test("running jobs are cancelled at their checkpoint, and before that no slot is free", async () => {
  const page = await app.open();
  await page.press("Steps", 3);
  await page.until((snapshot) => snapshot.jobs.some((job) => job.listener === "steps_1" && job.state === "running"));
  await page.startSampling();
  const [first, second] = await jobsOf(page, "steps_1");
  await page.press(`Cancel job ${second.id}`);
  await page.press(`Cancel job ${first.id}`);
  await page.ended("steps_1", "cancelled", 2);
  await page.ended("steps_1", "done", 1);
  assert.equal((await page.stopSampling()).seen.steps_1.mostRunning, 1);
  await page.close();
});

test("who cancels a job and presses its button in one instant, in either order, loses and doubles nothing", async () => {
  const page = await app.open();
  await page.press("Steps", 2);
  await page.until((snapshot) => snapshot.jobs.some((job) => job.listener === "steps_1" && job.state === "running"));
  const seen = await page.page.evaluate(async () => {
    const lane = () => window.gradus.snapshot().lanes.find((lane) => lane.id === "steps_1");
    const state = (id) => window.gradus.snapshot().jobs.find((job) => job.id === id)?.state;
    const cancel = (id) => document.querySelector(`[aria-label="Cancel job ${id}"]`);
    const steps = [...document.querySelectorAll("button")].find((button) => button.textContent === "Steps");
    const until = async (holds, what) => {
      const began = performance.now();
      while (!holds()) {
        if (performance.now() - began > 10_000) throw new Error(`${what}: ${JSON.stringify(lane())}`);
        await new Promise((later) => setTimeout(later, 5));
      }
    };
    const accepted = [];
    const ended = [];
    window.gradus.on("accepted", (id) => accepted.push(id));
    window.gradus.on("ended", (id) => ended.push(id));
    const targets = [];
    for (let round = 0; round < 50; round++) {
      const of = round % 4 < 2 ? "running" : "waiting";
      let target;
      // The panel draws a moment after the news.
      await until(() => lane()[of].length === 1 && cancel(target = lane()[of][0]), `round ${round}`);
      const acts = [() => cancel(target).click(), () => steps.click()];
      if (round % 2 === 1) acts.reverse();
      acts.forEach((act) => act());
      targets.push(target);
      await until(() => !/waiting|running/.test(state(target)), `round ${round}, ${target}`);
    }
    const left = [...lane().running, ...lane().waiting];
    await until(() => left.every(cancel), "all are drawn");
    left.forEach((id) => cancel(id).click());
    await until(() => left.every((id) => !/waiting|running/.test(state(id))), "the rest");
    return { accepted, ended, targets, left: left.length };
  });
  assert.equal(seen.left, 2, "as many as were pressed and not cancelled");
  assert.equal(seen.accepted.length, 50, "each click is a job");
  assert.equal(new Set(seen.targets).size, 50);
  const jobs = await jobsOf(page, "steps_1");
  assert.equal(jobs.length, 52);
  // One may be done in the instant in which it is cancelled.
  assert.deepEqual(jobs.filter((job) => job.state !== "cancelled" && job.state !== "done"), []);
  assert.ok(jobs.filter((job) => job.state === "cancelled").length >= 45);
  assert.deepEqual(seen.ended.toSorted(), jobs.map((job) => job.id).toSorted(), "each ends once");
  const lane = (await page.snapshot()).lanes.find(({ id }) => id === "steps_1");
  assert.deepEqual([lane.running, lane.waiting], [[], []]);
  const done = jobs.filter((job) => job.state === "done").length;
  await page.press("Steps");
  await page.ended("steps_1", "done", done + 1);
  await shows(page, "x: fifty steps");
  await page.close();
});

test("a row that is given another job is let go, and what was pressed on it means the job before", async () => {
  const page = await app.open();
  // More than are drawn, so that the row of one that goes is taken by one that was not.
  await page.page.evaluate(async () => {
    window.submitted = Array.from({ length: 30 }, () => window.gradus.submit("steps_1", ["x"]));
    for (const run of window.submitted) run.done.catch(() => {});
  });
  await page.until((snapshot) => snapshot.jobs.some((job) => job.listener === "steps_1" && job.state === "running"));
  const lane = page.page.locator('[data-lane="steps_1"]');
  await lane.getByRole("button", { name: "Pause" }).click();
  const resume = lane.getByRole("button", { name: "Resume lane steps_1", exact: true });
  assert.equal(await resume.getAttribute("aria-pressed"), null, "its name says what it does, and no state beside");
  // The last that is drawn: who comes in its place stands where it stood.
  const row = lane.locator(".waiting-row .cancel").nth(19);
  await row.waitFor();
  const seen = await row.evaluate(async (button) => {
    const job = () => button.getAttribute("aria-label").replace("Cancel job ", "");
    const state = (id) => window.gradus.snapshot().jobs.find((job) => job.id === id)?.state;
    const until = async (holds) => { while (!holds()) await new Promise((later) => setTimeout(later, 10)); };
    const first = job();
    button.focus();
    button.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
    window.submitted.find((submitted) => submitted.id === first).cancel();
    await until(() => job() !== first);
    const focused = document.activeElement === button;
    const second = job();
    button.click();
    // What is asked for later is done later.
    window.submitted.at(-1).cancel();
    await until(() => state(window.submitted.at(-1).id) === "cancelled");
    const afterPress = state(second);
    button.click();
    await until(() => state(second) !== "waiting");
    return { focused, afterPress, first: state(first), second: state(second) };
  });
  assert.deepEqual(seen, { focused: false, afterPress: "waiting", first: "cancelled", second: "cancelled" });
  await page.close();
});

test("who cancels all that wait by keyboard stays in the queue, and what runs goes on", async () => {
  const page = await app.open();
  for (let count = 0; count < 3; count++) await page.press("Steps");
  await page.until((snapshot) => snapshot.jobs.filter((job) => job.lane === "steps_1" && job.state === "running").length === 1);
  await page.page.locator('[data-lane="steps_1"]').getByRole("button", { name: "Cancel all waiting" }).focus();
  await page.page.keyboard.press("Enter");
  await page.ended("steps_1", "cancelled", 2);
  await page.until((snapshot) => snapshot.jobs.every((job) => job.state !== "waiting"));
  assert.ok(await page.region("Queue").evaluate((panel) => panel === document.activeElement));
  await page.ended("steps_1", "done", 1, 30_000);
  await page.close();
});

test("a handler that takes no checkpoint is ended with its worker, and its slot is free then", async () => {
  const page = await app.open();
  await page.press("Stubborn");
  await page.until((snapshot) => snapshot.jobs.some((job) => job.listener === "stubborn" && job.state === "running"));
  const [job] = await jobsOf(page, "stubborn");
  await page.press(`Cancel job ${job.id}`);
  await page.page.getByText("stopping").first().waitFor();
  assert.equal((await jobsOf(page, "stubborn"))[0].state, "running", "asked, not yet over");
  await page.ended("stubborn", "cancelled", 1, 10_000);
  await page.press("No-op");
  await shows(page, "done j");
  await page.close();
});

test("a sync handler blocks neither the page nor other handlers, and a cancel ends it at once", async () => {
  const page = await app.open();
  await page.press("Sync");
  await page.until((snapshot) => snapshot.jobs.some((job) => job.listener === "sync" && job.state === "running"));
  await page.press("No-op");
  await shows(page, "done j");
  assert.equal((await jobsOf(page, "sync"))[0].state, "running");
  await page.press(`Cancel job ${(await jobsOf(page, "sync"))[0].id}`);
  await page.ended("sync", "cancelled", 1, 2500);
  await page.press("Sync");
  await shows(page, "blocked");
  await page.close();
});

test("no limit is no limit", async () => {
  const page = await app.open();
  await page.startSampling();
  await page.page.getByRole("button", { name: "Unlimited", exact: true }).evaluate((button) => {
    for (let time = 0; time < 20; time++) button.click();
  });
  await page.ended("unlimited", "done", 20);
  assert.ok((await page.stopSampling()).seen.unlimited.mostRunning > 5);
  assert.equal((await page.snapshot()).lanes.find((lane) => lane.id === "unlimited").count, null);
  await page.close();
});

test("no text executes, wherever it is shown", async () => {
  const page = await app.open();
  const evil = "<img src=x onerror=\"window.broken=1\"> <script>window.broken=1</script> [x](javascript:window.broken=1) **bold**";
  await page.page.getByLabel("Text", { exact: true }).fill(evil);
  await page.press("Say");
  await shows(page, "<img src=x");
  await page.press("Fails");
  await page.page.getByTestId("status").getByText("<script>").first().waitFor();
  await page.page.getByRole("status").getByText("<script>").first().waitFor();
  assert.equal(await page.page.locator("strong", { hasText: "bold" }).count(), 1, "Markdown is rendered");
  assert.equal(await page.page.locator("img, main script, a[href^=javascript]").count(), 0);
  assert.equal(await page.page.evaluate(() => window.broken), undefined);
  await page.close();
});

test("a wrong type of a partial result is told, and each job has random numbers of its own", async () => {
  const page = await app.open();
  await page.press("Types");
  await page.page.getByTestId("status").getByText("2 values where the listener has 1").waitFor();
  const seen = new Set();
  for (let time = 1; time <= 2; time++) {
    await page.press("Random");
    await page.ended("random", "done", time);
    seen.add(await out(page).inputValue());
  }
  assert.equal(seen.size, 2);
  await page.close();
});

test("a checkbox, a slider that is let go, and what is not drawn give their values and take new ones", async () => {
  const page = await app.open();
  await shows(page, "loaded");
  const tick = page.page.getByRole("checkbox", { name: "Tick", exact: true });
  await page.page.getByRole("main").getByText("Tick", { exact: true }).click();
  await shows(page, "ticked: true");
  await tick.focus();
  await page.page.keyboard.press("Space");
  await shows(page, "ticked: false");

  // While it is dragged nothing is set off, however many values it goes over.
  const dial = page.page.getByRole("slider", { name: "Dial", exact: true });
  const figure = (text) => dial.locator("xpath=following-sibling::output").getByText(text, { exact: true }).waitFor();
  const { x, y, width, height } = await dial.boundingBox();
  await page.page.mouse.move(x + 0.32 * width, y + height / 2);
  await page.page.mouse.down();
  for (const share of [0.5, 0.7, 0.98]) await page.page.mouse.move(x + share * width, y + height / 2);
  await figure("10");
  assert.deepEqual(await jobsOf(page, "released"), []);
  await page.page.mouse.up();
  await shows(page, "released at 10");
  assert.equal((await jobsOf(page, "released")).length, 1);
  await dial.press("ArrowLeft");
  await shows(page, "released at 9");
  await figure("9");

  const hidden = page.page.getByLabel("Hidden", { exact: true });
  assert.equal(await hidden.isVisible(), false);
  assert.equal(await page.page.getByText("Hidden", { exact: true }).isVisible(), false);
  await page.press("Read");
  await shows(page, "false, 9, unseen");
  await page.press("Write");
  await page.ended("write", "done", 1);
  assert.equal(await tick.isChecked(), true);
  await figure("7");
  await page.press("Read");
  await shows(page, "true, 7, x");
  await page.close();
});

test("columns in a row stand beside each other, and what is in one below each other", async () => {
  const page = await app.open();
  const columns = page.region("Columns");
  const box = (place) => place.boundingBox();
  const [number, squared] = await Promise.all(["Number", "Squared"].map((label) => box(columns.getByLabel(label, { exact: true }))));
  const button = await box(columns.getByRole("button", { name: "Square", exact: true }));
  const beside = await box(columns.getByLabel("Beside", { exact: true }));
  assert.ok(squared.y >= number.y + number.height, "the left column from the top down");
  assert.ok(beside.y >= button.y + button.height, "and the right one");
  assert.equal(squared.x, number.x);
  assert.equal(beside.x, button.x);
  assert.ok(button.x >= number.x + number.width && button.y < squared.y, "the right one begins beside the left one");
  // By keyboard, and to who hears the page, it is the same order.
  const order = await columns.locator("input, textarea, button").evaluateAll((all) =>
    all.map((each) => each.labels?.[0]?.textContent || each.textContent));
  assert.deepEqual(order, ["Number", "Squared", "Square", "Beside"]);
  await page.close();
});

test("a shader of the app's own, of a file, computes on the GPU", async () => {
  const page = await app.open("?engine=gpu");
  await page.press("Square");
  await page.ended("square", "done", 1);
  await page.shows("Squared", "9");
  assert.equal((await page.adapter()).engine, "gpu");
  await page.close();
});

test("a shader of the app's own without a CPU twin says on the processor that it needs WebGPU, and the queue goes on", async () => {
  const page = await app.open("?engine=cpu");
  await page.press("Square");
  await page.ended("square", "failed", 1);
  const words = "this handler needs WebGPU (its kernel `square` has no CPU twin). Use a browser with WebGPU.";
  await page.region("Columns").getByTestId("status").getByText(words).waitFor();
  assert.equal((await jobsOf(page, "square"))[0].error, words);
  await page.press("No-op");
  await shows(page, "done j");
  await page.close();
});
