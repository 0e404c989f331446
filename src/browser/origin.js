// What the tabs of an app share: its log in IndexedDB, the lead and its tabs' sessions by Web Locks, one channel.
//
// In JavaScript and not through a crate: an IndexedDB transaction is over once the event loop turns with no request of
// it open, so its steps must follow one another in callbacks, and each of those costs a closure and its glue in wasm.
// The whole of this is smaller than the bindings that it would need.

const STORES = ["log", "values", "meta"];
const OPEN_WITHIN = 3000;
let base;
let epoch = 0;

export const hasOrigin = () =>
  !!(globalThis.indexedDB && globalThis.BroadcastChannel && navigator.locks && globalThis.isSecureContext)
  // A frame that may share nothing has none of them.
  && globalThis.origin !== "null";

const done = (transaction) => new Promise((resolve, reject) => {
  transaction.oncomplete = resolve;
  transaction.onabort = () => reject(transaction.error ?? new Error("the write was undone"));
});

const connect = (name) => new Promise((resolve, reject) => {
  const request = indexedDB.open(name, 1);
  let late = false;
  const patience = setTimeout(() => {
    late = true;
    reject(new Error("the database does not answer"));
  }, OPEN_WITHIN);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("log", { autoIncrement: true });
    request.result.createObjectStore("values");
    request.result.createObjectStore("meta");
  };
  request.onsuccess = () => {
    // Left open, it would keep another build from changing it.
    if (late) return request.result.close();
    clearTimeout(patience);
    request.result.onversionchange = closeLog;
    request.result.onclose = () => { base = undefined; };
    resolve(request.result);
  };
  request.onerror = () => { clearTimeout(patience); reject(request.error); };
});

/** Opens the log, shuts out whoever had it open, and gives [records, keys, values]. */
export async function openLog(name) {
  if (!hasOrigin()) throw new Error("it does so only for a page from https or from this machine");
  base ??= await connect(name);
  const transaction = base.transaction(STORES, "readwrite");
  const over = done(transaction);
  const [log, values, meta] = STORES.map((store) => transaction.objectStore(store));
  const found = [log.getAll(), values.getAllKeys(), values.getAll()];
  const last = meta.get("epoch");
  last.onsuccess = () => {
    epoch = (last.result ?? 0) + 1;
    meta.put(epoch, "epoch");
  };
  await over;
  return found.map((request) => request.result);
}

/** Writes one put (without a record only empties the log) whole or not at all; gives false when another has opened the log since. */
export async function putLog(whole, record, keys, values, dropped) {
  if (!base) throw new Error("the database was closed");
  const transaction = base.transaction(STORES, "readwrite", { durability: "relaxed" });
  const over = done(transaction);
  let fenced = false;
  const [log, apart, meta] = STORES.map((store) => transaction.objectStore(store));
  const last = meta.get("epoch");
  last.onsuccess = () => {
    if (last.result === epoch) return;
    fenced = true;
    transaction.abort();
  };
  // Asked for at once, since each answer costs a way to the browser's process and back; an abort undoes them.
  if (whole) { log.clear(); apart.clear(); }
  if (record) log.add(record);
  keys.forEach((key, place) => apart.put(values[place], key));
  dropped.forEach((key) => apart.delete(key));
  try {
    await over;
  } catch (error) {
    if (fenced) return false;
    // Nothing more is written, and what is there would come back as it was: jobs that were cancelled since would run.
    if (record && error.name === "QuotaExceededError") await putLog(true, null, [], [], []).catch(() => {});
    throw error;
  }
  return true;
}

export function closeLog() {
  base?.close();
  base = undefined;
}

let channel;
let heard;
let giveUp = () => {};

/** `hear` is told "lead", "rest", "wake" or a message's bytes. */
export function joinTabs(name, hear) {
  heard = hear;
  channel = new BroadcastChannel(name);
  channel.onmessage = (event) => hear(event.data);
  addEventListener("pagehide", () => hear("rest"));
  document.addEventListener("freeze", () => hear("rest"));
  document.addEventListener("resume", () => hear("wake"));
  addEventListener("pageshow", (event) => { if (event.persisted) hear("wake"); });
}

export function stand(name) {
  const wish = new AbortController();
  let release;
  giveUp = () => { wish.abort(); release?.(); };
  navigator.locks.request(name, { signal: wish.signal }, () => {
    if (wish.signal.aborted) return undefined;
    const held = new Promise((resolve) => { release = resolve; });
    heard("lead");
    return held;
  }).catch(() => {
    // A browser that stores nothing for this site refuses: then each page is for itself.
    if (!wish.signal.aborted) heard("lead");
  });
}

export function resign() {
  giveUp();
  closeLog();
}

export const sayToTabs = (message) => channel?.postMessage(message);

const take = (name, options) => new Promise((resolve) => {
  navigator.locks.request(name, options, (lock) => {
    resolve(!!lock);
    // As long as the page lives.
    return lock && new Promise(() => {});
  }).catch(() => resolve(false));
});

/**
 * The tab's session, 16 hexadecimal digits: the same after a reload, another in a duplicated tab, which has a copy of
 * the storage but not of the lock.
 */
export async function session(name) {
  const drawn = () => crypto.getRandomValues(new Uint32Array(2)).reduce((text, part) => text + part.toString(16).padStart(8, "0"), "");
  let id = drawn();
  try {
    id = sessionStorage.getItem(name) ?? id;
  } catch { /* Private: a session for this page alone. */ }
  const lock = (id) => `${name}/${id}`;
  const again = () => performance.getEntriesByType("navigation")[0]?.type !== "navigate";
  const own = await take(lock(id), { ifAvailable: true })
    // The page before may not be quite gone.
    || (again() && await take(lock(id), { signal: AbortSignal.timeout(1000) }));
  if (!own) {
    id = drawn();
    await take(lock(id), { ifAvailable: true });
  }
  try {
    sessionStorage.setItem(name, id);
  } catch { /* As above. */ }
  return id;
}
