/** Sessions that are kept on this device, when a player asks for it. */
import { Problem } from "./lib/problem.js";

const NAME = "sknote";
const STORE = "sessions";

export async function keepSession({ id, date, notes }) {
  await inStore("readwrite", (store) => store.put({ id, date, notes }));
}

/** Sessions, the newest first, without sounds: those of many would fill the memory. */
export async function keptSessions() {
  const all = [];
  await inStore("readonly", (store) => {
    const request = store.openCursor();
    request.onsuccess = () => {
      if (!request.result) return;
      const { id, date, notes } = request.result.value;
      all.push({ id, date, notes: notes.map((note) => ({ ...note, sound: null })) });
      request.result.continue();
    };
    return request;
  });
  return all.sort((a, b) => (a.date < b.date ? 1 : -1));
}

/** One session with its sounds; undefined if it is there no more. */
export async function keptSession(id) {
  return inStore("readonly", (store) => store.get(id));
}

export async function forgetSession(id) {
  await inStore("readwrite", (store) => store.delete(id));
}

export async function forgetSessions() {
  await inStore("readwrite", (store) => store.clear());
}

async function inStore(mode, act) {
  let database;
  try {
    database = await opened();
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = act(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(asProblem(transaction.error ?? request.error));
      transaction.onerror = transaction.onabort;
    });
  } catch (error) {
    throw asProblem(error);
  } finally {
    database?.close();
  }
}

function opened() {
  return new Promise((resolve, reject) => {
    if (!globalThis.indexedDB) return reject(new Problem("storageOff"));
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(asProblem(request.error));
  });
}

function asProblem(error) {
  if (error instanceof Problem) return error;
  const isFull = error?.name === "QuotaExceededError";
  return new Problem(isFull ? "storageFull" : "storageOff", error?.message);
}
