import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "./harness/app_page.mjs";

let app;
before(async () => { app = await start("demo"); });
after(() => app.stop());

async function studio(query = "", options = {}) {
  const page = await app.open(query, options);
  await page.tab("Studio").click();
  // The size that suits the machine arrives when the page has opened; it must not undo what is typed.
  await page.ended("suit", "done", 1);
  const region = page.region("Studio");
  await region.getByText("Settings of scene, flame and reaction").click();
  return {
    ...page, page, region,
    set: (label, text) => region.getByLabel(label, { exact: true }).fill(text),
    choose: (label, value) => region.getByLabel(label, { exact: true }).selectOption(value),
    generate: async () => {
      const before = (await page.snapshot()).jobs.filter((job) => job.lane === "studio").length;
      await page.pressIn(region, "Generate");
      return before;
    },
    paint: async () => {
      const done = (await page.snapshot()).jobs.filter((job) => job.lane === "studio" && job.state === "done").length;
      await page.pressIn(region, "Generate");
      await page.ended("studio", "done", done + 1, 120_000);
      return page.picture(region.getByRole("figure", { name: "Result", exact: true }));
    },
  };
}

async function small(studio, model, prompt) {
  await studio.set("Prompt", prompt);
  await studio.choose("Model", model);
  await studio.set("Width", "97");
  await studio.set("Height", "80");
  await studio.choose("Quality", "low");
  await studio.set("Seed", "7");
}

for (const query of ["?engine=cpu", "?engine=gpu"]) {
  test(`each generator makes a picture, and the same one for the same seed (${query})`, async () => {
    const s = await studio(query);
    for (const [model, prompt] of [["scene", "a matte red sphere on grass at day"], ["flame", "fire"], ["reaction", "blue maze"]]) {
      await small(s, model, prompt);
      const picture = await s.paint();
      assert.deepEqual([picture.width, picture.height], [97, 80], model);
      assert.ok(picture.colours > 300, `${model}: ${picture.colours} colours`);
      const [r, g, b] = picture.middle;
      if (model === "scene") {
        assert.ok(r > 1.8 * g && r > 1.8 * b, `the sphere is ${picture.middle}`);
        assert.ok(picture.bottom[1] > picture.bottom[0] && picture.bottom[1] > picture.bottom[2], `the grass is ${picture.bottom}`);
        assert.ok(picture.top[2] > picture.top[0], `the sky is ${picture.top}`);
      }
      if (model === "flame") assert.ok(r > b, `fire is ${picture.middle}`);
      if (model === "reaction") assert.ok(b > r, `the maze is ${picture.middle}`);
      assert.equal((await s.paint()).hash, picture.hash, `${model}: the same seed`);
      await s.set("Seed", "8");
      assert.notEqual((await s.paint()).hash, picture.hash, `${model}: another seed`);
    }
    assert.equal((await s.page.adapter()).engine, query.slice(-3));
    await s.page.close();
  });
}

