// The diffusion engine beside onnxruntime-web: one network, one page, in turn; one JSON line a figure, ours over theirs.
// Run by `cargo xtask bench`, or alone:
//
//     node tests/e2e/bench/onnx.mjs [cpu] [gpu] [table] [--runs N]
//
// It fails where a figure is over its bound (bench/onnx/bounds.mjs), once all have been told.
// `table` tells where the time of our step goes, kind by kind. What was tried, and what it gave, is in docs/speed.md.
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { launch } from "../harness/browser.mjs";
import { serve } from "../harness/server.mjs";
import { exceeded } from "./onnx/bounds.mjs";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const HERE = fileURLToPath(new URL("onnx/", import.meta.url));
const MADE = `${ROOT}target/onnx`;
const APP = "tests/e2e/bench/onnx/app";

const words = process.argv.slice(2);
const all = !words.some((word) => ["cpu", "gpu", "table"].includes(word));
const wanted = (word) => words.includes(word) || (all && word !== "table");
const runs = Number(words[words.indexOf("--runs") + 1]) || 9;

const run = (program, args, cwd = ROOT) => execFileSync(program, args, { cwd, stdio: ["ignore", process.stderr, process.stderr] });
const newer = (file, than) => existsSync(file) && statSync(file).mtimeMs >= statSync(than).mtimeMs;

function prepare() {
  mkdirSync(MADE, { recursive: true });
  if (!newer(`${MADE}/network/out.bin`, `${HERE}make.py`)) {
    run("python3", ["-m", "venv", `${MADE}/venv`]);
    run(`${MADE}/venv/bin/pip`, ["install", "--quiet", "-r", `${HERE}requirements.txt`]);
    run(`${MADE}/venv/bin/python`, [`${HERE}make.py`, `${MADE}/network`]);
  }
  if (!newer(`${MADE}/npm/node_modules/.package-lock.json`, `${HERE}package-lock.json`)) {
    mkdirSync(`${MADE}/npm`, { recursive: true });
    for (const name of ["package.json", "package-lock.json"]) copyFileSync(HERE + name, `${MADE}/npm/${name}`);
    run("npm", ["ci", "--no-audit", "--no-fund"], `${MADE}/npm`);
  }
  run("cargo", ["xtask", "dist", "--example", `./${APP}`]);
  // One folder to serve: the page, the runtime and the network.
  rmSync(`${MADE}/site`, { recursive: true, force: true });
  mkdirSync(`${MADE}/site`);
  symlinkSync(`${ROOT}${APP}/dist`, `${MADE}/site/app`);
  symlinkSync(`${MADE}/npm/node_modules/onnxruntime-web/dist`, `${MADE}/site/ort`);
  symlinkSync(`${MADE}/network`, `${MADE}/site/network`);
}

/** Puts `bench` into a page: both sides, loaded and run in the same words. */
async function opened(browser, url) {
  const page = await browser.newPage();
  page.on("pageerror", (error) => { throw error; });
  await page.goto(`${url}app/index.html`);
  await page.waitForFunction(() => window.wasmBindings?.Network);
  await page.evaluate(async () => {
    const file = async (name) => new Uint8Array(await (await fetch(`../network/${name}`)).arrayBuffer());
    const floats = async (name) => new Float32Array((await file(`${name}.bin`)).buffer);
    const [sample, [t], context, expected] = await Promise.all(["sample", "timestep", "context", "out"].map(floats));
    const [onnx, config, weights] =
      await Promise.all(["unet.onnx", "unet/config.json", "unet/diffusion_pytorch_model.safetensors"].map(file));
    const sides = {
      async ours(gpu) {
        const network = await window.wasmBindings.Network.load(gpu, config, weights);
        return {
          step: () => network.step(sample, t, context),
          table: () => network.table(),
          free: () => network.free(),
        };
      },
      async theirs(gpu) {
        const ort = await import(`../ort/ort.${gpu ? "webgpu" : "wasm"}.min.mjs`);
        ort.env.wasm.numThreads = 1;
        ort.env.wasm.wasmPaths = new URL("../ort/", location.href).href;
        const session = await ort.InferenceSession.create(onnx, { executionProviders: [gpu ? "webgpu" : "wasm"] });
        const feeds = {
          sample: new ort.Tensor("float32", sample, [2, 4, 32, 32]),
          timestep: new ort.Tensor("float32", [t], [1]),
          context: new ort.Tensor("float32", context, [2, 77, 192]),
        };
        return { step: async () => (await session.run(feeds)).out.data, free: () => session.release() };
      },
    };
    const timed = async (act) => {
      const began = performance.now();
      const value = await act();
      return { value, took: performance.now() - began };
    };
    window.bench = {
      async load(side, gpu) {
        const { value, took } = await timed(() => sides[side](gpu));
        window[side] = value;
        return took;
      },
      free: (side) => window[side].free(),
      /** A step's time; what it computed must be what diffusers computed. */
      async step(side) {
        const { value, took } = await timed(() => window[side].step());
        const off = value.reduce((off, x, at) => Math.max(off, Math.abs(x - expected[at])), 0);
        if (value.length !== expected.length || !(off < 1e-3)) throw new Error(`${side}: ${off} from diffusers`);
        return { took, off };
      },
      table: () => window.ours.table(),
    };
  });
  return page;
}

