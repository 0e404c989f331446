import assert from "node:assert/strict";
import { test } from "node:test";
import { start } from "./harness/app_page.mjs";

const PROMPT = "a large red sphere on grass by day";

async function network(app) {
  const page = await app.open("?engine=cpu");
  await page.tab("Network").click();
  const region = page.region("Network");
  const paint = async (prompt, seed) => {
    await region.getByLabel("Prompt", { exact: true }).fill(prompt);
    await region.getByLabel("Seed", { exact: true }).fill(seed);
    const ended = async (lane) => (await page.snapshot()).jobs.filter((job) => job.lane === lane && job.state === "done").length;
    const [painted, rendered] = [await ended("network"), await ended("render")];
    await page.pressIn(region, "Generate");
    await page.ended("network", "done", painted + 1, 120_000);
    await page.ended("render", "done", rendered + 1, 120_000);
    return page.picture(region.getByRole("figure", { name: "Picture", exact: true }));
  };
  return { page, region, paint };
}

test("a download that arrives damaged is refused, and whole the next time", async () => {
  const app = await start("demo");
  try {
    app.server.damaged = /unet.*safetensors$/;
    const page = await app.open("?engine=cpu");
    await page.tab("Network").click();
    const region = page.region("Network");
    await page.pressIn(region, "Generate");
    await page.ended("network", "failed", 1, 120_000);
    const { jobs } = await page.snapshot();
    assert.match(jobs.find((job) => job.lane === "network").error, /arrived damaged/);
    app.server.damaged = undefined;
    await page.pressIn(region, "Generate");
    await page.ended("network", "done", 1, 120_000);
    await page.close();
  } finally {
    await app.stop();
  }
});

test("the network paints on the GPU too", async () => {
  const app = await start("demo");
  try {
    const page = await app.open("?engine=gpu");
    await page.tab("Network").click();
    const region = page.region("Network");
    // In software a step takes seconds.
    await region.getByLabel("Steps", { exact: true }).fill("1");
    await region.getByLabel("Guidance", { exact: true }).fill("1");
    await page.pressIn(region, "Generate");
    await page.ended("network", "done", 1, 240_000);
    assert.ok((await page.picture(region.getByRole("figure", { name: "Picture", exact: true }))).colours > 100);
    assert.equal((await page.adapter()).engine, "gpu");
    await page.close();
  } finally {
    await app.stop();
  }
});

for (const ranges of [true, false]) {
  test(`the network paints what the prompt says, is fetched once, and gives the same for the same seed (ranges: ${ranges})`, async () => {
    // A host without ranges answers as hosts of single pages do, too.
    const app = await start("demo", { ranges, page: !ranges });
    try {
      const { page, region, paint } = await network(app);
      const picture = await paint(PROMPT, "7");
      assert.deepEqual([picture.width, picture.height], [256, 256]);
      assert.equal(await region.locator("input[type=file]").count(), 0, "its pictures are for looking at");
      const [r, g, b] = picture.middle;
      assert.ok(r > 1.5 * g && r > 1.5 * b, `the sphere is ${picture.middle}`);
      assert.ok(picture.bottom[1] > picture.bottom[2], `the grass is ${picture.bottom}`);
      const strip = region.getByRole("figure", { name: "How it arose", exact: true });
      assert.ok((await strip.getByRole("button", { name: /^Open Picture/ }).count()) >= 2, "the strip shows the steps");
      const weights = () => app.server.requests.filter((path) => path.endsWith(".safetensors")).length;
      const fetched = weights();
      assert.ok(fetched > 0);
      assert.equal((await paint(PROMPT, "7")).hash, picture.hash, "the same seed");
      assert.notEqual((await paint("a small blue cube in the snow at night", "8")).hash, picture.hash);
      assert.equal(weights(), fetched, "nothing is fetched twice");
      await paint("a red velociraptor on grass", "9");
      await page.page.getByText(/never seen these words: velociraptor/).waitFor();
      // A surprise is rendered as it was painted.
      await paint("", "10");
      const asked = (name) => region.getByRole("figure", { name, exact: true }).locator("img, canvas").first().getAttribute("aria-label");
      const surprise = (await asked("Picture")).replace("Picture: ", "");
      assert.match(surprise, /^a \w+ \w+ \w+ /);
      assert.equal(await asked("The same, by the renderer"), `The same, by the renderer: ${surprise}`);
      await page.close();
    } finally {
      await app.stop();
    }
  });
}
