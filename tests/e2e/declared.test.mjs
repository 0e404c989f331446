// What the page gives to scripts is what gradus.d.ts says: the names of the fields, and their types.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ROOT, start } from "./harness/app_page.mjs";

let app;
before(async () => { app = await start("fixture"); });
after(() => app.stop());

/** The interfaces of gradus.d.ts: for each its members, as the types that a value of it may have. */
async function declared() {
  const text = (await readFile(join(ROOT, "gradus.d.ts"), "utf8")).replace(/\/\*[\s\S]*?\*\//g, "");
  const interfaces = {};
  for (const [, name, body] of text.matchAll(/export interface (\w+)[^{]*\{([^}]*)\}/g)) {
    interfaces[name] = {};
    for (const [, method, key, type] of body.matchAll(/^\s*(?:(\w+)\(|(\w+): ([^;]+);)/gm)) {
      if (method) interfaces[name][method] = ["function"];
      else interfaces[name][key] = type.split(" | ").map((one) => one.trim());
    }
  }
  return interfaces;
}

/** What a page says of a value: its own type, as the file would name it, or the text of it. */
const kinds = (value) => {
  if (value === null) return ["null"];
  if (Array.isArray(value)) return value.every((each) => typeof each === "string") ? ["string[]"] : ["objects"];
  return typeof value === "string" ? ["string", JSON.stringify(value)] : [typeof value];
};

function assertIs(value, of, name) {
  assert.deepEqual(Object.keys(value).sort(), Object.keys(of).sort(), name);
  for (const [key, types] of Object.entries(of)) {
    const known = kinds(value[key]);
    assert.ok(types.some((type) => known.includes(type)), `${name}.${key} is ${JSON.stringify(value[key])}, not ${types.join(" | ")}`);
  }
}

test("lanes, jobs and the adapter of a page are as gradus.d.ts says", async () => {
  const of = await declared();
  assert.deepEqual(Object.keys(of), ["Gradus", "Run", "Picture", "Snapshot", "Lane", "Job", "Adapter"]);
  const page = await app.open("?engine=cpu");
  // Jobs of each state: the fields are the same, and what may be null is, or is not.
  await page.page.evaluate(() => {
    const { submit } = window.gradus;
    submit("noop");
    submit("fails", ["x"]);
    submit("steps", ["x"]).cancel();
    for (let n = 0; n < 3; n++) submit("steps_1", ["x"]);
  });
  await page.ended("fails", "failed", 1);
  await page.until((snapshot) => snapshot.jobs.some((job) => job.state === "running" && job.progress > 0));
  await page.until((snapshot) => ["waiting", "running", "done", "failed", "cancelled"].every((state) => snapshot.jobs.some((job) => job.state === state)));
  const snapshot = await page.snapshot();
  assert.deepEqual(Object.keys(snapshot).sort(), Object.keys(of.Snapshot).sort());
  snapshot.lanes.forEach((lane) => assertIs(lane, of.Lane, `lane ${lane.id}`));
  snapshot.jobs.forEach((job) => assertIs(job, of.Job, `job ${job.id}`));
  const seen = (all, key) => new Set(all.map((each) => (each[key] === null ? "null" : typeof each[key])));
  for (const key of ["position", "progress", "error"]) assert.equal(seen(snapshot.jobs, key).size, 2, `${key} is null and is not`);
  assert.equal(seen(snapshot.lanes, "count").size, 2);
  await page.page.waitForFunction(() => window.gradus.adapter() !== null);
  assertIs(await page.adapter(), of.Adapter, "adapter");

  // What has functions and promises is looked at in the page.
  const own = await page.page.evaluate(() => {
    const types = (value) => Object.fromEntries(Object.entries(value).map(([key, each]) => [key, each instanceof Promise ? "promise" : each === null ? "null" : typeof each]));
    const run = window.gradus.submit("noop");
    return { gradus: types(window.gradus), run: types(run), loops: typeof run[Symbol.asyncIterator] };
  });
  assert.deepEqual(own.gradus, Object.fromEntries(Object.keys(of.Gradus).map((key) => [key, "function"])));
  assert.deepEqual(Object.keys(own.run).sort(), Object.keys(of.Run).sort());
  assert.equal(own.loops, "function");
  for (const [key, types] of Object.entries(of.Run)) {
    const type = own.run[key] === "promise" ? types.find((one) => one.startsWith("Promise<")) : own.run[key];
    assert.ok(types.includes(type), `a run's ${key} is ${own.run[key]}, not ${types.join(" | ")}`);
  }
  await page.close();
});

for (const [name, query, engine] of [["fixture", "?engine=gpu", "gpu"], ["hello", "", "cpu"]]) {
  test(`the adapter of ${name}${query} is as gradus.d.ts says`, async (t) => {
    const other = await start(name);
    t.after(() => other.stop());
    const page = await other.open(query);
    await page.page.waitForFunction(() => window.gradus.adapter() !== null);
    const adapter = await page.adapter();
    assertIs(adapter, (await declared()).Adapter, "adapter");
    assert.equal(adapter.engine, engine);
    const tiers = { gpu: ["packed-f16", "shader-f16"], cpu: ["relaxed-simd", "simd128", "scalar"] };
    if (name === "hello") assert.equal(adapter.tier, "", "an app without pictures has no engine");
    else assert.ok(tiers[engine].includes(adapter.tier), adapter.tier);
    await page.close();
  });
}
