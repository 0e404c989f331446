import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ROOT, start } from "./harness/app_page.mjs";
import { serve } from "./harness/server.mjs";

const FLOW = fileURLToPath(new URL("../fixtures/diffusion/flow", import.meta.url));

let app;
before(async () => { app = await start("demo", { beside: { "checkpoints/flow": FLOW } }); });
after(() => app.stop());

async function models(query = "?engine=cpu") {
  const page = await app.open(query);
  await page.tab("Models").click();
  const region = page.region("Models");
  const ended = async (state) => (await page.snapshot()).jobs.filter((job) => job.lane === "files" && job.state === state).length;
  return {
    page, region,
    address: (text) => region.getByLabel("Address", { exact: true }).fill(text),
    press: async (button, state = "done") => {
      const before = await ended(state);
      await page.pressIn(region, button);
      await page.ended("files", state, before + 1, 120_000);
      await page.page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
      return region.textContent();
    },
    offered: async () => page.page.locator("select").evaluateAll((all) =>
      [...all.find((select) => [...select.options].some(({ value }) => value === "scene")).options].map(({ value }) => value)),
  };
}

/** Makes a picture in the Studio with a model that the tab Models brought. */
async function paint(page, name) {
  await page.tab("Studio").click();
  const region = page.region("Studio");
  await region.getByLabel("Model", { exact: true }).selectOption(name);
  await region.getByLabel("Prompt", { exact: true }).fill("a red ball");
  await page.pressIn(region, "Generate");
  await page.ended("studio", "done", 1, 120_000);
  return { picture: await page.picture(region.getByRole("figure", { name: "Result", exact: true })), region };
}

test("a model is looked at before it is fetched, fetched with a pause, painted with, and deleted", async () => {
  const m = await models();
  const before = app.server.requests.length;
  const told = await m.press("What does it take?");
  assert.match(told, /network fits this machine/);
  assert.match(told, /Files: 13\.\d MB, of which [0-8](\.\d)? MB are kept/);
  assert.match(told, /Weights: 1\d(\.\d)? million numbers/);
  assert.match(told, /unet\/diffusion_pytorch_model\.safetensors: \d/);
  const pieces = () => app.server.requests.slice(before).filter((path) => path.endsWith(".safetensors")).length;
  const looked = pieces();

  // A pause while a piece is on its way.
  let open;
  const gate = new Promise((done) => { open = done; });
  app.server.gate = () => gate;
  await m.page.pressIn(m.region, "Download");
  await m.page.until((snapshot) => snapshot.lanes.find((lane) => lane.id === "files").running.length === 1);
  const asked = app.server.requests.length;
  const waiting = async () => { while (app.server.requests.length === asked) await new Promise(setImmediate); };
  await waiting();
  await m.page.pressIn(m.region, "Pause");
  open();
  app.server.gate = undefined;
  await m.page.ended("files", "cancelled", 1);
  await m.page.ended("files", "done", 2);
  const paused = await m.region.textContent();
  assert.match(paused, /of which \d+(\.\d)? MB are kept/);
  assert.ok(!/Files: ([\d.]+ MB), of which \1 are kept/.test(paused), "a pause is not the end");

  const whole = await m.press("Download");
  assert.match(whole, /Files: ([\d.]+ MB), of which \1 are kept/);
  assert.ok(pieces() > looked);
  // For each file a HEAD; of the network, which has the only long one, three pieces of 4 MiB, each once.
  const weights = app.server.requests.slice(before).filter((path) => path.endsWith("unet/diffusion_pytorch_model.safetensors"));
  assert.equal(weights.length, 4, "what was kept is not fetched again");

  await m.address("checkpoints/flow");
  assert.match(await m.press("Download"), /flow fits this machine/);
  assert.ok((await m.offered()).includes("flow"));
  const { picture } = await paint(m.page, "flow");
  assert.deepEqual([picture.width, picture.height], [64, 64]);
  assert.ok(picture.colours > 50);

  // It is still there when the page is opened again, and gone when it was deleted.
  await m.page.page.reload();
  await m.page.page.waitForFunction(() => [...document.querySelectorAll("option")].some(({ value }) => value === "flow"));
  await m.page.tab("Models").click();
  await m.address("checkpoints/flow");
  assert.match(await m.press("Delete"), /Nothing of flow is kept/);
  assert.ok(!(await m.offered()).includes("flow"));
  assert.match(await m.press("What does it take?"), /flow fits/);
  await m.page.close();
});

