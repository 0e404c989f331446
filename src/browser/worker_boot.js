// Started by the page as a module worker, and imported by the glue in both roles.
const inWorker = typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope;
const early = [];
let deliver = (data) => early.push(data);

if (inWorker) {
  self.onmessage = ({ data }) => {
    if (!data.glue) return deliver(data);
    // Imported here and not at the top: the glue imports this module, and a top-level await would wait for itself.
    import(data.glue)
      .then((exports) => exports.default({ module_or_path: data.module }))
      .catch((error) => setTimeout(() => { throw error; }));
  };
}

export function listen(callback) {
  deliver = callback;
  for (const data of early.splice(0)) callback(data);
}

// The workers' own module, fetched and compiled once for all of them.
let compiled;

/** A worker that runs the module which the page names as its workers'; else the page's own. */
export function start(glue, module) {
  const worker = new Worker(import.meta.url, { type: "module", name: "gradus" });
  const apart = document.querySelector('meta[name="gradus-workers"]')?.content;
  if (!apart) {
    worker.postMessage({ glue, module });
    return worker;
  }
  const own = new URL(apart, glue).href;
  compiled ??= compile(own.replace(/\.js$/, "_bg.wasm"));
  compiled.then((module) => worker.postMessage({ glue: own, module }), (error) => {
    // So that the next worker tries again.
    compiled = undefined;
    worker.dispatchEvent(new ErrorEvent("error", { message: `the part of the app that makes its results could not be fetched (${error.message}). Check the connection and run again` }));
  });
  return worker;
}

async function compile(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${response.status} ${address}`);
  // A host that does not know wasm gives it another type, which is refused while it streams.
  if (response.headers.get("content-type") === "application/wasm") return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
}

/** What a module gives that computes in this memory; nothing where this browser does not know its instructions. */
export function exports(module, memory) {
  if (!WebAssembly.validate(module)) return undefined;
  return new WebAssembly.Instance(new WebAssembly.Module(module), { env: { memory } }).exports;
}
