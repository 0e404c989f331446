import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
  // What the page says by itself is what its folder holds.
  const sizes = ["text_encoder/model", "unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model"].map((name) => {
    const { size } = statSync(join(ROOT, "dist/models/scenes", `${name}.safetensors`));
    return `${name.split("/")[0]} ${(size / 1e6).toFixed(1)} MB`;
  });
  assert.ok((await m.region.textContent()).includes(`(${sizes.join(", ")}). Licence: MIT or Apache 2.0`));
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
  const jobs = async () => (await m.page.snapshot()).jobs.length;
  const quiet = await jobs();
  let question;
  m.page.page.once("dialog", (dialog) => { question = dialog.message(); return dialog.dismiss(); });
  await m.page.pressIn(m.region, "Delete");
  assert.deepEqual([question, await jobs()], ["Delete what is kept of this model on this machine?", quiet], "a no is no press");
  m.page.page.once("dialog", (dialog) => dialog.accept());
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
  m.page.page.once("dialog", (dialog) => dialog.accept());
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

test("the same files can be chosen again: a browser says nothing of a choice that is not another one", async () => {
  const m = await models();
  // A chooser of the browser's own would stay open.
  m.page.page.on("filechooser", () => {});
  const chosen = (input) => input.evaluate((input) => input.files.length);
  for (const label of ["Or a folder of this machine", "Or files of this machine"]) {
    const input = m.region.getByLabel(label);
    const wrong = join(FLOW, label.includes("folder") ? "unet" : "golden.json");
    await input.setInputFiles(wrong);
    await m.page.ended("files", "failed", label.includes("folder") ? 1 : 2);
    assert.ok(await chosen(input) > 0);
    await input.click();
    assert.equal(await chosen(input), 0, label);
  }
  await m.page.tab("Studio").click();
  const studio = m.page.region("Studio");
  await studio.getByText("Begin from a picture").click();
  const picture = studio.getByLabel("Picture to begin from: choose a file");
  await picture.setInputFiles(join(ROOT, "docs/page.png"));
  await picture.click();
  assert.equal(await chosen(picture), 0);
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

test("who looks at a model of another host fetches the heads of its files, and who downloads it all of each once", async () => {
  const hub = await serve(`${ROOT}models/scenes`, { hub: true, subPath: "/plain/" });
  const m = await models();
  await m.address(hub.url);
  const asked = () => hub.ranges.filter((range) => range.includes(".safetensors from "));
  assert.match(await m.press("What does it take?"), /plain fits this machine.*Files: 2\d(\.\d)? MB, of which \d+(\.\d)? kB are kept/s);
  const weights = ["text_encoder/model", "unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model"].map((name) => `${name}.safetensors`);
  assert.deepEqual(asked().sort(), weights.map((name) => `${name} from 0`), "one range of each");
  assert.match(await m.press("Download"), /Files: ([\d.]+ MB), of which \1 are kept/);
  const pieces = weights.flatMap((name) => {
    const count = Math.ceil(statSync(join(ROOT, "models/scenes", name)).size / (4 << 20));
    return Array.from({ length: count }, (_, piece) => `${name} from ${piece * (4 << 20)}`);
  });
  assert.deepEqual(asked().slice(weights.length).sort(), pieces.sort());
  await hub.close();
  await m.page.close();
});

test("what is no model is refused in words, at the report", async () => {
  const m = await models();
  assert.match(await m.press("What does it take?"), /network fits this machine/);
  // What was told of another address goes with it.
  await m.address("models/<img src=x onerror=alert(1)>");
  await m.region.getByText("fits this machine").waitFor({ state: "detached" });
  const told = await m.press("What does it take?", "failed");
  assert.match(told, /There is no model here: neither model_index\.json nor unet\/config\.json/);
  await m.address("javascript:alert(1)");
  assert.match(await m.press("What does it take?", "failed"), /An address begins with https:\/\//);
  await m.address("   ");
  await m.page.pressIn(m.region, "What does it take?");
  await m.region.getByText("Choose a model, type an address, or choose files.").waitFor();
  await m.page.close();
});
