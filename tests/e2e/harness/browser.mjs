// The system's Chromium with WebGPU in software.
import { existsSync } from "node:fs";
import { afterEach } from "node:test";
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // A page of this host is one of plain http from another machine.
  "--host-resolver-rules=MAP plain.test 127.0.0.1",
];
const CHROMIUM = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/google-chrome"].find(existsSync);

/** Starts a browser; `webgpu: false` starts one without WebGPU. */
export function launch({ webgpu = true } = {}) {
  const gpu = webgpu ? ["--enable-unsafe-webgpu"] : ["--disable-features=WebGPU", "--disable-webgpu"];
  return chromium.launch({ executablePath: CHROMIUM, args: [...FLAGS, ...gpu] });
}

/** What the pages that are not yet checked say as errors on their consoles, and which of it their tests expect. */
let consoles = [];

/**
 * Fails where a page that was opened since the last call said an error that its test did not expect, or did not say one
 * that it did.
 */
export function checkConsoles() {
  const faults = consoles.flatMap(({ url, errors, expected }) => [
    ...errors.filter((error) => !expected.some((pattern) => pattern.test(error))).map((error) => `${url} said: ${error}`),
    ...expected.filter((pattern) => !errors.some((error) => pattern.test(error))).map((pattern) => `${url} never said ${pattern}`),
  ]);
  consoles = [];
  if (faults.length > 0) throw new Error(faults.join("\n"));
}
// Each test of a file that imports this, so that none can forget it; benches have no tests, and are checked as they stop.
if (process.argv[1].endsWith(".test.mjs")) afterEach(checkConsoles);

/** Opens a page in a context of its own, which `prepare` sees first. */
export async function open(browser, url, { prepare, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  await prepare?.(context);
  return openIn(context, url);
}

/** A page whose console is checked, not opened yet; `expects` takes patterns of errors that it must say. */
export async function newPage(context, url) {
  const page = await context.newPage();
  const said = { url, errors: [], expected: [] };
  consoles.push(said);
  page.on("console", (message) => { if (message.type() === "error") said.errors.push(message.text()); });
  page.on("pageerror", (error) => said.errors.push(String(error)));
  return { page, expects: (...patterns) => said.expected.push(...patterns) };
}

/** Opens a page in a browser context, with this in its session storage. */
export async function openIn(context, url, storage) {
  const { page, expects } = await newPage(context, url);
  if (storage) {
    await page.addInitScript((storage) => {
      if (sessionStorage.length === 0) Object.entries(storage).forEach(([key, value]) => sessionStorage.setItem(key, value));
    }, storage);
  }
  await page.goto(url);
  await page.waitForFunction(() => window.gradus?.snapshot, undefined, { timeout: 30_000 });
  return { page, expects, context, close: () => context.close() };
}
