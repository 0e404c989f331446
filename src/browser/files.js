// Files over HTTP in pieces that are kept in the origin's private file system (OPFS), or in Cache Storage where that cannot
// write in one go.
//
// Each file is fetched by Range requests of 4 MiB, and each piece is kept under the file's size and tag: a download that
// was cut off goes on, a changed file is fetched anew, and one that was read whole needs no network. A server without
// Range requests sends the whole file, which is kept in pieces all the same. Where the folder's model_index.json has
// `_sha256` (as `cargo xtask dist` writes it: for each file the sums of its pieces), every piece is checked.
const PIECE = 4 << 20;
// What is fetched of a file at first to see what is in it: a safetensors header and its length stand at its beginning.
const HEAD = 256 << 10;
const LENGTH = 8;
// As many files of weights as a checkpoint has, and some more.
const heads = new Map();
const HEADS = 8;
const INDEX = "model_index.json";
// Where folders stand that the visitor chose from the disk: an address that no network has (RFC 2606).
export const CHOSEN = "https://chosen.invalid/";
const versions = new Map();
const sums = new Map();
// The last pieces that were read, the latest at the end. A checkpoint's tensors are read one after another, but a matrix whose
// halves are laid side by side comes out of two places in turn, each of which may lie in two pieces.
const latest = new Map();
const LATEST = 4;
// Keys of what was read and could not be kept.
const unkept = new Set();
let told = false;

/** How long a file is; -1 where there is none. */
export async function size(address) {
  return (await version(address))?.size ?? -1;
}

/** These bytes of the file at `folder` + `path`, which lie in one piece. */
export async function read(folder, path, start, end) {
  const address = folder + path;
  const of = await version(address);
  const number = Math.floor(start / PIECE);
  if (!of || start > end || end > of.size || end > (number + 1) * PIECE) throw new Error(notAsSaid(address));
  const key = keyOf(address, of, number);
  let bytes = latest.get(key);
  if (!bytes) {
    const sum = path === INDEX ? undefined : (await sumsOf(folder))[path];
    const before = await kept(key);
    const looks = !sum && !before && (start === 0 || start === LENGTH) && end <= HEAD && of.size > 2 * HEAD;
    if (looks) return (await head(address, of, key)).subarray(start, end);
    const good = before && (await fits(before, sum?.[number]));
    bytes = good ? before : await fetchPiece(address, of, number, sum);
  }
  remember(key, bytes);
  const from = number * PIECE;
  return bytes.subarray(start - from, end - from);
}

// The beginning of a file of which nothing else is wanted yet: who only looks should not wait for the whole piece. It is not kept,
// and not taken where the piece could be checked.
async function head(address, of, key) {
  const before = heads.get(key);
  if (before) return before;
  const response = await reached(address, { headers: { range: `bytes=0-${HEAD - 1}` } });
  const bytes = response.status === 206 ? await body(response) : await wholeFile(address, of, 0, response);
  if (bytes.length < HEAD) throw new Error(notAsSaid(address));
  if (heads.size === HEADS) heads.delete(heads.keys().next().value);
  heads.set(key, bytes);
  return bytes;
}

function remember(key, bytes) {
  latest.delete(key);
  latest.set(key, bytes);
  if (latest.size > LATEST) latest.delete(latest.keys().next().value);
}

/** How many bytes from `start` on can be read at once. */
export function reach(start) {
  return PIECE - (start % PIECE);
}

/** Bytes that are kept of a folder's files, of all that the origin keeps, and that it may keep (undefined where not told). */
export async function stored(folder) {
  const store = await cache();
  const keys = ((await store?.keys()) ?? []).map(({ url }) => url).filter((url) => url.startsWith(folder));
  let bytes = 0;
  for (const key of keys) {
    const [address, rest] = key.split("?gradus-size=");
    if (!rest) continue;
    const of = await keptVersion(address);
    const number = Number(key.split("&piece=")[1]);
    if (of && key === keyOf(address, of, number)) bytes += Math.min(PIECE, of.size - number * PIECE);
  }
  const { usage, quota } = (await globalThis.navigator?.storage?.estimate?.()) ?? {};
  return [bytes, usage, quota];
}

