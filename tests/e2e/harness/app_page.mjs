// An app in a page, in a visitor's words.
import { fileURLToPath } from "node:url";
import { checkConsoles, launch, open, openIn } from "./browser.mjs";
import { serve } from "./server.mjs";

/** The folder of the repository. */
export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const FOLDERS = { demo: "dist", hello: "examples/hello/dist", queue_guide: "examples/queue_guide/dist", fixture: "tests/fixture/dist" };

/** Serves an app and starts a browser; call `stop()` at the end. An error on a page's console fails the test. */
export async function start(app, options = {}) {
  const server = await serve(ROOT + FOLDERS[app], options);
  const browser = await launch(options);
  return {
    folder: ROOT + FOLDERS[app],
    server,
    browser,
    open: async (query = "", { host, ...pageOptions } = {}) => {
      const url = new URL(server.url + query);
      if (host) url.hostname = host;
      return new AppPage(await open(browser, url.href, pageOptions));
    },
    stop: async () => { await browser.close(); await server.close(); checkConsoles(); },
  };
}

export class AppPage {
  /** `expects(/…/)` names an error that the page must say on its console; any other fails the test. */
  constructor({ page, expects, close, context }) {
    Object.assign(this, { page, expects, close, context });
  }

  /** Another tab of the same browser, with this session storage as a duplicated one has it. */
  async another({ storage } = {}) {
    return new AppPage(await openIn(this.context, this.page.url(), storage));
  }
  /** Kills the renderer; gives the same address in a new tab. */
  async crash() {
    const url = this.page.url();
    const crashed = this.page.waitForEvent("crash");
    const tools = await this.context.newCDPSession(this.page);
    tools.send("Page.crash").catch(() => {});
    await crashed;
    const page = new AppPage(await openIn(this.context, url));
    this.page.close().catch(() => {});
    return page;
  }
  /** Kills the process that the browser's GPU work runs in; the browser starts another. */
  async killGpu() {
    const tools = await this.context.browser().newBrowserCDPSession();
    const { processInfo } = await tools.send("SystemInfo.getProcessInfo");
    process.kill(processInfo.find(({ type }) => type === "GPU").id, "SIGKILL");
  }
  async freeze(frozen) {
    this.tools ??= await this.context.newCDPSession(this.page);
    await this.tools.send("Page.setWebLifecycleState", { state: frozen ? "frozen" : "active" });
  }

  region(name) { return this.page.getByRole("region", { name, exact: true }); }
  tab(name) { return this.page.getByRole("tab", { name, exact: true }); }
  press(name, times = 1) { return this.pressIn(this.page, name, times); }
  async pressIn(place, name, times = 1) {
    const button = place.getByRole("button", { name, exact: true });
    for (let time = 0; time < times; time++) await button.click();
  }
  snapshot() { return this.page.evaluate(() => window.gradus.snapshot()); }
  adapter() { return this.page.evaluate(() => window.gradus.adapter()); }

  /** Waits until the page, as the predicate sees its snapshot, is so; fails after the deadline. */
  async until(predicate, argument, deadline = 60_000) {
    await this.page.waitForFunction(
      ([source, argument]) => new Function(`return (${source})`)()(window.gradus.snapshot(), argument),
      [String(predicate), argument],
      { timeout: deadline, polling: 20 },
    );
  }
  /** Waits until so many jobs of a lane have ended in a state, and until that is drawn. */
  async ended(lane, state, count, deadline) {
    await this.until(
      (snapshot, { lane, state, count }) => snapshot.jobs.filter((job) => job.lane === lane && job.state === state).length >= count,
      { lane, state, count }, deadline,
    );
    // A page that is busy draws at the latest 100 ms after the news (TICK in src/ui/view/refresh.rs).
    await this.page.evaluate(() => new Promise((drawn) => setTimeout(drawn, 110)));
  }

  /** Waits until the box with this label holds a text; results are drawn a frame after the news of them. */
  shows(label, text) {
    const box = this.page.getByLabel(label, { exact: true });
    return box.evaluate((box, text) => new Promise((shown, failed) => {
      const began = performance.now();
      const look = () => {
        if (box.value.includes(text)) shown();
        else if (performance.now() - began > 30_000) failed(new Error(`${text} is not shown but ${box.value}`));
        else setTimeout(look, 10);
      };
      look();
    }), text);
  }

  /**
   * Takes a snapshot every 20 ms, in the page, until `stopSampling`, which gives what was seen of each lane, and how many
   * jobs ran at most in all of them together.
   */
  startSampling() {
    return this.page.evaluate(() => {
      const seen = {};
      let count = 0;
      let together = 0;
      const look = () => {
        count += 1;
        const { lanes } = window.gradus.snapshot();
        together = Math.max(together, lanes.reduce((sum, lane) => sum + lane.running.length, 0));
        for (const lane of lanes) {
          const entry = (seen[lane.id] ??= { mostRunning: 0, mostWaiting: 0 });
          entry.mostRunning = Math.max(entry.mostRunning, lane.running.length);
          entry.mostWaiting = Math.max(entry.mostWaiting, lane.waiting.length);
        }
      };
      const timer = setInterval(look, 20);
      window.stopSampling = () => { clearInterval(timer); look(); return { seen, count, together }; };
    });
  }
  stopSampling() { return this.page.evaluate(() => window.stopSampling()); }

  /** The pixels of the canvas in a place: size, and a summary of what is on it; its hash is null on a page that is not secure. */
  async picture(place) {
    await this.page.evaluate(() => new Promise((drawn) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(drawn)), 100)));
    return place.locator("canvas").first().evaluate(async (canvas) => {
      const { width, height } = canvas;
      const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
      const digest = crypto.subtle && new Uint8Array(await crypto.subtle.digest("SHA-256", data));
      const colours = new Set();
      for (let at = 0; at < data.length; at += 4) colours.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
      const mean = (left, top, right, bottom) => {
        const sum = [0, 0, 0];
        let count = 0;
        for (let y = Math.floor(top * height); y < bottom * height; y++) {
          for (let x = Math.floor(left * width); x < right * width; x++) {
            for (let channel = 0; channel < 3; channel++) sum[channel] += data[(y * width + x) * 4 + channel];
            count += 1;
          }
        }
        return sum.map((value) => value / count);
      };
      return {
        width, height, colours: colours.size,
        hash: digest ? [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("") : null,
        top: mean(0, 0, 1, 0.1), middle: mean(0.35, 0.4, 0.65, 0.7), bottom: mean(0, 0.9, 1, 1),
      };
    });
  }
}
