// What a network is asked for in the page: its settings, each of which is seen in the picture, and a cancel between its steps.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { start } from "./harness/app_page.mjs";

const SD1 = fileURLToPath(new URL("../fixtures/diffusion/sd1", import.meta.url));

let app;
before(async () => { app = await start("demo", { beside: { "checkpoints/sd1": SD1 } }); });
after(() => app.stop());

/** The Studio with its settings open; `paint` sets what it is given, paints, and gives the picture with what stands below it. */
async function studio(options) {
  const page = await app.open("?engine=cpu", options);
  await page.tab("Studio").click();
  await page.ended("suit", "done", 1);
  const region = page.region("Studio");
  const figure = region.getByRole("figure", { name: "Result", exact: true });
  for (const folded of ["Settings of the network", "Begin from a picture"]) await region.getByText(folded).click();
  const set = async (settings) => {
    for (const [label, value] of Object.entries(settings)) {
      const field = region.getByLabel(label, { exact: true });
      if (await field.evaluate((field) => field.tagName === "SELECT")) await field.selectOption(value);
      else await field.fill(value);
    }
  };
  let made = 0;
  const paint = async (settings) => {
    await set(settings);
    await page.pressIn(region, "Generate");
    await page.ended("studio", "done", made += 1, 120_000);
    const { width, height, hash, middle, bottom } = await page.picture(figure);
    return { size: `${width} × ${height}`, hash, middle, bottom, facts: await figure.textContent() };
  };
  return { page, region, set, paint };
}

test("Size, Clip skip and Strength are seen in the picture of the network, and in its file", async () => {
  const { page, region, paint } = await studio({ acceptDownloads: true });
  const none = await paint({ Steps: "2", Guidance: "1", Seed: "7", Size: "128 × 128" });
  assert.equal(none.size, "128 × 128");

  const one = await paint({ "Clip skip": "1" });
  assert.ok(one.facts.includes("Clip skip1") && !none.facts.includes("Clip skip"), one.facts);
  const two = await paint({ "Clip skip": "2" });
  assert.equal(new Set([none, one, two].map(({ hash }) => hash)).size, 3, "each reads another layer");
  assert.equal((await paint({ "Clip skip": "1" })).hash, one.hash);
  assert.equal((await paint({ "Clip skip": "0" })).hash, none.hash);

  const { size, bottom, facts } = await paint({ Size: "512 × 768", Steps: "1" });
  assert.equal(size, "512 × 768");
  // Places are counted in 32 bits in a page: what is counted beyond them stays black, from the bottom up.
  assert.ok(Math.max(...bottom) > 20, `its bottom is ${bottom}`);
  assert.ok(facts.includes("Size512×768"), facts);
  const download = page.page.waitForEvent("download");
  await page.pressIn(region, "Download PNG");
  const chunks = [];
  for await (const chunk of await (await download).createReadStream()) chunks.push(chunk);
  const file = Buffer.concat(chunks);
  // A PNG begins with eight bytes of its own and its first chunk's length and name; then width and height.
  assert.deepEqual([file.readUInt32BE(16), file.readUInt32BE(20)], [512, 768]);

  // Begun from a picture without a mask.
  const photo = await page.page.evaluate(() => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 128, height: 128 });
    const context = canvas.getContext("2d");
    context.fillStyle = "rgb(220, 40, 30)";
    context.fillRect(0, 0, 128, 128);
    return canvas.toDataURL("image/png").split(",")[1];
  });
  const chooser = region.getByLabel("Picture to begin from: choose a file");
  await chooser.setInputFiles({ name: "x.png", mimeType: "image/png", buffer: Buffer.from(photo, "base64") });
  await region.getByRole("figure", { name: "Picture to begin from", exact: true }).getByText("128×128", { exact: true }).waitFor();
  const prompt = { Prompt: "a large blue sphere on grass by day", Guidance: "3", Steps: "5" };
  const little = await paint({ ...prompt, Size: "the model's own", Strength: "0.2" });
  const much = await paint({ Strength: "0.8" });
  assert.deepEqual([little.size, much.size], ["256 × 256", "256 × 256"]);
  for (const [{ facts }, strength, steps] of [[little, "0.2", 1], [much, "0.8", 4]]) {
    assert.ok(facts.includes(`Strength${strength}`), facts);
    assert.match(facts, new RegExp(`, ${steps} steps `));
  }
  assert.ok(little.middle[0] > 150 && little.middle[2] < 110, `little has changed: ${little.middle}`);
  assert.ok(much.middle[2] > much.middle[0], `the sphere is ${much.middle}`);
  assert.equal((await paint({ Strength: "0.2", Size: "128 × 128" })).size, "128 × 128", "the picture's own size");
  await page.close();
});

