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
  // What a worker says are bytes, so a text is known as this page's own word.
  const tell = (text) => worker.dispatchEvent(new MessageEvent("message", { data: text }));
  compiled ??= compile(own.replace(/\.js$/, "_bg.wasm"), tell);
  compiled.then((module) => worker.postMessage({ glue: own, module }));
  return worker;
}

// Asks until it comes: what waits for it would else fail, job by job, while a connection is gone for a minute.
async function compile(address, tell) {
  let told;
  for (let wait = 1000; ; wait = Math.min(2 * wait, 30_000)) {
    try {
      const response = await fetch(address);
      if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
      // A host that does not know wasm gives it another type, which is refused while it streams.
      if (response.headers.get("content-type") === "application/wasm") return await WebAssembly.compileStreaming(response);
      return await WebAssembly.compile(await response.arrayBuffer());
    } catch (error) {
      // Once for each reason.
      if (told !== error.message) tell(`The part of this app that makes its results did not come (${error.message}). It is asked for again, and what waits is kept. Should this last, reload the page.`);
      told = error.message;
      await new Promise((later) => {
        setTimeout(later, wait);
        addEventListener("online", later, { once: true });
      });
    }
  }
}

/** What a module gives that computes in this memory; nothing where this browser does not know its instructions. */
export function exports(module, memory) {
  if (!WebAssembly.validate(module)) return undefined;
  return new WebAssembly.Instance(new WebAssembly.Module(module), { env: { memory } }).exports;
}
