/** The session of now, and those kept on this device: to begin, keep, open and delete them. */
import { ask, clearProblem, problem, setStatus, tellError } from "./messages.js";
import * as storage from "./storage.js";
import { keptTable } from "./summary.js";
import { moment } from "./texts.js";

const $ = (id) => document.getElementById(id);

/** Let the buttons do it; `showAll` is called when the session has other notes than are shown. */
export function connectSessions(session, showAll) {
  const actions = {
    keptOpen: (kept) => open(kept).catch(tellError),
    keptDelete: (kept) => forget(kept).catch(tellError),
  };
  $("save").addEventListener("click", () => keep().catch(tellError).finally(showKept));
  $("new").addEventListener("click", begin);
  $("delete").addEventListener("click", forgetAll);
  showKept();

  async function showKept() {
    const kept = await storage.keptSessions().catch(() => []);
    $("kept").replaceChildren(...(kept.length ? [keptTable(kept, actions)] : []));
  }

  async function keep() {
    session.isKept = true; // but for what is played until it is
    await storage.keepSession(session).catch((error) => {
      session.isKept = false;
      throw error;
    });
    setStatus("saved");
  }

  async function begin() {
    if (!session.isKept && !(await ask("newSure", "newYes"))) return;
    session.clear();
    clearProblem();
    setStatus("ready");
    showAll();
  }

  async function open({ id, date }) {
    if (!session.isKept && !(await ask("openSure", "keptOpen"))) return;
    const kept = await storage.keptSession(id);
    if (!kept) return problem("storageGone");
    session.open(kept);
    clearProblem();
    setStatus("opened", { date: moment(date) });
    showAll();
    $("notes").focus();
  }

  async function forget({ id, date }) {
    if (!(await ask("deleteOneSure", "deleteYes", { date: moment(date) }))) return;
    await storage.forgetSession(id);
    if (id === session.id) session.isKept = false;
    setStatus("deletedOne", { date: moment(date) });
    await showKept();
  }

  async function forgetAll() {
    if (!(await ask("deleteSure", "deleteYes"))) return;
    session.clear();
    showAll();
    setStatus("");
    await storage.forgetSessions().then(
      () => setStatus("deleted"),
      () => problem("storageLeft"),
    );
    showKept();
  }
}
