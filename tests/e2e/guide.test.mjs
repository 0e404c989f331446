import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "./harness/app_page.mjs";

let app;
before(async () => { app = await start("demo"); });
after(() => app.stop());

test("example 1: eight clicks, five at once and never more", async () => {
  const page = await app.open();
  const example = page.region("Example 1");
  await page.startSampling();
  await page.pressIn(example, "Generate Image", 8);
  const queued = await page.snapshot();
  assert.equal(queued.jobs.filter((job) => job.lane === "image_gen").length, 8);
  // One that has a slot and waits for its worker has no place in the row.
  const waiting = queued.jobs.filter((job) => job.lane === "image_gen" && job.position !== null);
  assert.ok(waiting.length >= 3);
  assert.deepEqual(waiting.map((job) => job.position), waiting.map((_, index) => index + 1));
  await example.getByTestId("status").getByText(/\d+\/\d+ steps \| \d+\.\d/).waitFor();
  await page.ended("image_gen", "done", 8);
  const { seen, count } = await page.stopSampling();
  assert.ok(count > 10);
  assert.equal(seen.image_gen.mostRunning, 5);
  const picture = await page.picture(example);
  assert.ok(picture.colours > 1000, `${picture.colours} colours`);
  await page.close();
});

test("example 2: three models share two slots", async () => {
  const page = await app.open();
  const example = page.region("Example 2");
  await page.startSampling();
  for (const model of [1, 2, 3, 1, 2, 3, 1, 2]) await page.pressIn(example, `Generate Image via model ${model}`);
  await page.ended("gpu_queue", "done", 8, 120_000);
  const { seen } = await page.stopSampling();
  assert.equal(seen.gpu_queue.mostRunning, 2);
  assert.ok(seen.gpu_queue.mostWaiting >= 4);
  const { jobs } = await page.snapshot();
  const listeners = jobs.filter((job) => job.lane === "gpu_queue").map((job) => job.listener);
  assert.deepEqual(listeners, ["image_gen_1", "image_gen_2", "image_gen_3", "image_gen_1", "image_gen_2", "image_gen_3", "image_gen_1", "image_gen_2"]);
  await page.close();
});

test("waiting and running jobs are cancelled from the panel, and the slot is used again", async () => {
  const page = await app.open();
  await page.pressIn(page.region("Example 2"), "Generate Image via model 3", 4);
  await page.until((snapshot) => snapshot.lanes.find((lane) => lane.id === "gpu_queue").running.length === 2);
  const lane = (await page.snapshot()).lanes.find((lane) => lane.id === "gpu_queue");
  await page.press(`Cancel job ${lane.waiting[0]}`);
  await page.press(`Cancel job ${lane.running[0]}`);
  await page.ended("gpu_queue", "cancelled", 2);
  await page.ended("gpu_queue", "done", 2, 120_000);
  const after = await page.snapshot();
  const state = (id) => after.jobs.find((job) => job.id === id).state;
  assert.deepEqual([state(lane.waiting[0]), state(lane.running[0])], ["cancelled", "cancelled"]);
  assert.equal(state(lane.waiting[1]), "done");
  await page.close();
});
