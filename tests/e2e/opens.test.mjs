import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ROOT, start } from "./harness/app_page.mjs";

let app;
before(async () => { app = await start("demo", { maxAge: 600 }); });
after(() => app.stop());

test("opens on any sub-path with few requests and no error", async () => {
  const page = await app.open();
  await page.page.getByRole("button", { name: "Generate Image", exact: true }).waitFor();
  for (const region of ["Example 1", "Example 2", "Queue"]) await page.region(region).waitFor();
  await page.tab("Studio").click();
  await page.region("Studio").waitFor();
  await page.page.waitForFunction(() => window.gradus.adapter() !== null);
  // index.html, glue, wasm, five scripts beside the glue; then what the workers run, and nothing else.
  const { requests } = app.server;
  const workers = (await page.page.getAttribute('meta[name="gradus-workers"]', "content")).replace(/^\.\/(.*)\.js$/, "$1");
  const [opening, since] = [false, true].map((own) => requests.filter((path) => path.includes(workers) === own));
  assert.ok(opening.length <= 8, opening.join(" "));
  assert.equal(since.length, 2, since.join(" "));
  assert.deepEqual(requests.slice(0, opening.length), opening, "the workers' module does not keep the page waiting");
  const adapter = await page.adapter();
  assert.deepEqual(Object.keys(adapter).sort(), ["engine", "name", "software", "tier"]);
  await page.close();
});

for (const [name, region, button, lane] of [["hello", undefined, "Greet", "greet"], ["queue_guide", "Example 1", "Generate Image", "image_gen"]]) {
  test(`the example ${name} can be used after at most eight requests`, async (t) => {
    const example = await start(name, { maxAge: 600 });
    t.after(() => example.stop());
    const page = await example.open();
    const place = region ? page.region(region) : page.page;
    await place.getByRole("button", { name: button, exact: true }).waitFor();
    const { requests } = example.server;
    // What the workers run comes after what the page runs; hello has one module for both.
    const workers = await page.page.locator('meta[name="gradus-workers"]').evaluateAll((all) => all.map((meta) => meta.content.replace(/^\.\/(.*)\.js$/, "$1")));
    const opening = () => requests.filter((path) => !workers.some((workers) => path.includes(workers)));
    assert.ok(opening().length <= 8, opening().join(" "));
    await place.getByRole("textbox").first().fill("a green torus on sand");
    await page.pressIn(place, button);
    await page.ended(lane, "done", 1);
    assert.ok(opening().length <= 8, `its first job too: ${opening().join(" ")}`);
    assert.equal(new Set(requests).size, requests.length, "none is asked for twice");
    await page.close();
  });
}

test("what is published does not tell the folders of whoever built it", async () => {
  const files = (await readdir(app.folder, { recursive: true })).filter((name) => /\.(wasm|js|html)$/.test(name));
  assert.ok(files.some((name) => name.endsWith(".wasm")), files.join(" "));
  for (const name of files) {
    const text = await readFile(join(app.folder, name), "latin1");
    for (const folder of [ROOT, `${homedir()}/`, "/registry/src/", "/rustlib/"]) assert.ok(!text.includes(folder), `${name}: ${folder}`);
  }
});

test("a software adapter is left for the processor, and the page says so", async () => {
  const page = await app.open();
  await page.page.waitForFunction(() => window.gradus.adapter() !== null);
  assert.equal((await page.adapter()).engine, "cpu");
  await page.region("Queue").getByText("software one").waitFor();
  await page.close();
});

test("fits a window of 360 pixels, and the queue opens from its bar", async () => {
  const page = await app.open("", { viewport: { width: 360, height: 740 } });
  for (const tab of ["Queue guide", "Studio"]) {
    await page.tab(tab).click();
    const [content, window_] = await page.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= window_, `${tab}: ${content} px in ${window_}`);
  }
  const lane = page.page.locator('[data-lane="gpu_queue"]');
  assert.equal(await lane.isVisible(), false);
  await page.press("Show the queue");
  await lane.waitFor({ state: "visible" });
  const bar = page.page.getByRole("button", { name: "Show the queue", exact: true });
  await lane.getByRole("button", { name: "Pause lane gpu_queue", exact: true }).focus();
  await page.page.keyboard.press("Escape");
  await lane.waitFor({ state: "hidden" });
  assert.equal(await bar.getAttribute("aria-expanded"), "false");
  assert.ok(await bar.evaluate((element) => element === document.activeElement), "the focus is at the bar again");
  await page.page.keyboard.press("Enter");
  await lane.waitFor({ state: "visible" });
  await page.close();
});

