// Figures of the page in Chromium here, one JSON line each. Run by `cargo xtask bench`, which builds first.
import { start } from "../harness/app_page.mjs";

const say = (name, value, unit) => console.log(JSON.stringify({ name, value: Math.round(value * 100) / 100, unit }));
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

const fixture = await start("fixture");
{
  const page = await fixture.open();
  await page.press("No-op");
  await page.ended("noop", "done", 1);
  // From the click to the DOM that shows the result, measured in the page by a mutation observer.
  const times = await page.page.evaluate(async () => {
    const button = [...document.querySelectorAll("button")].find((button) => button.textContent === "No-op");
    const out = [...document.querySelectorAll("label")].find((label) => label.textContent === "Out").parentElement.querySelector("textarea");
    const times = [];
    for (let run = 0; run < 60; run++) {
      await new Promise((later) => setTimeout(later, 40));
      const before = out.value;
      const began = performance.now();
      button.click();
      while (out.value === before && performance.now() - began < 1000) await new Promise((turn) => { const { port1, port2 } = new MessageChannel(); port1.onmessage = () => { port1.close(); turn(); }; port2.postMessage(0); });
      times.push(performance.now() - began);
    }
    return times;
  });
  say("noop_click_to_dom_p50", median(times), "ms");
  say("noop_click_to_dom_p95", [...times].sort((a, b) => a - b)[Math.floor(times.length * 0.95)], "ms");
  await page.close();
}
{
  const page = await fixture.open();
  const longest = await page.page.evaluate(async () => {
    const tasks = [];
    new PerformanceObserver((list) => tasks.push(...list.getEntries())).observe({ type: "longtask", buffered: true });
    const named = (name) => [...document.querySelectorAll("button")].find((button) => [button.textContent, button.ariaLabel].includes(name));
    const button = named("No-op");
    // All of them are to wait at once, and the lane would else keep pace with the clicks.
    named("Pause lane noop").click();
    // Those of the page's opening are told only now, and are another figure.
    const began = performance.now();
    // A visitor's clicks come one by one, so a few a task at the most.
    for (let done = 0; done < 10_000; done += 25) {
      for (let click = 0; click < 25; click++) button.click();
      await new Promise((later) => setTimeout(later, 0));
    }
    // The page's own words: a snapshot of ten thousand jobs would be a long task of the bench's making.
    const summary = document.querySelector("[data-testid=queue-summary]");
    while (!/10.?000 waiting/.test(summary.textContent)) await new Promise((later) => setTimeout(later, 200));
    named("Resume lane noop").click();
    while (!summary.textContent.startsWith("Nothing")) await new Promise((later) => setTimeout(later, 200));
    const of = (tasks) => ({ longest: Math.max(0, ...tasks.map((task) => task.duration)), long: tasks.length });
    const opening = tasks.filter((task) => task.startTime < began);
    return { opening: of(opening), ...of(tasks.slice(opening.length)) };
  });
  say("page_opening_longest_task", longest.opening.longest, "ms");
  say("ten_thousand_jobs_longest_task", longest.longest, "ms");
  say("ten_thousand_jobs_tasks_over_50_ms", longest.long, "tasks");
  await page.close();
}
{
  const page = await fixture.open();
  await page.shows("Out", "loaded");
  // The worker notes when it sends the last of them, by the clock that it shares with its page.
  for (const worker of page.page.workers()) {
    await worker.evaluate(() => {
      const post = self.postMessage.bind(self);
      self.postMessage = (message, ...rest) => {
        const now = performance.timeOrigin + performance.now();
        if (message instanceof Uint8Array && new TextDecoder().decode(message).includes("partial 1000")) self.sent = now;
        post(message, ...rest);
      };
    });
  }
  const { all, shown } = await page.page.evaluate(async () => {
    const button = [...document.querySelectorAll("button")].find((button) => button.textContent === "Partials");
    const out = [...document.querySelectorAll("label")].find((label) => label.textContent === "Out").parentElement.querySelector("textarea");
    const began = performance.now();
    button.click();
    while (out.value !== "partial 1000") await new Promise((later) => setTimeout(later, 1));
    const now = performance.now();
    return { all: now - began, shown: performance.timeOrigin + now };
  });
  const [sent] = (await Promise.all(page.page.workers().map((worker) => worker.evaluate(() => self.sent)))).filter(Boolean);
  say("thousand_partials", all, "ms");
  say("thousand_partials_last_shown_after_sent", shown - sent, "ms");
  await page.close();
}
await fixture.stop();

const demo = await start("demo");
for (const query of ["?engine=cpu", "?engine=gpu"]) {
  const page = await demo.open(query);
  await page.tab("Studio").click();
  await page.ended("suit", "done", 1, 120_000);
  const region = page.region("Studio");
  await region.getByText("Settings of scene, flame and reaction").click();
  const speed = await page.page.evaluate(() => Number(Object.entries(localStorage).find(([key]) => key.includes("speed of"))?.[1]));
  say(`scene_samples_a_second_${query.slice(-3)}`, speed, "1/s");
  for (const model of ["scene", "flame", "reaction"]) {
    await region.getByLabel("Model", { exact: true }).selectOption(model);
    await region.getByLabel("Width", { exact: true }).fill("256");
    await region.getByLabel("Height", { exact: true }).fill("256");
    await region.getByLabel("Quality", { exact: true }).selectOption("low");
    const done = (await page.snapshot()).jobs.filter((job) => job.lane === "studio").length;
    const began = performance.now();
    await page.pressIn(region, "Generate");
    await page.ended("studio", "done", done + 1, 300_000);
    say(`${model}_256_low_${query.slice(-3)}`, performance.now() - began, "ms");
  }
  await page.close();
}
const workers = await (async () => {
  const page = await demo.open();
  const name = await page.page.getAttribute('meta[name="gradus-workers"]', "content");
  await page.close();
  return name.replace(/^\.\/(.*)\.js$/, "$1");
})();
const asked = demo.server.requests.filter((path) => !path.endsWith("favicon.ico") && !path.includes(workers));
say("requests_to_open", asked.length / 3, "requests");
await demo.stop();
