// How the page looks: light, dark and narrow, and whether all of it can be read.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ROOT, start } from "./harness/app_page.mjs";

let app;
before(async () => { app = await start("demo"); });
after(() => app.stop());

/** The colours of style/tokens.css, of both schemes: names and `#rrggbb`. */
async function tokens() {
  const text = await readFile(join(ROOT, "style/tokens.css"), "utf8");
  const [light, dark] = text.split("@media (prefers-color-scheme: dark)").map((part) =>
    Object.fromEntries([...part.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, colour]) => [name, colour])));
  return { light, dark: { ...light, ...dark } };
}

const channels = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));

/** The contrast of two colours, as WCAG 2.2 defines it. */
function contrast(...colours) {
  const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const [dark, light] = colours.map((colour) => {
    const [r, g, b] = channels(colour).map((value) => linear(value / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }).sort((one, other) => one - other);
  return (light + 0.05) / (dark + 0.05);
}

test("texts and the edges of controls stand out from every surface that they are on, in light and in dark", async () => {
  assert.equal(Math.round(contrast("#ffffff", "#000000")), 21);
  const surfaces = ["surface-1", "surface-2", "surface-3"];
  const texts = ["ink", "ink-quiet", "accent", "accent-strong", "bad", "warn"];
  const pairs = [
    ...texts.flatMap((text) => surfaces.map((surface) => [text, surface, 4.5])),
    ["on-accent", "accent", 4.5], ["on-accent", "accent-strong", 4.5], ["bad", "bad-surface", 4.5], ["warn", "warn-surface", 4.5],
    ...["edge", "accent", "good"].flatMap((edge) => surfaces.map((surface) => [edge, surface, 3])),
  ];
  for (const [scheme, colours] of Object.entries(await tokens())) {
    const faint = pairs.map(([one, other, least]) => [one, other, least, contrast(colours[one], colours[other])])
      .filter(([, , least, has]) => !(has >= least))
      .map(([one, other, least, has]) => `${scheme}: --${one} on --${other} has ${has.toFixed(2)} of ${least}`);
    assert.deepEqual(faint, []);
  }
});

test("where the system is dark the page is, and as its tokens say, also while it is open", async () => {
  const { light, dark } = await tokens();
  const page = await app.open("", { colorScheme: "dark" });
  const looks = () => page.page.evaluate(() => {
    const { backgroundColor, color, colorScheme } = getComputedStyle(document.body);
    return { backgroundColor, color, colorScheme };
  });
  const of = (colours) => {
    const [backgroundColor, color] = ["surface-1", "ink"].map((name) => `rgb(${channels(colours[name]).join(", ")})`);
    return { backgroundColor, color, colorScheme: "light dark" };
  };
  assert.deepEqual(await looks(), of(dark));
  await page.page.emulateMedia({ colorScheme: "light" });
  assert.deepEqual(await looks(), of(light));
  assert.notEqual(light["surface-1"], dark["surface-1"]);
  await page.close();
});

for (const colorScheme of ["light", "dark"]) {
  test(`no tab is wider than a window of 360 pixels (${colorScheme})`, async () => {
    const page = await app.open("", { viewport: { width: 360, height: 740 }, colorScheme });
    const names = await page.page.getByRole("tab").allTextContents();
    assert.equal(names.length, 4, names.join());
    for (const name of names) {
      await page.tab(name).click();
      await page.page.getByRole("tabpanel").waitFor();
      // What is folded away is looked at as well.
      for (const folded of await page.page.getByRole("tabpanel").locator("details:not([open]) > summary").all()) {
        if (await folded.isVisible()) await folded.evaluate((summary) => { summary.parentElement.open = true; });
      }
      const { most, wide } = await page.page.evaluate(() => {
        const clipped = (element) => {
          for (let at = element.parentElement; at && at !== document.body; at = at.parentElement) {
            if (getComputedStyle(at).overflowX !== "visible") return true;
          }
          return false;
        };
        const wide = [...document.querySelectorAll("main *")].filter((element) => {
          const { left, right, width } = element.getBoundingClientRect();
          return width > 0 && (right > innerWidth + 0.5 || left < -0.5) && !clipped(element);
        });
        return { most: document.documentElement.scrollWidth, wide: wide.map((element) => `${element.tagName} ${element.className} ${element.textContent.slice(0, 40)}`) };
      });
      assert.deepEqual(wide, [], name);
      assert.ok(most <= 360, `${name}: ${most} px`);
    }
    await page.close();
  });
}

test("a picture has a height in a low window, and the buttons of a waiting row are large enough to press", async () => {
  const page = await app.open("", { viewport: { width: 320, height: 256 }, hasTouch: true, isMobile: true });
  await page.tab("Studio").click();
  const frame = page.region("Studio").getByRole("figure", { name: "Result", exact: true }).locator(".frame");
  assert.ok((await frame.boundingBox()).height >= 200, "at a zoom of 400 %");
  await page.press("Show the queue");
  const lane = page.page.locator('[data-lane="image_gen"]');
  await page.pressIn(lane, "Pause lane image_gen");
  await page.page.evaluate(() => [...document.querySelectorAll("button")].find((button) => button.textContent === "Generate Image").click());
  const row = lane.locator(".waiting-row");
  await row.waitFor();
  for (const button of await row.getByRole("button").all()) {
    const { width, height } = await button.boundingBox();
    assert.ok(width >= 28 && height >= 28, `${await button.getAttribute("aria-label")}: ${width} × ${height}`);
  }
  await page.close();
});

test("what is alike has names of its own, and what is printed is what was made", async () => {
  const page = await app.open();
  const names = await page.region("Queue").getByRole("button", { name: /^Pause/ }).evaluateAll((all) => all.map((button) => button.getAttribute("aria-label")));
  assert.ok(names.length >= 5 && new Set(names).size === names.length, names.join());
  assert.ok(await page.page.getByRole("tablist").getAttribute("aria-label"));
  await page.page.emulateMedia({ media: "print" });
  const seen = page.page.locator("aside, .toasts, [role=tablist], button").filter({ visible: true });
  assert.equal(await seen.count(), 0);
  assert.ok(await page.region("Example 1").isVisible());
  await page.close();
});