/** What was said, by name. */
const figures = {};
function say(name, value, unit) {
  figures[name] = Number(value.toPrecision(4));
  console.log(JSON.stringify({ name, value: figures[name], unit }));
}
const middle = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const SIDES = ["ours", "theirs"];

function tell(name, times) {
  const [ours, theirs] = SIDES.map((side) => middle(times[side]));
  say(`${name}_ours`, ours, "ms");
  say(`${name}_onnx`, theirs, "ms");
  say(`${name}_ratio`, ours / theirs, "ours/onnx");
}

async function cpu(page) {
  const [loads, off] = [{ ours: [], theirs: [] }, {}];
  for (let time = 0; time < 3; time += 1) {
    for (const side of SIDES) {
      if (time > 0) await page.evaluate((side) => window.bench.free(side), side);
      loads[side].push(await page.evaluate((side) => window.bench.load(side, false), side));
    }
  }
  tell("onnx_cpu_load", loads);
  const step = (side) => page.evaluate((side) => window.bench.step(side), side);
  // Without relaxed SIMD, then with it. The first steps are slower on both sides: the browser compiles for speed what has
  // run for a while.
  for (const name of ["onnx_cpu_step", "onnx_cpu_relaxed_step"]) {
    const steps = { ours: [], theirs: [] };
    for (let time = -4; time < runs; time += 1) {
      for (const side of SIDES) {
        const { took, off: far } = await step(side);
        off[side] = far;
        if (time >= 0) steps[side].push(took);
      }
    }
    tell(name, steps);
    if (!await page.evaluate(() => window.wasmBindings.Network.hasten())) break;
  }
  SIDES.forEach((side) => say(`onnx_cpu_off_${side}`, off[side], "from diffusers"));
}

async function gpu(page) {
  const [loads, firsts, steps] = [{}, {}, {}];
  for (const side of SIDES) {
    loads[side] = [await page.evaluate((side) => window.bench.load(side, true), side)];
    firsts[side] = [(await page.evaluate((side) => window.bench.step(side), side)).took];
    steps[side] = [];
  }
  for (let time = 0; time < Math.min(runs, 2); time += 1) {
    for (const side of SIDES) steps[side].push((await page.evaluate((side) => window.bench.step(side), side)).took);
  }
  tell("onnx_gpu_load", loads);
  tell("onnx_gpu_first_step", firsts);
  tell("onnx_gpu_step", steps);
  SIDES.forEach((side) => say(`onnx_gpu_first_over_warm_${side}`, firsts[side][0] / middle(steps[side]), "first/warm"));
}

async function table(page) {
  await page.evaluate(() => window.bench.load("ours", false));
  for (let time = 0; time < 4; time += 1) await page.evaluate(() => window.bench.step("ours"));
  console.log(await page.evaluate(() => window.bench.table()));
}

prepare();
const server = await serve(`${MADE}/site`);
for (const [word, act] of Object.entries({ table, cpu, gpu })) {
  if (!wanted(word)) continue;
  const browser = await launch();
  await act(await opened(browser, server.url));
  await browser.close();
}
await server.close();
const faults = exceeded(figures);
faults.forEach((fault) => console.error(fault));
if (faults.length > 0) process.exitCode = 1;
