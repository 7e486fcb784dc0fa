// The reader's own profile: what others see of him, how he is reached, and about what.

import * as session from "./session.js";
import { explain, get, newKey, patch, path, post } from "./api.js";
import { again, entitle, follow } from "./app.js";
import { announce, button, el, field, toast, trouble, waiting } from "./dom.js";
import { LANGUAGES, languageName, learn, say } from "./words.js";

const KINDS = ["MESSAGE", "SENT_COPY", "REQUEST", "OFFER", "ORDER", "PAYMENT", "SUBSCRIPTION"];
const DELIVERIES = ["EACH", "DIGEST", "OFF"];
const MOODS = { EMAIL_STATE_VERIFIED: "good", EMAIL_STATE_BOUNCED: "bad" };

export async function show({ main, signal }) {
  main.replaceChildren(el("div", { class: "card" }, waiting()));
  await learn("profile");
  if (signal.aborted) return;
  entitle(say("profile.title"));
  const name = `${session.user()}/profile`;
  try {
    const { profile } = await get(path(name), {}, { signal });
    if (await follow(profile.locale)) { await again(); return; }
    draw(main, profile, signal);
  } catch (error) {
    if (signal.aborted) return;
    main.replaceChildren(trouble(explain(error), button(say("app.retry"), () => show({ main, signal }))));
  }
}

function draw(main, profile, signal) {
  const state = el("div", { class: "row" });
  const inputs = {
    displayName: el("input", { value: profile.displayName, maxlength: 80, autocomplete: "name" }),
    email: el("input", { type: "email", value: profile.email, maxlength: 254, autocomplete: "email", inputmode: "email", spellcheck: "false" }),
    phone: el("input", { type: "tel", value: profile.phone, maxlength: 16, autocomplete: "tel", inputmode: "tel" }),
    locale: languages(profile.locale),
    timeZone: zones(profile.timeZone),
    autoTranslate: targets(profile.autoTranslate),
  };
  const kinds = new Map(KINDS.map((kind) => [kind, deliveries(profile, kind)]));
  const problem = el("p", { class: "problem", role: "alert" });
  const save = button(say("app.save"), null, { kind: "primary wide", type: "submit" });
  const form = el("form", { novalidate: true },
    el("section", { class: "card" },
      el("h1", {}, say("profile.title")), el("p", { class: "soft" }, say("profile.lead")),
      field(say("profile.displayName"), inputs.displayName, say("profile.displayNameHint")),
      field(say("profile.email"), inputs.email, say("profile.emailHint")), state,
      field(say("profile.phone"), inputs.phone, say("profile.phoneHint")),
      el("div", { class: "pair" }, field(say("profile.locale"), inputs.locale), field(say("profile.timeZone"), inputs.timeZone)),
      field(say("profile.autoTranslate"), inputs.autoTranslate, say("profile.autoTranslateHint"))),
    el("section", { class: "card" },
      el("h2", {}, say("profile.notices")), el("p", { class: "soft" }, say("profile.noticesHint")),
      ...[...kinds].map(([kind, select]) => el("div", { class: "notice-row" }, el("label", { for: select.id }, say(`notice.${kind}`)), select))),
    el("div", { class: "card savebar" }, problem, save));
  main.replaceChildren(form);

  let key = newKey();
  const attempt = { body: "" };
  const shown = () => { drawState(state, profile, signal, (changed) => { profile = changed; shown(); }); };
  shown();
  form.addEventListener("input", () => { problem.textContent = ""; });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = { name: profile.name, etag: profile.etag, ...wanted(inputs, kinds) };
    // The same words once more are the same attempt.
    if (attempt.body !== JSON.stringify(body)) { attempt.body = JSON.stringify(body); key = newKey(); }
    save.disabled = true;
    problem.textContent = "";
    try {
      const updateMask = "displayName,email,phone,locale,timeZone,autoTranslate,notificationChoices";
      profile = (await patch(path(profile.name), body, { updateMask }, { key, signal })).profile;
      key = newKey();
      const isNewLanguage = await follow(profile.locale);
      if (isNewLanguage) await again();
      else shown();
      toast(say(profile.emailState === "EMAIL_STATE_UNVERIFIED" ? "profile.savedUnverified" : "app.saved"));
    } catch (error) {
      if (signal.aborted) return;
      if (error.reason === "ETAG_MISMATCH") profile = (await get(path(profile.name), {}, { signal })).profile;
      problem.textContent = explain(error);
      point(inputs, error);
    }
    save.disabled = false;
  });
}

function wanted(inputs, kinds) {
  return {
    ...Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input.value.trim()])),
    phone: inputs.phone.value.replace(/[\s()./-]/g, "").replace(/^00/, "+"),
    notificationChoices: [...kinds].map(([kind, select]) => ({ kind: `KIND_${kind}`, delivery: `DELIVERY_${select.value}` })),
  };
}

/** Leads to the first field that was refused. */
function point(inputs, error) {
  for (const [name, input] of Object.entries(inputs)) {
    const isBad = (error.violations ?? []).some((each) => each.field.split(".").pop() === name);
    if (isBad) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }
  Object.values(inputs).find((input) => input.hasAttribute("aria-invalid"))?.focus();
}

function drawState(place, profile, signal, changed) {
  const parts = [];
  if (profile.email) parts.push(el("span", { class: `tag ${MOODS[profile.emailState] ?? ""}` }, say(`profile.${profile.emailState}`)));
  if (profile.allowedActions?.includes("sendEmailVerification")) {
    parts.push(button(say("profile.verify"), async (event) => {
      event.target.disabled = true;
      try {
        changed((await post(path(profile.name, ":sendEmailVerification"), {}, { signal })).profile);
        toast(say("profile.verifySent", { email: profile.email }));
      } catch (error) {
        if (signal.aborted) return;
        announce("");
        toast(explain(error));
        event.target.disabled = false;
      }
    }, { kind: "quiet" }));
  }
  place.replaceChildren(...parts);
  place.hidden = !parts.length;
}

function deliveries(profile, kind) {
  const select = el("select", { id: `notice-${kind}` }, ...DELIVERIES.map((each) => el("option", { value: each }, say(`profile.${each}`))));
  const chosen = profile.notificationChoices?.find((each) => each.kind === `KIND_${kind}`)?.delivery ?? "DELIVERY_EACH";
  select.value = chosen.replace("DELIVERY_", "");
  return select;
}

function languages(chosen) {
  const codes = [...new Set(["", ...LANGUAGES, chosen])];
  const select = el("select", {}, ...codes.map((code) => el("option", { value: code, lang: code || null }, code ? languageName(code) : say("profile.browser"))));
  select.value = chosen;
  return select;
}

/** The languages into which a system translates at first; one that it was told besides stays chosen. */
function targets(chosen = "") {
  const names = new Intl.DisplayNames([document.documentElement.lang], { type: "language" });
  const codes = [...new Set(["", ...LANGUAGES, "pt", "nl", "pl", "ja", chosen])];
  const select = el("select", {}, ...codes.map((code) => el("option", { value: code }, code ? names.of(code) : say("profile.noTranslation"))));
  select.value = chosen;
  return select;
}

function zones(chosen) {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const known = Intl.supportedValuesOf?.("timeZone") ?? [own];
  const names = [...new Set([chosen, own, "UTC", ...known])].filter(Boolean);
  const select = el("select", {}, el("option", { value: "" }, say("profile.noZone")), ...names.map((name) => el("option", { value: name }, name.replaceAll("_", " "))));
  select.value = chosen;
  return select;
}
