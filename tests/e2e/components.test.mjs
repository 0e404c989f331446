// What a component declares is in the page: its label, its help, its size and looks, and whether one can change it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "./harness/app_page.mjs";

let app;
before(async () => { app = await start("demo"); });
after(() => app.stop());

test("labels, help, placeholders, lines and the buttons' looks are as they are declared", async () => {
  const page = await app.open("?engine=cpu");
  const [guide, studio, models] = ["Example 1", "Studio", "Models"].map((name) => page.region(name));
  /** A control by what its visible label says, with the help that it is described by. */
  const control = (region, label) => region.getByText(label, { exact: true }).first().evaluate((label) => {
    const control = document.getElementById(label.htmlFor);
    const help = control.getAttribute("aria-describedby").split(" ").map((id) => document.getElementById(id)).find((element) => element.className === "info");
    return { label: label.checkVisibility(), rows: control.rows, placeholder: control.placeholder, help: help?.checkVisibility() ? help.textContent : null };
  });
  const looks = async (region, name) => region.getByRole("button", { name, exact: true }).evaluate((button) => {
    const { backgroundColor, color } = getComputedStyle(button);
    return { name: button.className, drawn: `${backgroundColor} ${color}` };
  });
  const prompt = await control(guide, "Prompt");
  assert.deepEqual([prompt.label, prompt.rows, prompt.placeholder], [true, 2, ""]);
  assert.match(prompt.help, /^The network knows one or two spheres, .* under four skies\.$/);
  assert.equal((await control(page.region("Example 2"), "Prompt")).help, null, "where none is given there is none");

  await page.tab("Studio").click();
  assert.deepEqual(await control(studio, "Prompt"), { label: true, rows: 3, placeholder: "", help: "Ctrl+Enter generates. An empty prompt gives a surprise. The network knows one or two spheres, cubes, cylinders and cones in eight colours, on six grounds under four skies." });
  assert.deepEqual(await control(studio, "Seed"), { label: true, rows: 1, placeholder: "random", help: "The same one gives the same picture. Of a large one, networks use the low 32 bits, as PyTorch does." });
  const primary = await looks(studio, "Generate");
  await page.tab("Models").click();
  const [plain, stop] = [await looks(models, "Download"), await looks(models, "Delete")];
  assert.deepEqual([primary, plain, stop].map(({ name }) => name), ["button button-primary", "button", "button button-stop"]);
  assert.equal(new Set([primary, plain, stop].map(({ drawn }) => drawn)).size, 3, "each is drawn in colours of its own");
  await page.close();
});

test("what is not for changing takes neither keys nor files, and says so", async (t) => {
  const page = await app.open("?engine=cpu");
  await page.tab("Studio").click();
  const studio = page.region("Studio");
  await studio.getByText("Begin from a picture").click();
  // A picture that is read as well, but declared for looking at; beside one that is chosen.
  const figure = (name) => studio.getByRole("figure", { name, exact: true });
  for (const [name, takes] of [["Result", false], ["Picture to begin from", true]]) {
    assert.equal(await figure(name).locator("input[type=file]").count(), Number(takes), name);
    const taken = await figure(name).locator(".frame").evaluate(async (frame) => {
      const canvas = Object.assign(document.createElement("canvas"), { width: 8, height: 8 });
      canvas.getContext("2d").fillRect(0, 0, 8, 8);
      const data = new DataTransfer();
      data.items.add(new File([await new Promise((done) => canvas.toBlob(done))], "x.png", { type: "image/png" }));
      const made = { bubbles: true, cancelable: true };
      const drop = new DragEvent("drop", { ...made, dataTransfer: data });
      frame.dispatchEvent(drop);
      return drop.defaultPrevented;
    });
    assert.equal(taken, takes, `${name} takes what is dropped`);
  }
  await figure("Picture to begin from").getByText("8×8", { exact: true }).waitFor();
  assert.equal(await figure("Result").getByText("8×8", { exact: true }).count(), 0);
  await page.close();

  // What only a listener writes is for reading.
  const fixture = await start("fixture");
  t.after(() => fixture.stop());
  const other = await fixture.open("?engine=cpu");
  await other.shows("Out", "loaded");
  for (const [label, typed, stays] of [["Out", "typed", true], ["Squared", "5", true], ["Beside", "typed", false], ["Number", "5", false]]) {
    const box = other.page.getByLabel(label, { exact: true });
    const before = await box.inputValue();
    await box.focus();
    await other.page.keyboard.press("Control+A");
    await other.page.keyboard.type(typed);
    assert.equal(await box.inputValue(), stays ? before : typed, label);
    const known = await box.and(other.page.locator("[readonly]")).count();
    assert.equal(known, Number(stays), `${label} says whether it can be typed in`);
  }
  const fixed = other.region("Fixed");
  const field = (label) => fixed.getByLabel(label, { exact: true });
  for (const label of ["Fixed tick", "Fixed dial", "Fixed choice", "Fixed folder"]) assert.ok(await field(label).isDisabled(), label);
  for (const label of ["Fixed text", "Fixed number"]) assert.equal(await field(label).evaluate((box) => box.readOnly), true, label);
  assert.deepEqual(await field("Fixed text").evaluate((box) => [box.rows, box.placeholder]), [4, "nothing"]);
  await fixed.getByText("Fixed tick", { exact: true }).click({ force: true });
  assert.equal(await field("Fixed tick").isChecked(), false);
  await fixed.getByRole("button", { name: "Fixed button", exact: true }).click({ force: true });
  await field("Fixed text").focus();
  for (const key of ["Enter", "Control+Enter"]) await other.page.keyboard.press(key);
  // What is asked for later is done later.
  await other.press("No-op");
  await other.ended("noop", "done", 1);
  assert.deepEqual((await other.snapshot()).jobs.filter(({ listener }) => listener === "fixed"), []);
  await other.close();
});