/** Removes what is kept of a folder's files. */
export async function forget(folder) {
  const store = await cache();
  for (const { url } of (await store?.keys()) ?? []) if (url.startsWith(folder)) await store.delete(url);
  for (const address of versions.keys()) if (address.startsWith(folder)) versions.delete(address);
  sums.delete(folder);
  latest.clear();
  heads.clear();
}

/** Removes what was chosen under this name before. */
export async function forgetChosen(name) {
  const keys = (await (await cache())?.keys()) ?? [];
  const folders = keys.filter(({ url }) => url.startsWith(CHOSEN)).map(({ url }) => url.split("/").slice(0, 5));
  for (const folder of new Set(folders.filter((parts) => parts[4] === name).map((parts) => parts.join("/") + "/"))) await forget(folder);
}

/** Keeps a file that the visitor chose, under an address that no network has. */
export async function keepChosen(address, file) {
  const store = await cache();
  if (!store) throw new Error("The browser keeps no files for this page, so none can be taken in.");
  const of = { size: file.size, tag: String(file.lastModified) };
  for (let number = 0; number * PIECE < file.size; number++) {
    const piece = file.slice(number * PIECE, (number + 1) * PIECE);
    await put(store, keyOf(address, of, number), piece, file);
  }
  await put(store, `${address}?gradus-version`, JSON.stringify(of), file);
}

async function put(store, key, content, file) {
  try {
    await store.put(key, new Response(content));
  } catch (error) {
    if (error.name === "NotReadableError" || error.name === "NotFoundError") {
      throw new Error(`${file.name} cannot be read any more. Choose the files again.`);
    }
    throw new Error("There is not enough room to keep these files. Delete another model, or free some of the disk.");
  }
}

// What the pieces of a folder's files must come to, where that is known.
function sumsOf(folder) {
  const ask = async () => {
    const of = await version(folder + INDEX);
    const bytes = of && (await read(folder, INDEX, 0, of.size));
    return (bytes && JSON.parse(new TextDecoder().decode(bytes))._sha256) ?? {};
  };
  if (!sums.has(folder)) sums.set(folder, ask().catch(() => ({})));
  return sums.get(folder);
}

// Pages that are not secure have no digest, and then nothing is checked.
async function fits(bytes, sum) {
  if (!sum || !globalThis.crypto?.subtle) return true;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") === sum;
}

// Which version of a file there is: the server's, or without a network the one that was kept.
async function version(address) {
  if (versions.has(address)) return versions.get(address);
  const key = `${address}?gradus-version`;
  let found;
  try {
    if (address.startsWith(CHOSEN)) throw new Error("only what is kept is there");
    // Of a text the length that is told may be the compressed one, and another host need not say so: it is fetched at once.
    const text = /\.(json|txt)$/.test(new URL(address).pathname);
    const response = await reached(address, text ? {} : { method: "HEAD" });
    // Hosts of single pages answer with their page where there is no file, and no model has one of that kind.
    const page = response.headers.get("content-type")?.startsWith("text/html");
    if (response.status === 404 || page) {
      // Without a network it is known that there is none.
      await keep(key, "null");
      return undefined;
    }
    const before = await keptVersion(address);
    const tag = response.headers.get("etag") ?? response.headers.get("last-modified") ?? "";
    // Of a compressed answer the length is the compressed one.
    const length = text || response.headers.has("content-encoding") ? null : response.headers.get("content-length");
    found = { size: Number(length), tag };
    if (length === null) {
      const bytes = await body(text ? response : await reached(address, {}));
      found.size = bytes.length;
      await keepAll(address, found, bytes);
    }
    await keep(key, JSON.stringify(found));
    await forgetOlder(address, before, found);
  } catch (error) {
    found = await keptVersion(address);
    // Of a folder that was chosen every file is there that it has.
    if (found === undefined && !address.startsWith(CHOSEN)) throw error;
    if (!found) return undefined;
  }
  versions.set(address, found);
  return found;
}

