// Shaders, style sheets and the places of panics travel as text in the module's data. Comments, indentation and line ends are
// taken out of them, and of places the folders of whoever built it, which are nobody's business; spaces are put at the end, so
// that every length and address stays and the compression has almost nothing to carry.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = (name) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

/** Shortens in place every shader and style sheet of the library that the module holds. */
export function shortenTexts(module) {
  for (const [from, ending, shorter] of [[folder("src"), ".wgsl", shortened], [folder("style"), ".css", shortenedStyle]]) {
    for (const name of readdirSync(from, { recursive: true }).filter((name) => name.endsWith(ending))) {
      const whole = readFileSync(join(from, name));
      const short = Buffer.alloc(whole.length, " ");
      short.write(shorter(whole.toString()));
      for (let at = module.indexOf(whole); at >= 0; at = module.indexOf(whole, at + 1)) short.copy(module, at);
    }
  }
  return withoutFolders(module);
}

// Where a toolchain, a registry and this library keep their sources: behind it a place reads "library/core/src/fmt/mod.rs",
// "png-0.18.0/src/encoder.rs" or "src/queue/mod.rs".
const FOLDERS = [String.raw`/rustc/[0-9a-f]+/`, String.raw`/[\w./+-]*?/rustlib/src/rust/`, String.raw`/[\w./+-]*?/registry/src/[\w.-]+/`];
const OURS = folder("").replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

export function withoutFolders(module) {
  const places = new RegExp(`(?:${[...FOLDERS, OURS].join("|")})([\\w./+-]+?\\.rs)`, "g");
  // One character a byte, so that places in the text are places in the module.
  const text = module.toString("latin1").replace(places, (whole, place) => place.padEnd(whole.length));
  return Buffer.from(text, "latin1");
}

// Signs stay apart: `a - -b` is not `a--b`. None of the shaders has block comments.
export function shortened(text) {
  return text.replace(/\/\/.*$/gm, "").replace(/\s+/g, " ").replace(/ ?([{}();,:=]) ?/g, "$1").trim();
}

// A space before a colon or a sign has a meaning in selectors and sums, so those stay.
export function shortenedStyle(text) {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\s+/g, " ").replace(/ ?([{};,]) ?/g, "$1").replace(/;}/g, "}").trim();
}