test("Ctrl+Enter and Cmd+Enter press the button of the tab that is shown, once however long they are held", async () => {
  const page = await app.open();
  const lane = async (id) => (await page.snapshot()).jobs.filter((job) => job.lane === id).length;
  const { keyboard } = page.page;
  await page.tab("Studio").click();
  for (const [key, place] of [["Control", page.tab("Studio")], ["Meta", page.tab("Studio")], ["Meta", page.region("Studio").getByLabel("Prompt", { exact: true })]]) {
    const before = await lane("studio");
    await place.focus();
    await keyboard.down(key);
    for (let held = 0; held < 4; held++) await keyboard.down("Enter");
    await keyboard.up("Enter");
    await keyboard.up(key);
    await page.until((snapshot, before) => snapshot.jobs.filter((job) => job.lane === "studio").length > before, before);
    assert.deepEqual([await lane("studio") - before, await lane("image_gen")], [1, 0], key);
  }
  await page.close();
});

test("works by keyboard alone", async () => {
  const page = await app.open();
  await page.tab("Queue guide").focus();
  await page.page.keyboard.press("ArrowRight");
  await page.region("Studio").waitFor();
  assert.equal(await page.tab("Studio").getAttribute("aria-selected"), "true");
  await page.page.keyboard.press("Home");
  await page.region("Example 1").waitFor();
  await page.page.keyboard.press("Tab");
  const prompt = page.region("Example 1").getByLabel("Prompt");
  assert.equal(await prompt.evaluate((element) => element === document.activeElement), true);
  await page.page.keyboard.press("Control+Enter");
  await page.ended("image_gen", "done", 1);
  await page.page.keyboard.press("Tab");
  await page.page.keyboard.press("Enter");
  await page.ended("image_gen", "done", 2);
  await page.page.keyboard.press("Shift+Tab");
  await page.page.keyboard.press("Enter");
  await page.ended("image_gen", "done", 3);
  await page.close();
});

test("paints in the Studio and cancels from the queue by keyboard alone", async () => {
  const page = await app.open("?engine=cpu");
  await page.tab("Queue guide").focus();
  await page.page.keyboard.press("ArrowRight");
  await page.region("Studio").waitFor();
  const { keyboard } = page.page;
  await keyboard.press("Tab");
  const prompt = page.region("Studio").getByLabel("Prompt", { exact: true });
  assert.equal(await prompt.evaluate((element) => element === document.activeElement), true);
  await keyboard.press("Control+A");
  await keyboard.type("a blue cube");
  assert.equal(await prompt.inputValue(), "a blue cube");
  // Several, so that one waits for as long as the way there takes.
  const jobs = async () => (await page.snapshot()).jobs.filter((job) => job.lane === "studio");
  for (let time = 1; time <= 5; time++) {
    await keyboard.press("Control+Enter");
    await page.until((snapshot, time) => snapshot.jobs.filter((job) => job.lane === "studio").length === time, time);
  }
  const focused = () => page.page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? "");
  for (let press = 0; press < 100 && !/^Cancel job/.test(await focused()); press++) await keyboard.press("Tab");
  const job = (await focused()).replace("Cancel job ", "");
  assert.ok((await jobs()).some(({ id }) => id === job), `${job} is focused`);
  await keyboard.press("Enter");
  await page.until((snapshot, job) => snapshot.jobs.find(({ id }) => id === job).state === "cancelled", job);
  assert.match(await focused(), /^Queue$|^Cancel job/, "who cancels by keyboard stays in the queue");
  await page.close();
});
