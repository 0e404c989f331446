import assert from "node:assert/strict";
import { test } from "node:test";
import { start } from "./harness/app_page.mjs";
import { newPage } from "./harness/browser.mjs";

/** Makes a picture with each handler of the guide, and looks at what is on it. */
async function paintsAll(page) {
  const [first, second] = ["Example 1", "Example 2"].map((name) => page.region(name));
  await first.getByLabel("Prompt").fill("a red sphere on grass by day");
  await page.pressIn(first, "Generate Image");
  await page.ended("image_gen", "done", 1, 120_000);
  const ball = (picture, name) => {
    assert.deepEqual([picture.width, picture.height], [256, 256], name);
    const [r, g, b] = picture.middle;
    assert.ok(r > 1.5 * g && r > 1.5 * b, `${name}: the sphere is ${picture.middle}`);
    assert.ok(picture.bottom[1] > picture.bottom[0] && picture.bottom[1] > picture.bottom[2], `${name}: the grass is ${picture.bottom}`);
  };
  ball(await page.picture(first), "example 1");
  const looks = [
    ["a red sphere on grass by day", (picture) => ball(picture, "model 1")],
    ["fire", ({ colours, middle: [r, , b] }) => assert.ok(colours > 300 && r > b, `fire has ${colours} colours, ${r} red and ${b} blue`)],
    ["blue maze", ({ colours, middle: [r, , b] }) => assert.ok(colours > 300 && b > r, `the maze has ${colours} colours, ${r} red and ${b} blue`)],
  ];
  for (const [n, [prompt, look]] of looks.entries()) {
    await second.getByLabel("Prompt").fill(prompt);
    await page.pressIn(second, `Generate Image via model ${n + 1}`);
    await page.ended("gpu_queue", "done", n + 1, 120_000);
    look(await page.picture(second));
  }
}

test("without WebGPU the processor computes, and one line says so", async (t) => {
  const app = await start("demo");
  t.after(() => app.stop());
  // On plain http from another machine neither page nor worker has it.
  const page = await app.open("", { host: "plain.test" });
  assert.equal(await page.page.evaluate(() => navigator.gpu), undefined);
  await page.page.waitForFunction(() => window.gradus.adapter() !== null);
  assert.equal((await page.adapter()).engine, "cpu");
  await page.region("Queue").getByText("This browser offers no WebGPU here").waitFor();
  await paintsAll(page);
});

test("a browser without WebGPU at all", async (t) => {
  const app = await start("demo", { webgpu: false });
  t.after(() => app.stop());
  const page = await app.open();
  await page.page.waitForFunction(() => window.gradus.adapter() !== null);
  assert.equal((await page.adapter()).engine, "cpu");
  await page.region("Queue").getByText("No GPU is open to this page, so pictures are computed on the processor.").waitFor();
  await paintsAll(page);
});

test("what was timed is remembered over a reload", async (t) => {
  const app = await start("demo");
  t.after(() => app.stop());
  const page = await app.open();
  await page.ended("suit", "done", 1);
  const kept = () => page.page.evaluate(() => Object.entries(localStorage).filter(([key]) => key.includes("speed")).join());
  const before = await kept();
  assert.match(before, /speed of CPU/);
  await page.page.reload();
  await page.page.waitForFunction(() => window.gradus?.snapshot);
  await page.ended("suit", "done", 1);
  assert.equal(await kept(), before);
});

test("the example hello greets, by button and by Enter", async (t) => {
  const app = await start("hello");
  t.after(() => app.stop());
  const page = await app.open();
  await page.page.getByLabel("Name", { exact: true }).fill("<b>Ada</b>");
  await page.press("Greet");
  await page.ended("greet", "done", 1);
  await page.shows("Greeting", "Hello, <b>Ada</b>!");
  await page.page.getByLabel("Name", { exact: true }).fill("Bo");
  await page.page.keyboard.press("Enter");
  await page.ended("greet_1", "done", 1);
  await page.shows("Greeting", "Hello, Bo!");
  await page.page.getByLabel("Name", { exact: true }).press("Shift+Enter");
  assert.equal(await page.page.getByLabel("Name", { exact: true }).inputValue(), "Bo\n");
});

test("the example queue_guide makes pictures in both lanes", async (t) => {
  const app = await start("queue_guide");
  t.after(() => app.stop());
  const page = await app.open();
  for (const [region, button, lane] of [["Example 1", "Generate Image", "image_gen"], ["Example 2", "Generate Image via model 2", "gpu_queue"]]) {
    const place = page.region(region);
    await place.getByLabel("Prompt").fill("a green torus on sand");
    await page.pressIn(place, button);
    await page.ended(lane, "done", 1);
    assert.ok((await page.picture(place)).colours > 500, region);
  }
});

for (const name of ["demo", "hello", "queue_guide"]) {
  test(`${name} says in a line why nothing is there: no JavaScript, or it did not start`, async (t) => {
    const app = await start(name);
    t.after(() => app.stop());
    const opened = async (options, change = () => {}, ...says) => {
      const { page, expects } = await newPage(await app.browser.newContext(options), app.server.url);
      expects(...says);
      await change(page);
      await page.goto(app.server.url);
      return page;
    };
    const without = await opened({ javaScriptEnabled: false });
    await without.locator("noscript").waitFor();
    assert.match(await without.locator("noscript").textContent(), /it needs JavaScript/);
    assert.equal(await without.getByText("If nothing comes").isVisible(), false, "one line is enough");

    const broken = await opened({}, (page) => page.route("**/*.wasm", (route) => route.abort()), /ERR_FAILED/, /Failed to fetch/);
    const line = broken.getByText("If nothing comes");
    await line.waitFor({ state: "visible" });
    assert.equal(await line.evaluate((line) => getComputedStyle(line).animationDelay), "2s", "not at once");
    assert.equal(await broken.locator("noscript").isVisible(), false);

    // On a slow connection the line is there until the page is, and not one moment longer.
    let arrives;
    const gate = new Promise((done) => { arrives = done; });
    const slow = await opened({}, (page) => page.route("**/*.wasm", async (route) => { await gate; await route.continue(); }));
    await slow.getByText("Loading …").waitFor({ state: "visible" });
    arrives();
    await slow.waitForFunction(() => window.gradus?.snapshot);
    assert.equal(await slow.locator("#unstarted").evaluate((line) => getComputedStyle(line).display), "none");
  });
}
