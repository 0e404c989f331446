// Serves a folder on a free port of this machine, under a sub-path as a static host would.
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize, resolve } from "node:path";
import { PassThrough, Transform } from "node:stream";
import { gzipSync } from "node:zlib";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".wasm": "application/wasm",
  ".json": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
};

/** What goes through with a bit of each chunk turned over. */
const damage = () => new Transform({
  transform(chunk, _, done) {
    chunk[0] ^= 1;
    done(null, chunk);
  },
});

/** `damaged` may be set to a RegExp of paths that arrive with turned bits, `gate` to a function of a path and a
 * first byte that gives a promise which that range waits for. `ranges` of what is served are the ranges that were asked for, as
 * "path from first byte".
 * `beside` are more folders by their path below the sub-path. A `hub` lets other hosts' pages read, and compresses texts.
 * Without `ranges` it sends whole files, and does not say either how long they are, as servers that compress do not; with
 * `lengths` it does, as simple ones do.
 * `tag` may be set to what all files bear as their version.
 * With `page` it answers with its page for files that are not there, as hosts of single pages do.
 * `maxAge` lets a browser keep what it fetched for so many seconds, as hosts do.
 * @returns {Promise<{ url: string, requests: string[], ranges: string[], damaged?: RegExp, tag?: string,
 *   gate?: (path: string, start: number) => Promise<void> | void, close(): Promise<void> }>} */
export async function serve(folder, { subPath = "/some/where/", ranges = true, lengths = ranges, beside = {}, hub = false, page = false, maxAge } = {}) {
  const root = resolve(folder);
  const requests = [];
  const through = (path) => (served.damaged?.test(path) ? damage() : new PassThrough());
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    requests.push(path);
    const inside = path.startsWith(subPath) ? path.slice(subPath.length) || "index.html" : undefined;
    const [mount, there] = Object.entries(beside).find(([mount]) => inside?.startsWith(`${mount}/`)) ?? ["", root];
    let file = inside === undefined ? undefined : join(resolve(there), normalize(`/${inside.slice(mount.length)}`));
    let found = file && (await stat(file).catch(() => undefined));
    if (page && file && !found) {
      file = join(root, "index.html");
      found = await stat(file);
    }
    if (!found?.isFile()) {
      response.writeHead(404, hub ? { "access-control-allow-origin": "*" } : {}).end("not found");
      return;
    }
    const headers = { "content-type": TYPES[extname(file)] ?? "application/octet-stream" };
    if (served.tag) headers.etag = served.tag;
    if (maxAge) headers["cache-control"] = `max-age=${maxAge}`;
    // As a hub does: a page of another host may ask for ranges.
    if (hub) Object.assign(headers, { "access-control-allow-origin": "*", "access-control-allow-headers": "range" });
    if (hub && [".json", ".txt"].includes(extname(file))) {
      const body = gzipSync(await readFile(file));
      response.writeHead(200, { ...headers, "content-encoding": "gzip", "content-length": body.length });
      response.end(request.method === "HEAD" ? undefined : body);
      return;
    }
    const asked = ranges && /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    if (asked) {
      const [start, end] = [Number(asked[1]), Math.min(Number(asked[2]), found.size - 1)];
      served.ranges.push(`${path.slice(subPath.length)} from ${start}`);
      await served.gate?.(path, start);
      headers["content-range"] = `bytes ${start}-${end}/${found.size}`;
      response.writeHead(206, { ...headers, "content-length": end - start + 1 });
      createReadStream(file, { start, end }).pipe(through(path)).pipe(response);
      return;
    }
    response.writeHead(200, lengths ? { ...headers, "content-length": found.size } : headers);
    if (request.method === "HEAD") response.end();
    else createReadStream(file).pipe(through(path)).pipe(response);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const served = {
    url: `http://127.0.0.1:${server.address().port}${subPath}`,
    requests,
    ranges: [],
    close: () => new Promise((closed) => { server.closeAllConnections(); server.close(closed); }),
  };
  return served;
}
