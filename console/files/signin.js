// Asks for a token where nobody is signed in.

import * as session from "./session.js";
import { button, el, field } from "./dom.js";
import { say } from "./words.js";

/** Shows the form in `main`; calls `begun` once somebody is signed in. `reason`: why somebody is not any more. */
export function ask(main, begun, reason = "") {
  const input = el("textarea", { rows: 4, autocomplete: "off", autocapitalize: "off", spellcheck: "false", class: "code", required: true });
  const problem = el("p", { class: "problem", role: "alert" });
  const form = el("form", { class: "card narrow", novalidate: true },
    el("h1", {}, say("signin.title")),
    el("p", { class: "soft" }, say(reason ? `signin.${reason}` : "signin.lead")),
    field(say("signin.token"), input, say("signin.hint")),
    problem,
    button(say("signin.begin"), null, { kind: "primary wide", type: "submit" }),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (session.begin(input.value.trim().replace(/^Bearer\s+/i, ""))) {
      begun();
      return;
    }
    problem.textContent = say("signin.refused");
    input.setAttribute("aria-invalid", "true");
    input.focus();
  });
  main.replaceChildren(form);
  main.focus({ preventScroll: true });
}
