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

test("both examples on one GPU at once: as many run as may, one is cancelled, and all others are done", async (t) => {
  // The example's pictures are small, and the browser's GPU is one in software.
  const other = await start("queue_guide");
  t.after(() => other.stop());
  const page = await other.open("?engine=gpu");
  const [first, second] = ["Example 1", "Example 2"].map((name) => page.region(name));
  for (const place of [first, second]) await place.getByLabel("Prompt").fill("a green torus on sand");
  await page.startSampling();
  await page.pressIn(first, "Generate Image", 8);
  for (const model of [1, 2, 3, 1]) await page.pressIn(second, `Generate Image via model ${model}`);
  const ran = (lane) => page.until(
    (snapshot, lane) => snapshot.jobs.some((job) => job.lane === lane && job.state === "running" && job.progress > 0), lane,
  );
  await ran("image_gen");
  await ran("gpu_queue");
  const job = (await page.snapshot()).jobs.findLast((job) => job.lane === "image_gen" && job.state === "running");
  await page.press(`Cancel job ${job.id}`);
  await page.ended("image_gen", "cancelled", 1);
  await page.ended("image_gen", "done", 7, 120_000);
  await page.ended("gpu_queue", "done", 4, 120_000);
  const { seen, together } = await page.stopSampling();
  assert.deepEqual([seen.image_gen.mostRunning, seen.gpu_queue.mostRunning], [5, 2]);
  assert.equal(together, 7, "both at once");
  const { jobs } = await page.snapshot();
  assert.equal(jobs.find(({ id }) => id === job.id).state, "cancelled");
  assert.equal(jobs.length, 12);
  assert.deepEqual(jobs.filter(({ attempt, error }) => attempt !== 1 || error), [], "none was lost on the way");
  for (const place of [first, second]) assert.ok((await page.picture(place)).colours > 500);
  assert.equal((await page.adapter()).engine, "gpu");
  await page.close();
});

test("a picture of a seed is the same while other jobs use the GPU", async () => {
  const page = await app.open("?engine=gpu");
  await page.tab("Studio").click();
  await page.ended("suit", "done", 1);
  const region = page.region("Studio");
  await region.getByText("Settings of scene, flame and reaction").click();
  const settings = { Prompt: "a matte red sphere on grass at day", Width: "160", Height: "160", Seed: "7" };
  for (const [label, text] of Object.entries(settings)) await region.getByLabel(label, { exact: true }).fill(text);
  await region.getByLabel("Model", { exact: true }).selectOption("scene");
  await region.getByLabel("Quality", { exact: true }).selectOption("low");
  let made = 0;
  const paint = async () => {
    await page.pressIn(region, "Generate");
    await page.ended("studio", "done", made += 1, 120_000);
    return (await page.picture(region.getByRole("figure", { name: "Result", exact: true }))).hash;
  };
  const alone = await paint();
  await page.tab("Queue guide").click();
  for (const model of [2, 3, 2, 3]) await page.pressIn(page.region("Example 2"), `Generate Image via model ${model}`);
  await page.tab("Studio").click();
  await page.until((snapshot) => snapshot.lanes.find((lane) => lane.id === "gpu_queue").running.length === 2);
  await page.startSampling();
  for (let time = 0; time < 2; time++) assert.equal(await paint(), alone, "the same seed");
  assert.equal((await page.stopSampling()).together, 3, "two of the guide's ran meanwhile");
  await region.getByLabel("Seed", { exact: true }).fill("8");
  assert.notEqual(await paint(), alone, "another seed");
  await page.ended("gpu_queue", "done", 4, 120_000);
  await page.close();
});
