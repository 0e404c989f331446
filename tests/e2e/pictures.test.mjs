import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "./harness/app_page.mjs";

let app;
before(async () => { app = await start("demo"); });
after(() => app.stop());

test("a picture is begun from another one, and only where the mask is white", async () => {
  const page = await app.open("?engine=cpu");
  await page.tab("Studio").click();
  const region = page.region("Studio");
  const figure = region.getByRole("figure", { name: "Result", exact: true });
  // White below, black above, as a PNG that the page makes itself.
  const file = (top, bottom) => page.page.evaluate(([top, bottom]) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 128, height: 128 });
    const context = canvas.getContext("2d");
    [[top, 0], [bottom, 64]].forEach(([colour, y]) => { context.fillStyle = colour; context.fillRect(0, y, 128, 64); });
    return canvas.toDataURL("image/png").split(",")[1];
  }, [top, bottom]);
  const choose = async (label, base64) => region.getByLabel(`${label}: choose a file`).setInputFiles({ name: "x.png", mimeType: "image/png", buffer: Buffer.from(base64, "base64") });
  await region.getByText("Begin from a picture").click();
  await choose("Picture to begin from", await file("rgb(220, 40, 30)", "rgb(220, 40, 30)"));
  await choose("Mask", await file("black", "white"));
  await region.getByLabel("Strength").fill("1");
  await region.getByLabel("Prompt", { exact: true }).fill("a blue sphere on grass by day");
  await page.pressIn(region, "Generate");
  await page.ended("studio", "done", 1, 120_000);
  const made = await page.picture(figure);
  assert.ok(made.top[0] > 150 && made.top[1] < 110, `what is black in the mask stays red: ${made.top}`);
  assert.ok(made.bottom[1] > made.bottom[0] && made.bottom[1] > made.bottom[2], `what is white becomes grass: ${made.bottom}`);
  const facts = await figure.textContent();
  const s = String.raw`\d+(\.\d+)? s`;
  assert.match(facts, new RegExp(`Timetext ${s}, encoder ${s}, 8 steps ${s} \\(${s} each\\), decoder ${s}`));

  // A sampler that does not fit is refused with what to do.
  await region.getByText("Settings of the network").click();
  await region.getByLabel("Sampler").selectOption("DDIM");
  await page.pressIn(region, "Generate");
  await page.ended("studio", "failed", 1, 120_000);
  assert.match((await page.snapshot()).jobs.find((job) => job.state === "failed").error, /Choose the model's own sampler/);

  // Without the picture and the mask it is a picture of its own again.
  for (const label of ["Mask", "Picture to begin from"]) await page.pressIn(region.getByRole("figure", { name: label, exact: true }), "Remove");
  await region.getByLabel("Sampler").selectOption("the model's own");
  await page.pressIn(region, "Generate");
  await page.ended("studio", "done", 2, 120_000);
  const alone = await page.picture(figure);
  assert.ok(alone.top[2] > alone.top[0], `the sky is ${alone.top}`);
  await page.close();
});

test("the picture that was chosen last is shown, with its own facts, and pastes and drops are taken", async () => {
  const page = await app.open("?engine=cpu");
  await page.tab("Studio").click();
  await page.ended("suit", "done", 1);
  const region = page.region("Studio");
  // The first picture that is decoded after `hold` waits for `release`.
  await page.page.evaluate(() => {
    const decode = window.createImageBitmap.bind(window);
    let held;
    window.bitmaps = [];
    window.hold = () => { held = new Promise((release) => { window.release = release; }); };
    window.createImageBitmap = async (file) => {
      const wait = held;
      held = undefined;
      await wait;
      const bitmap = await decode(file);
      window.bitmaps.push(bitmap);
      return bitmap;
    };
    window.square = async (side) => {
      const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
      canvas.getContext("2d").fillRect(0, 0, side, side);
      return new Promise((done) => canvas.toBlob(done));
    };
    window.bring = async (kind, place, side) => {
      const data = new DataTransfer();
      if (side) data.items.add(new File([await window.square(side)], "x.png", { type: "image/png" }));
      else data.setData("text/plain", "words");
      const made = { bubbles: true, cancelable: true };
      place.dispatchEvent(kind === "paste" ? new ClipboardEvent(kind, { ...made, clipboardData: data }) : new DragEvent(kind, { ...made, dataTransfer: data }));
    };
  });
  await region.getByText("Begin from a picture").click();
  const figure = region.getByRole("figure", { name: "Picture to begin from", exact: true });
  const chooser = region.getByLabel("Picture to begin from: choose a file");
  const size = async (side) => figure.getByText(`${side}×${side}`, { exact: true }).waitFor();
  const choose = async (side) => {
    const bytes = await page.page.evaluate(async (side) => [...new Uint8Array(await (await window.square(side)).arrayBuffer())], side);
    await chooser.setInputFiles({ name: `${side}.png`, mimeType: "image/png", buffer: Buffer.from(bytes) });
  };
  const shown = async () => (await page.picture(figure)).width;

  // Behind a picture that the page made.
  await region.getByText("Settings of scene, flame and reaction").click();
  for (const label of ["Width", "Height"]) await region.getByLabel(label, { exact: true }).fill("64");
  await region.getByLabel("Quality", { exact: true }).selectOption("low");
  await region.getByLabel("Model", { exact: true }).selectOption("flame");
  await page.pressIn(region, "Generate");
  await page.ended("studio", "done", 1, 120_000);
  await page.pressIn(region, "Begin from the result");
  await size(64);
  await choose(16);
  await size(16);

  // The slower one of two was chosen first.
  await page.page.evaluate(() => window.hold());
  await choose(8);
  await choose(24);
  await size(24);
  await page.page.evaluate(() => window.release());
  await page.page.waitForFunction(() => window.bitmaps.length === 3);
  assert.equal(await shown(), 24);
  await page.page.evaluate(() => window.hold());
  await choose(8);
  await page.pressIn(figure, "Remove");
  assert.ok(await chooser.evaluate((input) => input === document.activeElement), "the button went with the picture");
  await page.page.evaluate(() => window.release());
  await page.page.waitForFunction(() => window.bitmaps.length === 4);
  await shown();
  await figure.getByText("Drop or paste a picture here").waitFor();
  assert.deepEqual(await page.page.evaluate(() => window.bitmaps.map(({ width }) => width)), [0, 0, 0, 0], "their memory is given back");

  // Pasted where it is focused or pointed at, and not into a text.
  const paste = (side) => page.page.evaluate((side) => window.bring("paste", document.activeElement, side), side);
  await paste(32);
  await size(32);
  await figure.hover();
  // Not scrolled, so that the pointer stays where it is.
  await region.getByLabel("Prompt", { exact: true }).evaluate((box) => box.focus({ preventScroll: true }));
  await paste(40);
  assert.equal(await shown(), 32);
  await page.page.evaluate(() => document.activeElement.blur());
  await paste(40);
  await size(40);
  const drop = (side) => figure.locator(".frame").evaluate((frame, side) => window.bring("drop", frame, side), side);
  await drop();
  await figure.getByRole("alert").getByText("What was dropped is no file.").waitFor();
  await drop(48);
  await size(48);
  await figure.getByRole("alert").waitFor({ state: "hidden" });
  await page.close();
});

