// The system's Chromium with WebGPU in software.
import { existsSync } from "node:fs";
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

/** Opens a page that keeps what it says on the console as errors. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  return openIn(context, url);
}

/** Opens a page in a browser context, with this in its session storage. */
export async function openIn(context, url, storage) {
  const page = await context.newPage();
  if (storage) {
    await page.addInitScript((storage) => {
      if (sessionStorage.length === 0) Object.entries(storage).forEach(([key, value]) => sessionStorage.setItem(key, value));
    }, storage);
  }
  const errors = [];
  page.on("console", (message) => { if (message.type() === "error") errors.push(message.text()); });
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(url);
  await page.waitForFunction(() => window.gradus?.snapshot, undefined, { timeout: 30_000 });
  return { page, errors, context, close: () => context.close() };
}