// The version of a file that is kept; null where it is known that there is none, undefined where nothing is known.
async function keptVersion(address) {
  const text = await (await cache())?.match(`${address}?gradus-version`).then((response) => response?.text());
  return text ? JSON.parse(text) : undefined;
}

// Pieces of a file as it was: nobody will ask for them again.
async function forgetOlder(address, before, now) {
  if (!before || (before.size === now.size && before.tag === now.tag)) return;
  const store = await cache();
  for (let number = 0; number * PIECE < before.size; number++) await store.delete(keyOf(address, before, number));
}

async function fetchPiece(address, of, number, sum) {
  if (address.startsWith(CHOSEN)) throw new Error("A part of this model is not kept any more. Choose it again.");
  const [start, end] = [number * PIECE, Math.min((number + 1) * PIECE, of.size)];
  const response = await reached(address, { headers: { range: `bytes=${start}-${end - 1}` } });
  const piece = response.status === 206 ? await body(response) : await wholeFile(address, of, number, response);
  if (piece.length !== end - start) throw new Error(notAsSaid(address));
  if (!(await fits(piece, sum?.[number]))) throw new Error(`${address} arrived damaged (its SHA-256 is another). Try again.`);
  if (response.status === 206) await keep(keyOf(address, of, number), piece);
  return piece;
}

// A server that knows no ranges sends all: it is kept as it comes, piece by piece, as a model may be larger than what a
// worker can hold. Gives the piece that is wanted now.
async function wholeFile(address, of, wanted, response) {
  const reader = response.body.getReader();
  let [number, filled, found] = [0, 0, undefined];
  const room = () => new Uint8Array(Math.max(0, Math.min(PIECE, of.size - number * PIECE)));
  let piece = room();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    for (let at = 0; at < value.length; ) {
      if (piece.length === 0) throw new Error(notAsSaid(address));
      const some = value.subarray(at, at + piece.length - filled);
      piece.set(some, filled);
      [at, filled] = [at + some.length, filled + some.length];
      if (filled < piece.length) continue;
      await keep(keyOf(address, of, number), piece);
      if (number === wanted) found = piece;
      [number, filled] = [number + 1, 0];
      piece = room();
    }
  }
  if (piece.length > 0 || !found) throw new Error(notAsSaid(address));
  return found;
}

async function keepAll(address, of, bytes) {
  for (let number = 0; number * PIECE < bytes.length; number++) {
    const piece = bytes.subarray(number * PIECE, (number + 1) * PIECE);
    await keep(keyOf(address, of, number), piece);
    if (number === 0) remember(keyOf(address, of, 0), piece);
  }
}

function keyOf(address, { size, tag }, number) {
  return `${address}?gradus-size=${size}&tag=${encodeURIComponent(tag)}&piece=${number}`;
}

// Where pieces are kept, by their keys; opened once. None on a page that is not secure, or where the browser refuses.
let opened;
function cache() {
  return (opened ??= open());
}

async function open() {
  try {
    // Pages have no other way to write there than this one.
    if (globalThis.FileSystemFileHandle?.prototype.createWritable) {
      const root = await navigator.storage.getDirectory();
      const pieces = new Pieces(await root.getDirectoryHandle("gradus-files", { create: true }));
      // What an older build kept there would only take room.
      globalThis.caches?.delete("gradus/files").catch(() => {});
      return pieces;
    }
  } catch {}
  try {
    return await caches.open("gradus/files");
  } catch {
    return undefined;
  }
}

// The part of Cache's interface that is used here, over a folder: each file is its key's length (4 bytes), the key, and the
// content. Its name is the key's sum, as a key may be longer than a name. The length is written last: a file that was cut off
// has none, and is as good as no file.
class Pieces {
  constructor(folder) {
    this.folder = folder;
  }

