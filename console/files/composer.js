// Where people write: text, PDFs, and an outbox that survives a lost connection and a reload.

import * as session from "./session.js";
import { explain, headers, newKey, path, post, Problem } from "./api.js";
import { menu } from "./dialog.js";
import { announce, button, el, icon } from "./dom.js";
import { bytes, say } from "./words.js";

const FILE_LIMIT = 10_485_760;
const ROWS = 8;

export class Composer {
  /** `sent` is called with each message that was taken. */
  constructor(conversation, { signal, sent }) {
    this.name = conversation;
    this.signal = signal;
    this.sent = sent;
    this.files = [];
    this.isSending = false;
    this.waiting = session.recall(`outbox.${this.name}`) ?? [];
    this.outbox = el("ol", { class: "outbox" });
    this.list = el("ul", { class: "files" });
    this.text = el("textarea", { rows: 1, maxlength: 20000, "aria-label": say("write.label"), placeholder: say("write.label"), enterkeyhint: "enter" });
    this.text.value = session.recall(`draft.${this.name}`) ?? "";
    this.note = el("input", { type: "checkbox", checked: session.recall(`note.${this.name}`) === true });
    this.notes = el("label", { class: "switch", hidden: true }, this.note, say("message.note"));
    this.picker = el("input", { type: "file", accept: "application/pdf,.pdf", multiple: true, hidden: true });
    this.form = el("form", { class: "composer", novalidate: true }, this.list,
      el("div", { class: "row" },
        button(say("write.attach"), () => this.#attach(), { drawing: "clip", wordless: true, kind: "quiet" }), this.text,
        button(say("write.send"), null, { drawing: "send", wordless: true, kind: "primary", type: "submit", title: `${say("write.send")} (${say("write.hint")})` })),
      this.notes, this.picker);
    this.kind = "KIND_OTHER";
    this.closed = el("p", { class: "closed soft", hidden: true });
    this.node = el("div", { class: "write" }, this.form, this.closed);
    this.#listen();
  }

  /** Shows what may be done now. */
  allow(conversation, { isTeam }) {
    const may = conversation.allowedActions?.includes("sendMessage");
    const { reason, explanation } = conversation.unavailableActions?.find(({ action }) => action === "sendMessage") ?? {};
    this.form.hidden = !may;
    this.closed.hidden = Boolean(may);
    this.closed.textContent = may ? "" : explain(new Problem(400, { reason: reason ?? "UNKNOWN", detail: explanation }));
    this.notes.hidden = !isTeam;
    this.#size();
  }

  /** Takes up what an earlier visit could not send. */
  start() {
    this.#noted(this.note.checked);
    this.#draw();
    this.#size();
    void this.#flush();
  }

  #listen() {
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.#submit(); });
    this.text.addEventListener("input", () => { session.remember(`draft.${this.name}`, this.text.value); this.#size(); });
    this.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) { event.preventDefault(); this.#submit(); }
    });
    this.note.addEventListener("change", () => this.#noted(this.note.checked));
    this.picker.addEventListener("change", () => { this.#take(this.picker.files, this.kind); this.picker.value = ""; });
    this.form.addEventListener("dragover", (event) => { if (event.dataTransfer.types.includes("Files")) event.preventDefault(); });
    this.form.addEventListener("drop", (event) => { event.preventDefault(); this.#take(event.dataTransfer.files, "KIND_OTHER"); });
    window.addEventListener("online", () => { void this.#flush(); }, { signal: this.signal });
  }

  /** Whether what is being written is for the team alone; a draft that is left stays what it is. */
  #noted(isNote) {
    this.note.checked = isNote;
    this.form.classList.toggle("note", isNote && !this.notes.hidden);
    session.remember(`note.${this.name}`, isNote || null);
  }

  #size() {
    this.text.style.height = "auto";
    const line = parseFloat(getComputedStyle(this.text).lineHeight) || 22;
    this.text.style.height = `${Math.min(this.text.scrollHeight + 2, line * ROWS + 20)}px`;
  }

  #submit() {
    const text = this.text.value;
    if (this.files.some((file) => file.isGoing)) { announce(say("write.wait")); return; }
    const attachments = this.files.filter((file) => file.taken).map((file) => file.taken);
    if (!text.trim() && !attachments.length) { this.text.focus(); return; }
    // The key belongs to this one message: however often it is tried, it is sent once.
    this.waiting.push({ key: newKey(), text, kind: this.note.checked && !this.notes.hidden ? "KIND_INTERNAL_NOTE" : "KIND_PUBLIC", attachments });
    this.text.value = "";
    this.files = this.files.filter((file) => !file.taken);
    session.remember(`draft.${this.name}`, null);
    this.#noted(false);
    this.#size();
    this.#files();
    this.text.focus();
    this.#draw();
    void this.#flush();
  }

  async #flush() {
    if (this.isSending) return;
    this.isSending = true;
    // Whatever is written while one is under way follows it; what was refused for good stays where it is.
    const next = () => this.waiting.find((each) => !each.problem || each.isPassing);
    for (let each = next(); each && (await this.#send(each)); each = next());
    this.isSending = false;
  }

  /** Whether the next may follow. */
  async #send(each) {
    each.problem = "";
    this.#draw();
    try {
      const body = { text: each.text, kind: each.kind, attachments: each.attachments.map(({ name }) => name) };
      const { message } = await post(path(this.name, "/messages"), body, { key: each.key, signal: this.signal });
      // Somebody else may work here by now: nothing is kept or shown any more. What was kept goes out again, under its key.
      if (this.signal.aborted) return false;
      this.waiting = this.waiting.filter((other) => other !== each);
      this.#draw();
      this.sent(message);
      return true;
    } catch (error) {
      if (this.signal.aborted) return false;
      each.problem = explain(error);
      each.isPassing = error.isPassing === true;
      announce(`${say("message.unsent")}: ${each.problem}`);
      this.#draw();
      // What follows must not overtake it.
      return !each.isPassing;
    }
  }

  #draw() {
    session.remember(`outbox.${this.name}`, this.waiting.length ? this.waiting : null);
    this.outbox.replaceChildren(...this.waiting.map((each) => el("li", {}, el("article", { class: `bubble own${each.kind === "KIND_INTERNAL_NOTE" ? " note" : ""}` },
      el("div", { class: "text" }, each.text),
      ...each.attachments.map((file) => el("p", { class: "row" }, icon("file"), file.filename)),
      each.problem
        ? el("div", { class: "unsent" }, el("p", {}, `${say("message.unsent")}. ${each.problem}`), el("div", { class: "row" },
          button(say("app.retry"), () => { each.problem = ""; void this.#flush(); }, { kind: "quiet" }),
          button(say("message.discard"), () => this.#discard(each), { kind: "quiet danger" })))
        : el("p", { class: "meta" }, say("message.sending"))))));
    if (this.waiting.length) this.outbox.lastElementChild.scrollIntoView({ block: "nearest" });
  }

  #discard(message) {
    this.waiting = this.waiting.filter((other) => other !== message);
    if (!this.text.value) {
      this.text.value = message.text;
      this.#noted(message.kind === "KIND_INTERNAL_NOTE");
      session.remember(`draft.${this.name}`, message.text);
    }
    this.#size();
    this.#draw();
  }

  // ------------------------------------------------------------------------------------------ documents

  /** A seller says whether it is an offer; whatever else people send is a document like any other. */
  #attach() {
    const pick = (kind) => { this.kind = kind; this.picker.click(); };
    if (this.notes.hidden) { pick("KIND_OTHER"); return; }
    menu(say("write.attach"), [
      { label: say("write.kindOffer"), act: () => pick("KIND_OFFER") },
      { label: say("write.kindOther"), act: () => pick("KIND_OTHER") },
    ]);
  }

  #take(chosen, kind) {
    for (const file of chosen) {
      const entry = { file, key: newKey(), kind, isGoing: true, part: 0, problem: "", taken: null };
      this.files.push(entry);
      if (file.size > FILE_LIMIT) Object.assign(entry, { isGoing: false, problem: say("reason.ATTACHMENT_TOO_LARGE") });
      else this.#upload(entry);
    }
    this.#files();
  }

  /** By the one way on which browsers tell how much has gone. */
  #upload(entry) {
    const request = new XMLHttpRequest();
    const query = new URLSearchParams({ filename: entry.file.name, kind: entry.kind });
    entry.request = request;
    request.open("POST", `${path(this.name, "/attachments")}?${query}`);
    for (const [name, value] of Object.entries(headers({ "content-type": "application/pdf", "idempotency-key": entry.key }))) request.setRequestHeader(name, value);
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => { entry.part = event.loaded / (event.total || 1); this.#progress(entry); });
    const ended = () => {
      entry.isGoing = false;
      if (request.status === 200 && request.response?.attachment) entry.taken = request.response.attachment;
      else if (request.status === 401) session.end("expired");
      else entry.problem = explain(new Problem(request.status, request.response ?? {}));
      announce(entry.taken ? say("write.ready", { name: entry.file.name }) : `${entry.file.name}: ${entry.problem}`);
      this.#files();
    };
    request.addEventListener("load", ended);
    request.addEventListener("error", ended);
    this.signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(entry.file);
  }

  #progress(entry) {
    const isThere = entry.part >= 1;
    entry.shown.textContent = isThere ? say("write.checking", { name: entry.file.name }) : say("write.uploading", { name: entry.file.name, percent: Math.floor(entry.part * 100) });
    entry.bar.value = entry.part;
  }

  #files() {
    this.list.replaceChildren(...this.files.map((entry) => {
      const name = entry.file.name;
      entry.shown = el("span", {}, entry.problem ? `${name}: ${entry.problem}` : `${name} · ${bytes(entry.file.size)}`);
      entry.bar = el("progress", { max: 1, value: entry.part, hidden: !entry.isGoing, "aria-label": name });
      const remove = button(say("write.remove", { name }), () => this.#remove(entry), { drawing: "close", wordless: true, kind: "quiet" });
      const again = entry.problem && entry.file.size <= FILE_LIMIT
        ? button(say("app.retry"), () => { Object.assign(entry, { isGoing: true, problem: "", part: 0 }); this.#upload(entry); this.#files(); }, { kind: "quiet" }) : null;
      const item = el("li", { class: entry.problem ? "problem" : "" }, icon(entry.taken ? "check" : "file"), el("div", {}, entry.shown, entry.bar), again, remove);
      if (entry.isGoing) this.#progress(entry);
      return item;
    }));
  }

  #remove(entry) {
    entry.request?.abort();
    this.files = this.files.filter((other) => other !== entry);
    this.#files();
    this.text.focus();
  }
}