test("the network is what the Studio paints with, as its settings say, and shows how the picture arose", async () => {
  const page = await app.open("?engine=cpu");
  await page.tab("Studio").click();
  const region = page.region("Studio");
  const figure = (name) => region.getByRole("figure", { name, exact: true });
  // One click: a prompt of its own, and its picture.
  await page.pressIn(region, "Red ball");
  await page.ended("studio", "done", 1, 120_000);
  const picture = await page.picture(figure("Result"));
  assert.deepEqual([picture.width, picture.height], [256, 256]);
  const [r, g, b] = picture.middle;
  assert.ok(r > 1.5 * g && r > 1.5 * b, `the sphere is ${picture.middle}`);
  const strip = figure("How it arose").getByRole("button", { name: /^Open Picture/ });
  assert.ok((await strip.count()) >= 2, "the strip shows the steps");
  // Settings and several images.
  await region.getByText("Settings of the network").click();
  await region.getByLabel("Steps", { exact: true }).fill("2");
  await region.getByLabel("Guidance", { exact: true }).fill("1.5");
  await region.getByLabel("Negative prompt", { exact: true }).fill("snow");
  await region.getByLabel("Weighted and long prompts", { exact: true }).check();
  await region.getByLabel("Prompt", { exact: true }).fill("a (red:1.2) sphere on grass by day, floccinaucinihil");
  await region.getByLabel("Seed", { exact: true }).fill("5");
  await region.getByLabel("Number of images").fill("2");
  await page.pressIn(region, "Generate");
  await page.ended("studio", "done", 2, 120_000);
  assert.equal(await figure("Images").getByRole("button", { name: /^Open Picture/ }).count(), 2);
  const told = (words) => page.page.getByRole("status").getByText(words);
  await told("has never seen these words: floccinaucinihil.").first().waitFor();
  assert.equal(await told("has never seen these words: floccinaucinihil.").count(), 1, "once for both pictures");
  const facts = await figure("Result").textContent();
  const chosen = ["Negative promptsnow", "Promptsweighted, in chunks"];
  for (const fact of ["Modelnetwork", "Seed6", "Steps2", "Guidance1.5", ...chosen]) assert.ok(facts.includes(fact), `${fact} in ${facts}`);
  // The same with weights of 8 bit, in which the model is kept anyway.
  const before = await page.picture(figure("Result"));
  await region.getByLabel("Weights", { exact: true }).selectOption("8 bit");
  await region.getByLabel("Number of images").fill("1");
  await region.getByLabel("Seed", { exact: true }).fill("6");
  await page.pressIn(region, "Generate");
  await page.ended("studio", "done", 3, 120_000);
  const eight = await page.picture(figure("Result"));
  assert.ok((await figure("Result").textContent()).includes("Weights8 bit"));
  for (const n of [0, 1, 2]) assert.ok(Math.abs(eight.middle[n] - before.middle[n]) <= 1, `${eight.middle} for ${before.middle}`);
  // The distilled one has steps of its own, and says so to who sets others.
  await region.getByLabel("Weights", { exact: true }).selectOption("as they are");
  await region.getByLabel("Seed", { exact: true }).fill("5");
  await region.getByLabel("Model", { exact: true }).selectOption("network, 4 steps");
  const steps = region.getByLabel("Steps", { exact: true });
  await page.page.waitForFunction((steps) => steps.value === "4", await steps.elementHandle());
  await steps.fill("9");
  await page.pressIn(region, "Generate");
  await page.ended("studio", "done", 4, 120_000);
  const few = await figure("Result").textContent();
  for (const fact of ["Modelnetwork, 4 steps", "Seed5", "Steps4"]) assert.ok(few.includes(fact), `${fact} in ${few}`);
  const made = (await page.picture(figure("Result"))).middle;
  assert.ok(made[0] > 1.5 * made[1] && made[0] > 1.5 * made[2], `the sphere is ${made}`);
  await told("network, 4 steps takes 4 steps without guidance").waitFor();
  await told("The negative prompt does nothing here: it needs a guidance above 1.").waitFor();
  assert.ok(!few.includes("Negative prompt"), few);
  // What makes pictures without a network has no negative prompt either.
  await region.getByLabel("Model", { exact: true }).selectOption("flame");
  await page.pressIn(region, "Generate");
  await page.ended("studio", "done", 5, 120_000);
  await told("flame knows no picture to begin from and no negative prompt").waitFor();
  await page.close();
});

test("a picture is kept as a PNG file with how it was made", async () => {
  const s = await studio("?engine=cpu", { acceptDownloads: true });
  await small(s, "scene", "a cube <b>мяч</b>");
  await s.paint();
  const said = await s.region.getByRole("figure", { name: "Result", exact: true }).textContent();
  for (const fact of ["Size97×80", "Modelscene", "Seed7", "Qualitylow"]) assert.ok(said.includes(fact), `${fact} in ${said}`);
  await s.region.getByRole("img", { name: "Result: a cube <b>мяч</b>", exact: true }).waitFor();
  const download = s.page.page.waitForEvent("download");
  await s.page.pressIn(s.region, "Download PNG");
  const chunks = [];
  for await (const chunk of await (await download).createReadStream()) chunks.push(chunk);
  const file = Buffer.concat(chunks);
  assert.equal(file.subarray(1, 4).toString(), "PNG");
  assert.ok(file.includes(Buffer.from("a cube <b>мяч</b>")) && file.includes("iTXt"));
  // A name, no compression, no language, no translation.
  for (const [name, text] of [["Seed", "7"], ["Quality", "low"]]) assert.ok(file.includes(`iTXt${name}\0\0\0\0\0${text}`), name);
  assert.match((await download).suggestedFilename(), /\.png$/);
  await s.page.close();
});

test("several images come one after the other, with seeds of their own", async () => {
  const s = await studio("?engine=cpu");
  await small(s, "flame", "blue");
  await s.region.getByLabel("Number of images").fill("3");
  await s.paint();
  assert.equal(await s.region.getByRole("button", { name: /Open Picture/ }).count(), 3);
  await s.region.getByRole("button", { name: "Open Picture 2" }).click();
  await s.page.page.getByRole("dialog", { name: "Picture" }).waitFor();
  await s.page.press("Close");
  await s.page.close();
});