test("each sampler paints another picture of a checkpoint that is not bound to one", async () => {
  const { page, paint } = await studio();
  await page.tab("Models").click();
  const models = page.region("Models");
  await models.getByLabel("Address", { exact: true }).fill("checkpoints/sd1");
  await page.pressIn(models, "Download");
  await page.ended("files", "done", 1, 120_000);
  await page.tab("Studio").click();
  const own = await paint({ Model: "sd1", Steps: "4", Guidance: "1", Seed: "7" });
  assert.ok(!own.facts.includes("Sampler"), own.facts);
  const seen = new Map();
  for (const sampler of ["Euler", "Euler ancestral", "DDIM", "DPM++ 2M", "LCM", "PNDM"]) {
    const { hash, facts } = await paint({ Sampler: sampler });
    assert.ok(facts.includes(`Sampler${sampler}`), facts);
    seen.set(hash, sampler);
  }
  assert.equal(seen.size, 6, "all differ");
  assert.equal(seen.get(own.hash), "DDIM", "which is its own");
  assert.equal(seen.get((await paint({ Sampler: "Euler" })).hash), "Euler");
  await page.close();
});

test("a picture that is cancelled between its steps frees its slot, and the next is as if it had never been", async () => {
  const page = await app.open("?engine=cpu");
  await page.tab("Network").click();
  const region = page.region("Network");
  const figure = region.getByRole("figure", { name: "Picture", exact: true });
  const ask = async (prompt, seed, steps) => {
    for (const [label, text] of Object.entries({ Prompt: prompt, Seed: seed, Steps: steps })) await region.getByLabel(label, { exact: true }).fill(text);
    await page.pressIn(region, "Generate");
    return (await page.snapshot()).jobs.findLast((job) => job.lane === "network").id;
  };
  const first = await ask("a red sphere on grass by day", "7", "4");
  await page.ended("network", "done", 1, 120_000);
  await page.ended("render", "done", 1, 120_000);
  const whole = await page.picture(figure);

  const long = await ask("a blue cube in the snow at night", "8", "20");
  // The status is read in the page, and the cancel pressed in the same turn: a step takes a tenth of a second.
  const step = await figure.getByTestId("status").evaluate(async (status, job) => {
    const began = performance.now();
    for (;;) {
      const [, done, total] = /(\d+)\/(\d+) steps/.exec(status.textContent) ?? [];
      if (total === "20" && done >= 2) {
        document.querySelector(`[aria-label="Cancel job ${job}"]`).click();
        return Number(done);
      }
      if (performance.now() - began > 60_000) throw new Error(`never at its second step: ${status.textContent}`);
      await new Promise((later) => setTimeout(later, 5));
    }
  }, long);
  assert.ok(step < 20, `it had ${step} steps`);
  const next = await ask("a red sphere on grass by day", "7", "4");
  // A handler that does not hear of its cancel is ended with its worker, after five seconds.
  await page.ended("network", "cancelled", 1, 4_000);
  await page.ended("network", "done", 2, 120_000);
  const { jobs, lanes } = await page.snapshot();
  assert.deepEqual([first, long, next].map((id) => jobs.find((job) => job.id === id).state), ["done", "cancelled", "done"]);
  assert.deepEqual(jobs.filter(({ attempt }) => attempt !== 1), [], "none began again");
  assert.deepEqual(lanes.find(({ id }) => id === "network").running, []);
  await page.page.locator('[data-lane="network"] .slot-free').waitFor();
  assert.equal((await page.picture(figure)).hash, whole.hash, "the same seed");
  await page.ended("render", "done", 2, 120_000);
  assert.equal((await page.snapshot()).jobs.filter(({ lane }) => lane === "render").length, 2, "nothing follows what was cancelled");
  await page.close();
});
