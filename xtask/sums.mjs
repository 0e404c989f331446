// Writes what the pieces of each model's files come to into the model's index, as src/browser/files.js checks them.
//
//     node xtask/sums.mjs DIST
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

// As in src/browser/files.js.
const PIECE = 4 << 20;
const INDEX = "model_index.json";

function* filesBelow(folder, path = "") {
  for (const name of readdirSync(join(folder, path))) {
    const below = path ? `${path}/${name}` : name;
    if (statSync(join(folder, below)).isDirectory()) yield* filesBelow(folder, below);
    else yield below;
  }
}

function sums(bytes) {
  const made = [];
  for (let at = 0; at < bytes.length; at += PIECE) {
    made.push(createHash("sha256").update(bytes.subarray(at, at + PIECE)).digest("hex"));
  }
  return made;
}

const models = join(process.argv[2], "models");
for (const name of existsSync(models) ? readdirSync(models) : []) {
  const folder = join(models, name);
  const index = JSON.parse(readFileSync(join(folder, INDEX), "utf8"));
  const paths = [...filesBelow(folder)].filter((path) => path !== INDEX).sort();
  index._sha256 = Object.fromEntries(paths.map((path) => [path, sums(readFileSync(join(folder, path)))]));
  writeFileSync(join(folder, INDEX), `${JSON.stringify(index, null, 2)}\n`);
}
