// The demo is two modules: the page's, with which a visitor can begin, and the workers', which comes after it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { start } from "./harness/app_page.mjs";

let app;
let workers;
before(async () => {
  app = await start("demo");
  const page = await readFile(join(app.folder, "index.html"), "utf8");
  workers = /name="gradus-workers" content=".\/(.*?)\.js"/.exec(page)[1];
});
after(() => app.stop());

/** A page whose workers' module is handed out by `route`. */
const opened = (route) =>
  app.open("?engine=cpu", { prepare: (context) => context.route(`**/${workers}_bg.wasm`, route) });

test("the page takes jobs and lets them go before the workers' module has come", async () => {
  let arrives;
  const gate = new Promise((done) => { arrives = done; });
  let asked = 0;
  const page = await opened(async (route) => { asked += 1; await gate; await route.continue(); });
  const example = page.region("Example 1");
  await page.pressIn(example, "Generate Image", 2);
  const ours = async () => (await page.snapshot()).jobs.filter((job) => job.lane === "image_gen");
  await page.until((snapshot) => snapshot.jobs.filter((job) => job.lane === "image_gen").length === 2);
  const [first, second] = await ours();
  await page.press(`Cancel job ${first.id}`);
  arrives();
  await page.ended("image_gen", "done", 1);
  await page.ended("image_gen", "cancelled", 1);
  const ends = (await ours()).map(({ id, state }) => [id, state]);
  assert.deepEqual(ends.sort(), [[first.id, "cancelled"], [second.id, "done"]].sort());
  assert.ok((await page.picture(example)).colours > 100);
  assert.equal(asked, 1);
  await page.close();
});

test("a workers' module that does not come fails its jobs in words, and is asked for again", async () => {
  let fails = true;
  const page = await opened((route) => (fails ? route.fulfill({ status: 503, body: "" }) : route.continue()));
  page.expects(/status of 503/);
  const example = page.region("Example 1");
  await page.pressIn(example, "Generate Image");
  await page.ended("image_gen", "failed", 1);
  await example.getByText("Check the connection and run again").first().waitFor();
  const failed = (await page.snapshot()).jobs.find((job) => job.state === "failed");
  assert.match(failed.error, /could not start: the part of the app that makes its results could not be fetched \(503 .*Check the connection/);
  fails = false;
  await page.pressIn(example, "Generate Image");
  await page.ended("image_gen", "done", 1);
  await page.close();
});

test("a host that does not know wasm serves it all the same", async () => {
  const page = await opened(async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, headers: { ...response.headers(), "content-type": "application/octet-stream" } });
  });
  await page.page.waitForFunction(() => window.gradus.adapter() !== null);
  await page.close();
});
