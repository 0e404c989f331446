// The embedded network's figures in Chromium here, on the processor, one JSON line each. Run by `cargo xtask bench`.
import { start } from "../harness/app_page.mjs";

const say = (name, value, unit) => console.log(JSON.stringify({ name, value: Math.round(value * 10) / 10, unit }));
const middle = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** A press of Generate: when the first preview and the final picture were told, and the page's longest task meanwhile. */
const press = (page) => page.page.evaluate(async () => {
  const panel = document.querySelector('[role=tabpanel]:not([hidden])');
  const button = [...panel.querySelectorAll("button")].find((button) => button.textContent === "Generate");
  let longest = 0;
  const tasks = new PerformanceObserver((list) => { for (const task of list.getEntries()) longest = Math.max(longest, task.duration); });
  tasks.observe({ type: "longtask" });
  const began = performance.now();
  let first;
  // Also of the pictures to begin from, which stay as they are.
  const pixels = () => [...panel.querySelectorAll("canvas")].filter((canvas) => canvas.width > 68 && canvas.checkVisibility())
    .map((canvas) => canvas.getContext("2d").getImageData(60, 60, 8, 8).data.join()).join();
  const before = pixels();
  const ended = new Promise((done) => {
    const off = window.gradus.on("ended", (id) => {
      const job = window.gradus.snapshot().jobs.find((job) => job.id === id);
      if (job?.listener === "paint") { off(); done(performance.now() - began); }
    });
  });
  const look = () => {
    const now = pixels();
    if (now && now !== before) first ??= performance.now() - began;
    if (first === undefined) setTimeout(look, 10);
  };
  look();
  button.click();
  const whole = await ended;
  await new Promise((later) => setTimeout(later, 100));
  tasks.disconnect();
  return { first, whole, longest };
});

const demo = await start("demo");
{
  const page = await demo.open("?engine=cpu");
  await page.tab("Studio").click();
  await page.ended("suit", "done", 1, 120_000);
  const cold = await press(page);
  say("network_cold_first_preview", cold.first, "ms");
  say("network_cold_picture", cold.whole, "ms");
  const warm = [];
  for (let time = 0; time < 7; time += 1) warm.push(await press(page));
  say("network_warm_first_preview", middle(warm.map(({ first }) => first)), "ms");
  say("network_warm_picture_8_steps", middle(warm.map(({ whole }) => whole)), "ms");
  say("network_longest_task_of_the_page", Math.max(cold.longest, ...warm.map(({ longest }) => longest)), "ms");
  await page.close();
}
await demo.stop();
