// Started by the page as a module worker, and imported by the glue in both roles: only the worker acts on it.
const inWorker = typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope;
const early = [];
let deliver = (data) => early.push(data);

if (inWorker) {
  self.onmessage = (first) => {
    self.onmessage = (event) => deliver(event.data);
    const { glue, module } = first.data;
    // Imported here and not at the top: the glue imports this module, and a top-level await would wait for itself.
    import(glue)
      .then((exports) => exports.default({ module_or_path: module }))
      .catch((error) => setTimeout(() => { throw error; }));
  };
}

export function bootUrl() {
  return import.meta.url;
}

export function listen(callback) {
  deliver = callback;
  for (const data of early.splice(0)) callback(data);
}

/** What a module gives that computes in this memory; nothing where this browser does not know its instructions. */
export function exports(module, memory) {
  if (!WebAssembly.validate(module)) return undefined;
  return new WebAssembly.Instance(new WebAssembly.Module(module), { env: { memory } }).exports;
}