test("a download that was paused goes on after a reload with what is there", async () => {
  const m = await models();
  const network = "models/scenes/unet/diffusion_pytorch_model.safetensors";
  const before = app.server.ranges.length;
  const asked = () => app.server.ranges.slice(before).filter((range) => range.startsWith(network));
  // Paused while the second of three pieces is on its way: that one still comes, and none after it.
  let open;
  const gate = new Promise((done) => { open = done; });
  const second = new Promise((held) => {
    app.server.gate = (path, start) => {
      if (!path.endsWith(network) || start === 0) return undefined;
      held();
      return gate;
    };
  });
  await m.page.pressIn(m.region, "Download");
  await second;
  await m.page.pressIn(m.region, "Pause");
  open();
  app.server.gate = undefined;
  await m.page.ended("files", "cancelled", 1);
  await m.page.ended("files", "done", 1);
  const text = await m.region.textContent();
  assert.match(text, /Files: 13\.\d MB, of which \d+(\.\d)? MB are kept/);
  assert.ok(!/Files: ([\d.]+ MB), of which \1 are kept/.test(text), "a pause is not the end");
  const paused = asked();
  assert.deepEqual(paused, [0, 1].map((piece) => `${network} from ${piece << 22}`));

  await reloaded(m);
  const others = app.server.ranges.length;
  const whole = await m.press("Download");
  assert.match(whole, /network fits this machine.*Files: ([\d.]+ MB), of which \1 are kept/s);
  assert.deepEqual(asked().slice(paused.length), [`${network} from ${2 << 22}`], "what was kept is not fetched again");
  const again = app.server.ranges.slice(others);
  const had = app.server.ranges.slice(before, others);
  assert.deepEqual(again.filter((range) => had.includes(range)), []);
  await m.page.close();
});

test("a report names the GPU, whether it computes with halves, its largest buffer, and what the page keeps in all", async () => {
  const m = await models("?engine=gpu");
  const told = await m.press("What does it take?");
  const { engine, name, tier } = await m.page.adapter();
  assert.equal(engine, "gpu");
  const has = await m.page.page.evaluate(async () => {
    const { features, limits } = await navigator.gpu.requestAdapter();
    return { halves: features.has("shader-f16"), buffer: Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize) };
  });
  assert.equal(tier, has.halves ? "shader-f16" : "packed-f16");
  const bytes = (text) => Number(text.split(" ")[0]) * { kB: 1e3, MB: 1e6, GB: 1e9 }[text.split(" ")[1]];
  const [, place, of, largest] = /Weights: .*? on (.+) \(([\w-]+), buffers of up to ([\d.]+ [kMG]B)\)\. Where/.exec(told) ?? assert.fail(told);
  assert.deepEqual([place, of], [name, tier]);
  assert.ok(Math.abs(bytes(largest) / has.buffer - 1) < 0.1, `${largest} of ${has.buffer}`);

  // What the browser counts, to the tenth that is told.
  const keeps = (text) => /All that this page keeps: ([\d.]+ [kMG]B) of ([\d.]+ [kMG]B)\./.exec(text).slice(1).map(bytes);
  const counted = () => m.page.page.evaluate(async () => (await navigator.storage.estimate()).usage);
  const [before, room] = keeps(told);
  assert.ok(room > before);
  const whole = await m.press("Download");
  const [after] = keeps(whole);
  const kept = bytes(/Files: ([\d.]+ [kM]B), of which \1 are kept/.exec(whole)[1]);
  const usage = await counted();
  assert.ok(after >= kept && after > before, `${before}, then ${after} with ${kept} of files`);
  assert.ok(Math.abs(after - usage) < 0.1 * usage, `${after} of ${usage}`);
  await m.press("Delete");
  const [deleted] = keeps(await m.press("What does it take?"));
  assert.ok(deleted < after, `${deleted} after ${after}`);
  await m.page.close();
});

test("a folder of the disk is taken in and painted with, without any network", async () => {
  const m = await models();
  await m.region.getByLabel("Or a folder of this machine").setInputFiles(FLOW);
  await m.page.ended("files", "done", 1);
  assert.match(await m.region.textContent(), /flow fits this machine.*Files: ([\d.]+ [kM]B), of which \1 are kept/s);
  const requests = app.server.requests.length;
  const { picture } = await paint(m.page, "flow");
  assert.deepEqual([picture.width, picture.height], [64, 64]);
  assert.equal(app.server.requests.length, requests);
  await m.page.close();
});