test("what cannot be made is refused at its field, and the queue goes on", async () => {
  const s = await studio("?engine=cpu");
  await small(s, "scene", "a ball");
  const refused = async (label, text, message) => {
    const field = s.region.getByLabel(label, { exact: true });
    const before = await field.inputValue();
    await field.fill(text);
    // An error opens what its field is folded away in.
    if (label === "Height") await s.region.getByText("Settings of scene, flame and reaction").click();
    const jobs = await s.generate();
    await s.region.getByRole("alert").getByText(message).waitFor();
    assert.equal(await field.getAttribute("aria-invalid"), "true", `${label} ${text}`);
    assert.ok(await field.evaluate((field) => field === document.activeElement), `${label} ${text} is focused`);
    assert.equal((await s.page.snapshot()).jobs.filter((job) => job.lane === "studio").length, jobs, "nothing was queued");
    await field.fill(before);
    await s.region.getByRole("alert").getByText(message).waitFor({ state: "hidden" });
  };
  for (const size of ["0", "63", "2049", "64.5", "NaN", "abc", "-5", "1e9", "0x80", "0b10000000", "Infinity"]) await refused("Width", size, "from 64 to 2048");
  await refused("Height", "", "Type a number");
  assert.ok(await s.region.getByText("networks use the low 32 bits, as PyTorch does").isVisible());
  for (const seed of ["18446744073709551616", "-1", "x"]) await refused("Seed", seed, "A seed is a whole number");
  await refused("Prompt", "x".repeat(100_000), "100000 characters");
  for (const prompt of ["", "🦄 🏳️‍🌈", "كرة حمراء", "<script>window.broken = true</script><img src=x onerror='window.broken = true'>"]) {
    await s.set("Prompt", prompt);
    assert.ok((await s.paint()).colours > 100, prompt);
  }
  assert.equal(await s.page.page.evaluate(() => window.broken), undefined);
  await s.page.page.getByRole("status").getByText("not understood").first().waitFor();
  await s.page.close();
});

test("an empty prompt in the guide says so at the prompt", async () => {
  const page = await app.open();
  const example = page.region("Example 1");
  await example.getByLabel("Prompt").fill("  ");
  await page.pressIn(example, "Generate Image");
  await example.getByRole("alert").getByText("Write a prompt first.").waitFor();
  assert.equal((await page.snapshot()).jobs.filter((job) => job.lane === "image_gen").length, 0);
  await page.close();
});

test("a refused field out of sight is brought into view, and in a box of one line Shift+Enter breaks none", async () => {
  const page = await app.open("", { viewport: { width: 360, height: 740 } });
  await page.tab("Studio").click();
  await page.ended("suit", "done", 1);
  const region = page.region("Studio");
  const seed = region.getByLabel("Seed", { exact: true });
  const place = () => seed.evaluate((field) => ({
    focused: field === document.activeElement,
    seen: field.getBoundingClientRect().top >= 0 && field.getBoundingClientRect().bottom <= document.querySelector(".panel").getBoundingClientRect().top,
  }));
  await seed.fill("abc");
  await region.getByRole("button", { name: "Generate", exact: true }).scrollIntoViewIfNeeded();
  assert.equal((await place()).seen, false);
  await page.pressIn(region, "Generate");
  await region.getByRole("alert").getByText("A seed is a whole number").waitFor();
  assert.deepEqual(await place(), { focused: true, seen: true });
  // Pressed again, it is refused for the same and no less visibly.
  await page.pressIn(region, "Generate");
  assert.deepEqual(await place(), { focused: true, seen: true });
  await seed.fill("7");
  await seed.press("Shift+Enter");
  await page.until((snapshot) => snapshot.jobs.some((job) => job.lane === "studio"));
  assert.equal(await seed.inputValue(), "7");
  assert.equal((await place()).focused, true, "who is not refused stays where they are");
  await page.close();
});

test("a reload opens the same tab with what was typed and chosen there", async () => {
  const page = await app.open("?engine=cpu");
  await page.tab("Studio").click();
  const studio = page.region("Studio");
  await studio.getByLabel("Prompt", { exact: true }).fill("a red cube on sand");
  await page.ended("suit", "done", 1);
  await studio.getByText("Settings of scene, flame and reaction").click();
  await studio.getByLabel("Width", { exact: true }).fill("97");
  await page.page.reload();
  await page.page.waitForFunction(() => window.gradus?.snapshot);
  assert.equal(await page.tab("Studio").getAttribute("aria-selected"), "true");
  assert.equal(await studio.getByLabel("Prompt", { exact: true }).inputValue(), "a red cube on sand");
  await studio.getByText("chosen by timing this machine once").waitFor({ state: "attached" });
  assert.equal(await studio.getByLabel("Width", { exact: true }).inputValue(), "97", "the machine's own choice is for who made none");
  const other = await app.open("?engine=cpu");
  assert.equal(await other.tab("Studio").getAttribute("aria-selected"), "false", "another visitor's is not touched");
  await other.close();
  await page.close();
});
