// A graphics process that dies under a job, in a browser of its own.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "./harness/app_page.mjs";

let app;
before(async () => { app = await start("demo"); });
after(() => app.stop());

test("the job of a GPU that is lost runs again, on the same GPU opened anew or on the processor", async () => {
  const page = await app.open("?engine=gpu");
  await page.tab("Studio").click();
  await page.ended("suit", "done", 1);
  const region = page.region("Studio");
  await region.getByText("Settings of scene, flame and reaction").click();
  await region.getByLabel("Prompt", { exact: true }).fill("blue maze");
  await region.getByLabel("Model", { exact: true }).selectOption("reaction");
  await region.getByLabel("Width", { exact: true }).fill("128");
  await region.getByLabel("Height", { exact: true }).fill("128");
  await region.getByLabel("Quality", { exact: true }).selectOption("low");
  await region.getByLabel("Seed", { exact: true }).fill("7");
  const jobs = async () => (await page.snapshot()).jobs.filter(({ lane }) => lane === "studio");
  // Generates, and loses the GPU in these attempts; gives how the job ended.
  const paint = async (...lostIn) => {
    const old = (await jobs()).map(({ id }) => id);
    await page.pressIn(region, "Generate");
    for (const attempt of lostIn) {
      await page.until(({ jobs }, attempt) => jobs.some((job) =>
        job.lane === "studio" && job.state === "running" && job.attempt === attempt && job.progress > 0), attempt);
      await page.killGpu();
    }
    await page.until(({ jobs }, old) =>
      jobs.some(({ lane, id, state }) => lane === "studio" && !old.includes(id) && /done|failed/.test(state)), old);
    return (await jobs()).find(({ id }) => !old.includes(id));
  };
  const picture = () => page.picture(region.getByRole("figure", { name: "Result", exact: true }));

  const again = await paint(1);
  assert.deepEqual([again.state, again.attempt], ["done", 2]);
  const { hash, colours } = await picture();
  assert.ok(colours > 300);
  const whole = await paint();
  assert.deepEqual([whole.state, whole.attempt], ["done", 1]);
  assert.equal((await picture()).hash, hash, "the picture of a job that was not lost");
  assert.equal((await page.adapter()).engine, "gpu");

  // Chromium gives a page whose GPU was lost twice within two minutes no other; then the processor makes the picture.
  const without = await paint(1);
  assert.deepEqual([without.state, without.attempt], ["done", 2]);
  assert.ok((await picture()).colours > 300);
  assert.equal((await page.adapter()).engine, "cpu");
  await page.region("Queue").getByText("No GPU is open to this page, so pictures are computed on the processor.").waitFor();
  await page.close();
});