test("a folder that is chosen again with other files takes the place of what it was", async (t) => {
  const m = await models();
  const place = mkdtempSync(`${tmpdir()}/chosen-`);
  t.after(() => rmSync(place, { recursive: true }));
  const seen = [];
  for (const [count, fixture] of ["flow", "sd1"].entries()) {
    rmSync(`${place}/mine`, { recursive: true, force: true });
    cpSync(fileURLToPath(new URL(`../fixtures/diffusion/${fixture}`, import.meta.url)), `${place}/mine`, { recursive: true });
    await m.region.getByLabel("Or a folder of this machine").setInputFiles(`${place}/mine`);
    await m.page.ended("files", "done", count + 1);
    seen.push(/mine fits this machine.*Files: ([\d.]+ [kM]B), of which \1 are kept/s.exec(await m.region.textContent())[1]);
    assert.equal((await m.offered()).filter((name) => name.startsWith("mine")).length, 1);
  }
  assert.notEqual(seen[0], seen[1]);
  const { picture } = await paint(m.page, "mine");
  assert.ok(picture.colours > 50);
  await m.page.close();
});

test("of a model that changed at its address nothing stays of what it was", async () => {
  const m = await models();
  const files = () => m.page.page.evaluate(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("gradus-files");
    let count = 0;
    for await (const name of folder.keys()) if (!name.includes(".")) count++;
    return count;
  });
  const counts = [];
  for (const tag of ['"one"', '"two"', '"two"', '"three"']) {
    app.server.tag = tag;
    await reloaded(m);
    await m.address("checkpoints/flow");
    assert.match(await m.press("Download"), /flow fits this machine.*Files: ([\d.]+ [kM]B), of which \1 are kept/s);
    counts.push(await files());
  }
  app.server.tag = undefined;
  assert.ok(counts[0] > 10 && counts.every((count) => count === counts[0]), `${counts}`);
  await m.page.close();
});

/** The files of a checkpoint as a phone's visitor has them: in one folder, the second of a name with a number. */
function loose(folder) {
  const paths = ["vae/config.json", "text_encoder/config.json", "unet/config.json", "vae/diffusion_pytorch_model.safetensors",
    "unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors", "tokenizer/vocab.json", "tokenizer/merges.txt",
    "tokenizer/tokenizer_config.json", "scheduler/scheduler_config.json", "model_index.json"];
  const seen = {};
  return paths.map((path) => {
    const name = path.split("/").at(-1);
    const number = (seen[name] = (seen[name] ?? -1) + 1);
    const buffer = readFileSync(`${folder}/${path}`);
    return { name: number ? name.replace(/\.(?=\w+$)/, ` (${number}).`) : name, mimeType: "application/octet-stream", buffer };
  });
}

test("loose files of the disk find their places and are painted with, without any network", async () => {
  const m = await models();
  const files = loose(FLOW);
  assert.ok(files.some(({ name }) => name === "config (2).json"));
  const requests = app.server.requests.length;
  await m.region.getByLabel("Or files of this machine").setInputFiles(files);
  await m.page.ended("files", "done", 1);
  const text = await m.region.textContent();
  assert.match(text, /files of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d fits this machine.*Files: ([\d.]+ [kM]B), of which \1 are kept/s);
  assert.match(text, /unet\/diffusion_pytorch_model\.safetensors: \d/);
  const name = (await m.offered()).find((name) => name.startsWith("files of "));
  const { picture } = await paint(m.page, name);
  assert.deepEqual([picture.width, picture.height], [64, 64]);
  assert.equal(app.server.requests.length, requests);

  assert.ok(picture.colours > 50);
  // It is there when the page is opened again.
  await m.page.page.reload();
  await m.page.page.waitForFunction((name) => [...document.querySelectorAll("option")].some(({ value }) => value === name), name);
  await m.page.close();
});

test("loose files that are no whole model are told by their names, and nothing of them is kept", async () => {
  const m = await models();
  const kept = () => m.page.page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const names = [];
    for await (const name of (await root.getDirectoryHandle("gradus-files", { create: true })).keys()) names.push(name);
    return names.length;
  });
  const before = await kept();
  const files = loose(FLOW).filter(({ name }) => name !== "vocab.json");
  const input = m.region.getByLabel("Or files of this machine");
  await input.setInputFiles([...files, { name: "ink.bin", mimeType: "application/octet-stream", buffer: Buffer.from("x") }]);
  await m.page.ended("files", "failed", 1);
  await m.region.getByText("ink.bin belongs nowhere. tokenizer/vocab.json is missing. Choose all files of the model again").first().waitFor();
  assert.equal(await kept(), before);
  // Chosen again with what was missing.
  await input.setInputFiles(loose(FLOW));
  await m.page.ended("files", "done", 1);
  assert.match(await m.region.textContent(), /fits this machine/);
  await m.page.close();
});

