// node join.mjs DIST WORKERS: puts the workers' module (built by itself into the folder WORKERS) beside the page's, and
// its address into the page, where src/browser/worker_boot.js reads it.
import { cpSync, existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [dist, workers] = process.argv.slice(2);
const files = readdirSync(workers);
const wasm = files.find((name) => name.endsWith("_bg.wasm"));
const glue = wasm?.replace("_bg.wasm", ".js");
if (!files.includes(glue)) throw new Error(`${workers} holds no module: build it with trunk first`);

// Page and workers speak through the boot script's own state, so both must name the same file.
const boot = /\.\/snippets\/[^"']*worker_boot\.js/.exec(readFileSync(join(workers, glue), "utf8"))?.[0];
if (!boot || !existsSync(join(dist, boot))) throw new Error(`the page in ${dist} has not the workers' boot script ${boot}`);

for (const name of [wasm, glue, "snippets"]) cpSync(join(workers, name), join(dist, name), { recursive: true });
const page = join(dist, "index.html");
const text = readFileSync(page, "utf8");
const named = text.replace(/<head[^>]*>/, (head) => `${head}\n<meta name="gradus-workers" content="./${glue}" />\n`);
if (named === text) throw new Error(`${page} has no <head>`);
writeFileSync(page, named);
