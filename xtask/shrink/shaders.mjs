// Shaders travel as text in the module's data. Comments, indentation and line ends are taken out of them, and spaces put
// at the end, so that every length and address stays and the compression has almost nothing to carry.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL("../../src", import.meta.url));

/** Shortens in place every shader of the library that the module holds. */
export function shortenShaders(module) {
  for (const name of readdirSync(SOURCE, { recursive: true }).filter((name) => name.endsWith(".wgsl"))) {
    const whole = readFileSync(join(SOURCE, name));
    const short = Buffer.alloc(whole.length, " ");
    short.write(shortened(whole.toString()));
    for (let at = module.indexOf(whole); at >= 0; at = module.indexOf(whole, at + 1)) short.copy(module, at);
  }
  return module;
}

// Signs stay apart: `a - -b` is not `a--b`. None of the shaders has block comments.
export function shortened(text) {
  return text.replace(/\/\/.*$/gm, "").replace(/\s+/g, " ").replace(/ ?([{}();,:=]) ?/g, "$1").trim();
}