  async name(key) {
    const sum = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
    return Array.from(new Uint8Array(sum, 0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  async match(key) {
    try {
      const file = await (await this.folder.getFileHandle(await this.name(key))).getFile();
      const all = new Uint8Array(await file.arrayBuffer());
      const end = endOfKey(all);
      if (new TextDecoder().decode(all.subarray(4, end)) !== key) return undefined;
      return { arrayBuffer: () => all.subarray(end), text: () => new TextDecoder().decode(all.subarray(end)) };
    } catch {
      // Also what another worker writes at this moment.
      return undefined;
    }
  }

  async put(key, response) {
    const [name, bytes] = [await this.name(key), new TextEncoder().encode(key)];
    const length = new Uint8Array([bytes.length, bytes.length >> 8, 0, 0]);
    const file = await this.folder.getFileHandle(name, { create: true });
    try {
      if (file.createSyncAccessHandle && !globalThis.document) {
        await writeInPlace(file, length, bytes, new Uint8Array(await response.arrayBuffer()));
      } else {
        const stream = await file.createWritable();
        await stream.write(new Blob([length, bytes, await response.blob()]));
        await stream.close();
      }
    } catch (error) {
      // Another worker writes the same piece.
      if (error.name === "NoModificationAllowedError") return;
      await this.folder.removeEntry(name).catch(() => {});
      throw error;
    }
  }

  async keys() {
    const keys = [];
    for await (const [name, handle] of this.folder.entries()) {
      // A browser's own file beside one that is being written has an ending.
      if (name.includes(".")) continue;
      let head;
      try {
        const file = await handle.getFile();
        head = new Uint8Array(await file.slice(0, 4096).arrayBuffer());
      } catch {
        // Another worker or tab has just removed it.
        continue;
      }
      const end = endOfKey(head);
      if (end > 4 && end <= head.length) keys.push({ url: new TextDecoder().decode(head.subarray(4, end)) });
    }
    return keys;
  }

  async delete(key) {
    await this.folder.removeEntry(await this.name(key)).catch(() => {});
  }
}

function endOfKey(bytes) {
  return 4 + bytes[0] + bytes[1] * 256;
}

// In half the time of a stream, which workers have as well.
async function writeInPlace(file, length, key, content) {
  const handle = await file.createSyncAccessHandle();
  try {
    handle.truncate(0);
    const written = handle.write(key, { at: 4 }) + handle.write(content, { at: 4 + key.length });
    if (written !== key.length + content.length) throw new Error("no room");
    handle.flush();
    handle.write(length, { at: 0 });
  } finally {
    handle.close();
  }
}

async function kept(key) {
  const found = await (await cache())?.match(key);
  return found && new Uint8Array(await found.arrayBuffer());
}

/** Whether the piece that was just read, with this byte of the file at `folder` + `path`, is kept, and the file's version. */
export async function holds(folder, path, at) {
  const address = folder + path;
  const of = await version(address);
  if (!of) return false;
  const piece = keyOf(address, of, Math.floor(at / PIECE));
  const both = [[piece, latest.get(piece)], [`${address}?gradus-version`, JSON.stringify(of)]];
  // There may be room by now.
  for (const [key, content] of both) if (content && unkept.has(key)) await keep(key, content);
  return !both.some(([key]) => unkept.has(key));
}

// Without room it is fetched again the next time, and all else goes on.
async function keep(key, content) {
  try {
    await (await cache()).put(key, new Response(content));
    unkept.delete(key);
  } catch {
    unkept.add(key);
    if (!told) console.info("Gradus: the browser keeps no files here (storage full or private mode).");
    told = true;
  }
}

async function reached(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new Error(`${address} cannot be reached. Check the connection and try again.`);
  }
  if (response.ok || response.status === 404) return response;
  throw new Error(`${address} cannot be read: the server answers ${response.status}.`);
}

async function body(response) {
  if (!response.ok) throw new Error(`${response.url} is not there any more. Reload the page.`);
  return new Uint8Array(await response.arrayBuffer());
}

function notAsSaid(address) {
  return `${address} is not as long as its server said. Reload the page and try again.`;
}