test("a model of another host, which compresses its texts, is fetched and painted with", async () => {
  const hub = await serve(FLOW, { hub: true, subPath: "/owner/flow/resolve/main/" });
  const m = await models();
  await m.address(hub.url);
  assert.match(await m.press("Download"), /flow fits this machine.*Files: ([\d.]+ [kM]B), of which \1 are kept/s);
  assert.equal((await paint(m.page, "flow")).picture.width, 64);
  await m.page.close();
  await hub.close();
});

/** Has this done in each worker of the page before anything else, from its next load on. */
const inWorkers = (page, code) => page.addInitScript((code) => {
  const script = (text) => URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const Real = Worker;
  window.Worker = class extends Real {
    constructor(url, options) {
      super(script(`import ${JSON.stringify(script(code))}; import "${new URL(url, location.href)}";`), options);
    }
  };
}, code);

async function reloaded(m) {
  await m.page.page.reload();
  await m.page.page.waitForFunction(() => window.gradus?.snapshot);
  await m.page.tab("Models").click();
}

test("a download that finds the disk full ends at once and says so, and goes on when there is room", async () => {
  const m = await models();
  await inWorkers(m.page.page, `
    const write = FileSystemSyncAccessHandle.prototype.write;
    self.full = true;
    FileSystemSyncAccessHandle.prototype.write = function (...all) { return self.full ? 0 : write.apply(this, all); };`);
  await reloaded(m);
  await m.address("checkpoints/flow");
  await m.press("Download", "failed");
  const { error } = (await m.page.snapshot()).jobs.find((job) => job.state === "failed");
  assert.match(error, /^The browser keeps no more of this model: .* Delete another model/);
  for (const worker of m.page.page.workers()) await worker.evaluate(() => { self.full = false; });
  assert.match(await m.press("Download"), /flow fits this machine.*Files: ([\d.]+ [kM]B), of which \1 are kept/s);
  await m.page.close();
});

test("who fetches a model asks the browser to keep it, and what there is no room for is refused before it is fetched", async () => {
  const m = await models();
  // A disk that is nearly full, as a page and its workers are told.
  await inWorkers(m.page.page, "StorageManager.prototype.estimate = async () => ({ usage: 9e6, quota: 10e6 });");
  await m.page.page.addInitScript(() => {
    window.asked = 0;
    StorageManager.prototype.persist = async () => { window.asked++; return true; };
  });
  await reloaded(m);
  const fetched = () => app.server.requests.filter((path) => path.endsWith("unet/diffusion_pytorch_model.safetensors")).length;
  const before = fetched();
  await m.press("Download", "failed");
  const { error } = (await m.page.snapshot()).jobs.find((job) => job.state === "failed");
  assert.match(error, /needs \d+ MB more on this machine, and the browser gives this page 1 MB\. Delete another/);
  assert.ok(fetched() <= before + 2, "only its size and its header were asked for");
  assert.equal(await m.page.page.evaluate(() => window.asked), 0);
  // A small one has room.
  await m.address("checkpoints/flow");
  assert.match(await m.press("Download"), /flow fits this machine.*Files: ([\d.]+ [kM]B), of which \1 are kept/s);
  assert.equal(await m.page.page.evaluate(() => window.asked), 1);
  // A job makes its picture all the same, and says before it loads what that means.
  const warned = m.page.page.getByText(/needs \d+ MB more .* 1 MB\. It is used now, and fetched again the next time\./).first().waitFor();
  assert.equal((await paint(m.page, "network")).picture.width, 256);
  await warned;
  await m.page.close();
});

test("a server without ranges sends each file once, which is kept in pieces as it comes", async () => {
  const simple = await serve(`${ROOT}dist/models/scenes`, { hub: true, ranges: false, lengths: true, subPath: "/scenes/" });
  const m = await models();
  await m.address(simple.url);
  assert.match(await m.press("Download"), /scenes fits this machine.*Files: ([\d.]+ [kM]B), of which \1 are kept/s);
  // Its size and its header, and then all of it, once each: of three pieces.
  const weights = simple.requests.filter((path) => path.endsWith("unet/diffusion_pytorch_model.safetensors"));
  assert.equal(weights.length, 2, "HEAD and GET");
  await simple.close();
  assert.equal((await paint(m.page, "scenes")).picture.width, 256);
  await m.page.close();
});

test("what is no model is refused in words, at the report", async () => {
  const m = await models();
  await m.address("models/<img src=x onerror=alert(1)>");
  const told = await m.press("What does it take?", "failed");
  assert.match(told, /text_encoder\/config\.json/);
  await m.address("   ");
  await m.page.pressIn(m.region, "What does it take?");
  await m.region.getByText("Choose a model, type an address, or choose files.").waitFor();
  await m.page.close();
});

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
  assert.match(facts, /Timetext \d+(\.\d+)? s, 8 steps \d+(\.\d+)? s/);

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
