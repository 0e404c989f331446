// `window.gradus` over what the module gives. Typed in gradus.d.ts.

/** The job as scripts hold it; `start` is given a function that hears what becomes of it. */
function job(raw, listener, inputs) {
  // The latest partial result, and for each loop those that it has not taken: a picture of every step is not kept for
  // nobody.
  let latest = [];
  const loops = new Set();
  // Replaced by each piece of news, so that any number of loops can wait for the next.
  let news = Promise.withResolvers();
  let over = false;
  const accepted = Promise.withResolvers();
  const done = Promise.withResolvers();
  const own = { id: null, accepted: accepted.promise, done: done.promise };
  raw.submit(listener, inputs, (what, given) => {
    if (what === "accepted") accepted.resolve(own.id = given);
    else if (what === "partial") {
      latest = [given];
      loops.forEach((loop) => loop.push(given));
    }
    else {
      over = true;
      if (what === "done") done.resolve(given);
      else {
        const error = Object.assign(new Error(given), { name: what });
        accepted.reject(error);
        done.reject(error);
      }
    }
    news.resolve();
    news = Promise.withResolvers();
  });
  // Who does not look at a promise is not to be bothered by its failing.
  own.accepted.catch(() => {});
  own.done.catch(() => {});
  own.cancel = () => { own.accepted.then((id) => raw.cancel(id)).catch(() => {}); };
  own[Symbol.asyncIterator] = async function* () {
    const mine = [...latest];
    loops.add(mine);
    try {
      for (;;) {
        while (!mine.length && !over) await news.promise;
        if (!mine.length) break;
        yield mine.shift();
      }
    } finally {
      loops.delete(mine);
    }
    await own.done;
  };
  return own;
}

export function install(raw) {
  const heard = { accepted: new Set(), started: new Set(), ended: new Set() };
  raw.observe((what, id) => heard[what].forEach((callback) => {
    // One that throws keeps no other from hearing.
    try { callback(id); } catch (error) { reportError(error); }
  }));
  window.gradus = {
    snapshot: raw.snapshot,
    adapter: raw.adapter,
    submit: (listener, inputs) => job(raw, String(listener), inputs),
    on: (event, callback) => {
      if (!heard[event] || typeof callback !== "function") {
        throw new TypeError(`gradus.on takes one of ${Object.keys(heard).join(", ")} and a function`);
      }
      heard[event].add(callback);
      return () => heard[event].delete(callback);
    },
  };
}
