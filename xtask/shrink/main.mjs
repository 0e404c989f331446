// node main.mjs DIST: makes what trunk left in a static folder smaller, without changing what it does.
//
// The names of imports end in hashes, which no compression makes small, and stand in the wasm and in the glue; Leptos
// links the stream classes of server functions, which nothing in a static page can reach; and the glue has comments.
// Together that is a twelfth of a small app's download; alike functions side by side are another hundredth.
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { minify } from "terser";
import { withOrder } from "./order.mjs";
import { shortenTexts } from "./texts.mjs";
import { SECTION, encoded, importsOf, leb, number, section, sections, string } from "./wasm.mjs";

const FEATURES = [
  "bulk-memory", "nontrapping-float-to-int", "sign-ext", "mutable-globals", "reference-types", "multivalue", "simd",
];
const STREAM_CLASSES = ["IntoUnderlyingByteSource", "IntoUnderlyingSink", "IntoUnderlyingSource"];

const folder = process.argv[2];
const wasmName = readdirSync(folder).find((name) => name.endsWith("_bg.wasm"));
if (!wasmName) throw new Error(`${folder} holds no *_bg.wasm: build it with trunk first`);
const wasmPath = join(folder, wasmName);
const gluePath = wasmPath.replace("_bg.wasm", ".js");
const before = { wasm: readFileSync(wasmPath), glue: readFileSync(gluePath) };

let glue = withoutStreamClasses(before.glue.toString());
const renamed = new Map();
writeFileSync(wasmPath, shortenTexts(rewritten(before.wasm, glue, renamed)));
// What only the dropped exports reached goes now. Rust puts nothing in the first kilobyte of memory: the stack ends there.
optimise("-Oz", "--converge", "--low-memory-unused");
writeFileSync(wasmPath, withOrder(readFileSync(wasmPath)));
// Once more, as names cost the order of locals; the order of functions comes last.
optimise("-Oz", "--reorder-functions-by-name");

glue = glue.replace(/\b__wb\w+/g, (name) => renamed.get(name) ?? name).replace(/"\.\/[\w-]+_bg\.js"/, '"_"');
const small = await minify(glue, { module: true, compress: { passes: 2 }, ecma: 2020 });
writeFileSync(gluePath, small.code);

const pagePath = join(folder, "index.html");
let page = readFileSync(pagePath, "utf8");
for (const [path, old] of [[wasmPath, before.wasm], [gluePath, before.glue], ...await snippets()]) {
  page = page.replaceAll(integrity(old), integrity(readFileSync(path)));
}
writeFileSync(pagePath, page);

function optimise(...passes) {
  execFileSync("wasm-opt", [...passes, ...FEATURES.map((name) => `--enable-${name}`), wasmPath, "-o", wasmPath]);
}

// Minifies the snippets that the glue imports, and drops those that an earlier build of another app left there.
async function snippets() {
  const root = join(folder, "snippets");
  const names = existsSync(root) ? readdirSync(root, { recursive: true }).filter((name) => name.endsWith(".js")) : [];
  const kept = [];
  for (const name of names) {
    const path = join(root, name);
    const old = readFileSync(path);
    if (glue.includes(`./snippets/${name}`)) {
      writeFileSync(path, (await minify(old.toString(), { module: true, compress: { passes: 2 }, ecma: 2020 })).code);
      kept.push([path, old]);
    } else {
      rmSync(path);
      page = page.replace(new RegExp(`<link[^>]*/snippets/${name.replaceAll(".", "\\.")}"[^>]*>`), "");
    }
  }
  return kept;
}

function integrity(bytes) {
  return `sha384-${createHash("sha384").update(bytes).digest("base64")}`;
}

function withoutStreamClasses(text) {
  for (const name of STREAM_CLASSES) {
    const before = text;
    text = text
      .replace(new RegExp(`^export class ${name} \\{[\\s\\S]*?^\\}\\n`, "m"), "")
      .replace(new RegExp(`^if \\(Symbol\\.dispose\\) ${name}\\..*\\n`, "m"), "")
      .replace(new RegExp(`^const ${name}Finalization = [\\s\\S]*?;\\n`, "m"), "");
    // Something made one after all: then all of it stays.
    if (text.includes(name)) text = before;
  }
  return text;
}

// The module with short import names (put into `renamed`), and with those exports alone that the glue names.
function rewritten(bytes, glue, renamed) {
  const used = new Set([...glue.matchAll(/\bwasm\.(\w+)/g)].map((match) => match[1]));
  const parts = [bytes.subarray(0, 8)];
  for (const { id, body } of sections(bytes)) {
    if (id === SECTION.custom) continue;
    const content = id === SECTION.import ? imports(body, renamed) : id === SECTION.export ? exports(body, used) : body;
    parts.push(section(id, content));
  }
  return Buffer.concat(parts);
}

function imports(body, renamed) {
  const all = [...importsOf(body)];
  const parts = all.map(({ module, field, type }) => {
    const glue = module.endsWith("_bg.js");
    if (glue && field.startsWith("__wb")) renamed.set(field, letters(renamed.size));
    return Buffer.concat([encoded(glue ? "_" : module), encoded(renamed.get(field) ?? field), type]);
  });
  return Buffer.concat([leb(all.length), ...parts]);
}

function exports(body, used) {
  const count = number(body, 0);
  const kept = [];
  let at = count.end;
  for (let index = 0; index < count.value; index++) {
    const name = string(body, at);
    const end = number(body, name.end + 1).end;
    if (used.has(name.value)) kept.push(body.subarray(at, end));
    at = end;
  }
  return Buffer.concat([leb(kept.length), ...kept]);
}

function letters(index) {
  return index < 26 ? String.fromCharCode(97 + index) : letters(Math.floor(index / 26) - 1) + letters(index % 26);
}
