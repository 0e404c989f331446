// node shrink.mjs DIST: makes what trunk left in a static folder smaller, without changing what it does.
//
// The names of imports end in hashes, which no compression makes small, and stand in the wasm and in the glue; Leptos
// links the stream classes of server functions, which nothing in a static page can reach; and the glue has comments.
// Together that is a twelfth of a small app's download.
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { minify } from "terser";

const FEATURES = [
  "bulk-memory", "nontrapping-float-to-int", "sign-ext", "mutable-globals", "reference-types", "multivalue", "simd",
];
const SECTION = { custom: 0, import: 2, export: 7 };
const STREAM_CLASSES = ["IntoUnderlyingByteSource", "IntoUnderlyingSink", "IntoUnderlyingSource"];

const folder = process.argv[2];
const wasmName = readdirSync(folder).find((name) => name.endsWith("_bg.wasm"));
if (!wasmName) throw new Error(`${folder} holds no *_bg.wasm: build it with trunk first`);
const wasmPath = join(folder, wasmName);
const gluePath = wasmPath.replace("_bg.wasm", ".js");
const before = { wasm: readFileSync(wasmPath), glue: readFileSync(gluePath) };

let glue = withoutStreamClasses(before.glue.toString());
const renamed = new Map();
writeFileSync(wasmPath, rewritten(before.wasm, glue, renamed));
// What only the dropped exports reached goes now.
execFileSync("wasm-opt", ["-Oz", ...FEATURES.map((name) => `--enable-${name}`), wasmPath, "-o", wasmPath]);

glue = glue.replace(/\b__wb\w+/g, (name) => renamed.get(name) ?? name).replace(/"\.\/\w+_bg\.js"/, '"_"');
const small = await minify(glue, { module: true, compress: { passes: 2 }, ecma: 2020 });
writeFileSync(gluePath, small.code);

const pagePath = join(folder, "index.html");
let page = readFileSync(pagePath, "utf8");
for (const [path, old] of [[wasmPath, before.wasm], [gluePath, before.glue]]) {
  page = page.replaceAll(integrity(old), integrity(readFileSync(path)));
}
writeFileSync(pagePath, page);

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
  for (let at = 8; at < bytes.length; ) {
    const id = bytes[at];
    const size = number(bytes, at + 1);
    const body = bytes.subarray(size.end, size.end + size.value);
    at = size.end + size.value;
    if (id === SECTION.custom) continue;
    const content = id === SECTION.import ? imports(body, renamed) : id === SECTION.export ? exports(body, used) : body;
    parts.push(Buffer.from([id]), leb(content.length), content);
  }
  return Buffer.concat(parts);
}

function imports(body, renamed) {
  const count = number(body, 0);
  const parts = [leb(count.value)];
  let at = count.end;
  for (let index = 0; index < count.value; index++) {
    const module = string(body, at);
    const field = string(body, module.end);
    const end = afterType(body, field.end);
    const ours = module.value.endsWith("_bg.js") && field.value.startsWith("__wb");
    if (ours) renamed.set(field.value, letters(renamed.size));
    parts.push(
      encoded(module.value.endsWith("_bg.js") ? "_" : module.value),
      encoded(renamed.get(field.value) ?? field.value),
      body.subarray(field.end, end),
    );
    at = end;
  }
  return Buffer.concat(parts);
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

// The end of an import's kind and type.
function afterType(body, at) {
  const kind = body[at];
  const limits = (start) => {
    const low = number(body, start + 1);
    return body[start] & 1 ? number(body, low.end).end : low.end;
  };
  switch (kind) {
    case 0: return number(body, at + 1).end;
    case 1: return limits(at + 2);
    case 2: return limits(at + 1);
    case 3: return at + 3;
    default: throw new Error(`an import of kind ${kind}, which this script does not know`);
  }
}

function letters(index) {
  return index < 26 ? String.fromCharCode(97 + index) : letters(Math.floor(index / 26) - 1) + letters(index % 26);
}

function number(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 127) * 2 ** shift;
    if (byte < 128) return { value, end: at };
  }
}

function string(bytes, at) {
  const length = number(bytes, at);
  return { value: bytes.toString("utf8", length.end, length.end + length.value), end: length.end + length.value };
}

function leb(value) {
  const bytes = [];
  do {
    bytes.push((value & 127) | (value > 127 ? 128 : 0));
    value >>>= 7;
  } while (value > 0);
  return Buffer.from(bytes);
}

function encoded(text) {
  const bytes = Buffer.from(text);
  return Buffer.concat([leb(bytes.length), bytes]);
}
