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

const ours = async (page) => (await page.snapshot()).jobs.filter((job) => job.lane === "image_gen");

/** Waits until the example's jobs are in these states, by their order. */
const until = (page, states) => page.until(
  (snapshot, states) => snapshot.jobs.filter((job) => job.lane === "image_gen").map((job) => job.state).join() === states.join(),
  states,
);

test("the page takes jobs and lets them go before the workers' module has come", async () => {
  let arrives;
  const gate = new Promise((done) => { arrives = done; });
  let asked = 0;
  const page = await opened(async (route) => { asked += 1; await gate; await route.continue(); });
  const example = page.region("Example 1");
  await page.pressIn(example, "Generate Image", 2);
  await until(page, ["waiting", "waiting"]);
  await page.press(`Cancel job ${(await ours(page))[0].id}`);
  await until(page, ["cancelled", "waiting"]);
  arrives();
  await page.ended("image_gen", "done", 1);
  assert.ok((await page.picture(example)).colours > 100);
  assert.equal(asked, 1);
  await page.close();
});

test("what waits is kept while the workers' module does not come, and runs when it does", async () => {
  let fails = true;
  const page = await opened((route) => (fails ? route.fulfill({ status: 503, body: "" }) : route.continue()));
  page.expects(/status of 503/);
  await page.page.getByText("did not come (503").first().waitFor();
  const example = page.region("Example 1");
  // More than its five slots, as one failure must not go down the row.
  await page.pressIn(example, "Generate Image", 7);
  await until(page, Array(7).fill("waiting"));
  for (const job of (await ours(page)).slice(1)) await page.press(`Cancel job ${job.id}`);
  const second = page.page.waitForResponse((response) => response.url().includes(workers) && response.status() === 503);
  await second;
  await until(page, ["waiting", ...Array(6).fill("cancelled")]);
  fails = false;
  await page.ended("image_gen", "done", 1);
  await page.page.getByText("did not come (503").waitFor({ state: "detached" });
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
