// The queue's figures in Chromium here, with storage and without, one JSON line each. Run by `cargo xtask bench`.
import { start } from "../harness/app_page.mjs";

const say = (name, value, unit) => console.log(JSON.stringify({ name, value: Math.round(value * 100) / 100, unit }));
const at = (values, share) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))];

/** So many jobs that wait in another lane, behind one that does not end. */
const fill = (page, count) => page.page.evaluate(async (count) => {
  const runs = Array.from({ length: count }, () => window.gradus.submit("stubborn"));
  await Promise.all(runs.map((run) => run.accepted));
}, count);

/** Submits no-op jobs one by one into a free lane; times from the submit to the start and to the end. */
const times = (page, count) => page.page.evaluate(async (count) => {
  const started = new Map();
  const off = window.gradus.on("started", (id) => started.set(id, performance.now()));
  const [starts, ends] = [[], []];
  for (let n = 0; n < count; n += 1) {
    const began = performance.now();
    const run = window.gradus.submit("noop");
    let accepted;
    run.accepted.then(() => { accepted = performance.now(); });
    await run.done;
    ends.push(performance.now() - began);
    // A start is acted on once it is written, and the submit's promise resolves with the same write.
    starts.push(Math.max(started.get(run.id), accepted) - began);
    await new Promise((later) => setTimeout(later));
  }
  off();
  return { starts, ends };
}, count);

const app = await start("fixture");
for (const [name, query] of [["stored", ""], ["unstored", "?storage=off"]]) {
  for (const waiting of [1, 1_000, 10_000]) {
    const page = await app.open(query);
    await fill(page, waiting + 1);
    await times(page, 20);
    const { starts, ends } = await times(page, waiting > 1_000 ? 100 : 300);
    for (const [what, values] of [["start", starts], ["finish", ends]]) {
      for (const share of [0.5, 0.99]) say(`${name}_submit_to_${what}_${waiting}_waiting_p${share * 100}`, at(values, share), "ms");
    }
    await page.close();
  }
  const page = await app.open(query);
  const accepted = (count) => page.page.evaluate(async (count) => {
    const began = performance.now();
    const runs = Array.from({ length: count }, () => window.gradus.submit("stubborn"));
    await Promise.all(runs.map((run) => run.accepted));
    return count / (performance.now() - began) * 1000;
  }, count);
  // The browser compiles a page's code better once it has run for a while.
  say(`${name}_jobs_accepted_by_a_page_just_opened`, await accepted(10_000), "1/s");
  say(`${name}_jobs_accepted`, await accepted(20_000), "1/s");
  const done = await page.page.evaluate(async () => {
    const began = performance.now();
    const jobs = Array.from({ length: 2_000 }, () => window.gradus.submit("noop"));
    await Promise.all(jobs.map((run) => run.done));
    return 2_000 / (performance.now() - began) * 1000;
  });
  say(`${name}_jobs_done_30000_waiting`, done, "1/s");
  await page.close();
}
{
  // The module's memory is its glue's secret; the page is opened with a hand held out.
  const page = await app.open();
  await page.page.addInitScript(() => {
    const real = WebAssembly.instantiateStreaming;
    WebAssembly.instantiateStreaming = async (...all) => {
      const made = await real.apply(WebAssembly, all);
      window.memory = Object.values(made.instance.exports).find((one) => one instanceof WebAssembly.Memory);
      return made;
    };
  });
  await page.page.reload();
  await page.page.waitForFunction(() => window.gradus?.snapshot && window.memory);
  const size = () => page.page.evaluate(() => window.memory.buffer.byteLength);
  await fill(page, 1_000);
  const before = await size();
  await fill(page, 20_000);
  say("memory_per_waiting_job", (await size() - before) / 20_000, "bytes");
  await page.close();
}
{
  const page = await app.open();
  await fill(page, 10_000);
  // From where the page has the queue's interface to where it shows the queue.
  await page.page.addInitScript(() => {
    let own;
    Object.defineProperty(window, "gradus", { get: () => own, set: (value) => { own = value; window.opened = performance.now(); } });
    const look = () => {
      if (window.opened && /[1-9]/.test(document.querySelector("[data-testid=queue-summary]")?.textContent)) window.full ??= performance.now();
    };
    addEventListener("DOMContentLoaded", () => new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true }));
  });
  const took = [];
  for (let time = 0; time < 5; time += 1) {
    await page.page.reload();
    await page.page.waitForFunction(() => window.full);
    took.push(await page.page.evaluate(() => window.full - window.opened));
  }
  say("take_up_10000_stored_jobs", at(took, 0.5), "ms");
  await page.close();
}
await app.stop();