test("a photograph is reduced and painted over by pointer and by keys; what is painted changes, and the result can go on", async () => {
  const page = await app.open("?engine=cpu");
  await page.tab("Studio").click();
  const region = page.region("Studio");
  await region.getByText("Begin from a picture").click();
  const photo = await page.page.evaluate(() => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 3000, height: 1500 });
    const context = canvas.getContext("2d");
    context.fillStyle = "rgb(220, 40, 30)";
    context.fillRect(0, 0, 3000, 1500);
    return canvas.toDataURL("image/jpeg").split(",")[1];
  });
  const start = region.getByRole("figure", { name: "Picture to begin from", exact: true });
  const chooser = region.getByLabel("Picture to begin from: choose a file");
  await chooser.setInputFiles({ name: "x.jpg", mimeType: "image/jpeg", buffer: Buffer.from(photo, "base64") });
  const mask = region.getByRole("application", { name: /^Mask: paint/ });
  const size = (figure) => figure.locator("canvas").first().evaluate((canvas) => [canvas.width, canvas.height]);
  await mask.waitFor();
  assert.deepEqual(await size(start), [1024, 512]);
  // Whether a place, given in shares of the canvas, is painted.
  const painted = (x, y) => mask.evaluate((canvas, [x, y]) =>
    canvas.getContext("2d").getImageData(x * canvas.width, y * canvas.height, 1, 1).data[3] > 0, [x, y]);
  const drag = async (from, to) => {
    const box = await mask.boundingBox();
    const at = ([x, y]) => [box.x + x * box.width, box.y + y * box.height];
    await page.page.mouse.move(...at(from));
    await page.page.mouse.down();
    await page.page.mouse.move(...at(to), { steps: 4 });
    await page.page.mouse.up();
  };

  await mask.focus();
  await page.page.keyboard.press("Space");
  assert.deepEqual([await painted(0.5, 0.5), await painted(0.7, 0.5), await painted(0.5, 0.2)], [true, false, false]);
  for (let n = 0; n < 6; n++) await page.page.keyboard.press("Shift+ArrowRight");
  assert.deepEqual([await painted(0.7, 0.5), await painted(0.3, 0.5)], [true, false]);
  await region.getByLabel("Brush").fill("25");
  await region.getByLabel("Erase").check();
  await drag([0, 0.5], [1, 0.5]);
  assert.deepEqual([await painted(0.5, 0.5), await painted(0.7, 0.5)], [false, false]);
  const figure = region.getByRole("figure", { name: "Mask", exact: true });
  await figure.getByRole("button", { name: "Remove" }).waitFor({ state: "hidden" });

  await region.getByLabel("Erase").uncheck();
  await drag([0, 0.8], [1, 0.8]);
  await region.getByLabel("Strength").fill("1");
  await region.getByLabel("Prompt", { exact: true }).fill("a blue sphere on grass by day");
  await page.pressIn(region, "Generate");
  await page.ended("studio", "done", 1, 120_000);
  const result = region.getByRole("figure", { name: "Result", exact: true });
  const made = await page.picture(result);
  assert.ok(made.top[0] > 150 && made.top[1] < 110, `what is not painted stays red: ${made.top}`);
  assert.ok(made.bottom[1] > made.bottom[0] && made.bottom[1] > made.bottom[2], `what is painted becomes grass: ${made.bottom}`);

  await page.pressIn(region, "Begin from the result");
  await page.ended("again", "done", 1);
  assert.deepEqual(await size(start), await size(result));
  assert.equal(await painted(0.5, 0.8), false, "a mask belongs to its picture");
  await page.close();
});
