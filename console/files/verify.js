// The page behind the link of a verification mail. It shows; only a click proves, so that no program that
// follows links in mails does.

import { explain, newKey, path, post } from "./api.js";
import { button, el } from "./dom.js";
import { learn, say } from "./words.js";

const PROFILE = /^users\/[^/]+\/profile$/;

export async function show({ main, fragment, signal }) {
  await learn("profile");
  if (signal.aborted) return;
  const profile = fragment?.get("profile") ?? "";
  const token = fragment?.get("token") ?? "";
  const card = el("div", { class: "card narrow" }, el("h1", {}, say("verify.title")));
  main.replaceChildren(card);
  if (!PROFILE.test(profile) || !token) {
    card.append(el("p", {}, say("verify.incomplete")), toProfile());
    return;
  }
  const key = newKey();
  const problem = el("p", { class: "problem", role: "alert" });
  const prove = button(say("verify.prove"), async () => {
    prove.disabled = true;
    problem.textContent = "";
    try {
      const answer = await post(path(profile, ":verifyEmail"), { token }, { key, signal });
      const done = el("p", { class: "done", role: "status", tabindex: "-1" }, say("verify.done", { email: answer.profile.email }));
      card.replaceChildren(card.firstChild, done, toProfile());
      done.focus();
    } catch (error) {
      if (signal.aborted) return;
      problem.textContent = error.reason === "NOT_FOUND" ? say("verify.other") : explain(error);
      prove.disabled = false;
    }
  }, { kind: "primary wide" });
  card.append(el("p", {}, say("verify.lead")), problem, prove);
}

function toProfile() {
  return el("p", {}, el("a", { href: "/profile", "data-local": true }, say("verify.toProfile")));
}
