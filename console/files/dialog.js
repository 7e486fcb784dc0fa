// Boxes that ask before something is done. The browser keeps the focus inside and gives it back.

import { explain, newKey } from "./api.js";
import { button, el } from "./dom.js";
import { say } from "./words.js";

/**
 * Asks, and does `act` once it is confirmed; a refusal is shown in the box, where the same can be tried again
 * with the same key. `act` is called with that key and returns what the box answers; null where it was left.
 */
export function ask({ title, lead = "", body = [], confirm, kind = "primary", act }) {
  return new Promise((resolve) => {
    const key = newKey();
    const problem = el("p", { class: "problem", role: "alert" });
    const yes = button(confirm, null, { kind, type: "submit" });
    const no = button(say("app.cancel"), () => box.close());
    let answer = null;
    const form = el("form", { novalidate: true }, el("h2", {}, title), lead && el("p", { class: "soft" }, lead), ...body, problem,
      el("div", { class: "choices" }, no, yes));
    const box = shown(form, title);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      problem.textContent = "";
      yes.disabled = true;
      try {
        answer = (await act(key)) ?? true;
        box.close();
      } catch (error) {
        problem.textContent = error instanceof Incomplete ? error.message : explain(error);
        yes.disabled = false;
      }
    });
    box.addEventListener("close", () => resolve(answer));
  });
}

/** What `act` throws where the form lacks something. */
export class Incomplete extends Error {}

/** A list of things to do; each closes the list first. */
export function menu(title, items) {
  const close = button(say("app.close"), () => box.close(), { drawing: "close", wordless: true, kind: "quiet" });
  const list = items.map(({ label, act, hint, danger }) => el("li", {},
    button(label, () => { box.close(); void act(); }, { kind: `wide${danger ? " danger" : ""}`, disabled: !act, "aria-describedby": undefined }),
    hint ? el("p", { class: "hint" }, hint) : null));
  const box = shown(el("div", {}, el("div", { class: "row" }, el("h2", {}, title), close), el("ul", { class: "menu" }, ...list)), title);
}

/** Shows something until it is closed. */
export function show(title, ...content) {
  const box = shown(el("div", {}, el("h2", {}, title), ...content,
    el("div", { class: "choices" }, button(say("app.close"), () => box.close(), { kind: "primary" }))), title);
}

function shown(content, title) {
  const box = el("dialog", { "aria-label": title }, content);
  // A click beside the box leaves it, like Escape.
  box.addEventListener("click", (event) => { if (event.target === box) box.close(); });
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
  return box;
}
