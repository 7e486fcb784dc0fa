// The page: which address shows what, who is signed in, and the bar above it all.

import * as session from "./session.js";
import { announce, button, el, icon, trouble } from "./dom.js";
import { choose, say, speak } from "./words.js";

// `keepsFragment`: what stands behind # is for the view and no token to sign in with. `isPublic`: needs nobody.
const ROUTES = [
  { pattern: /^\/console\/?$/, load: () => import("./desk.js") },
  { pattern: /^\/conversations\/([A-Za-z0-9-]+)$/, load: () => import("./desk.js") },
  { pattern: /^\/profile$/, load: () => import("./profile.js") },
  { pattern: /^\/verify-email$/, load: () => import("./verify.js"), keepsFragment: true },
  { pattern: /^\/act$/, load: () => import("./act.js"), keepsFragment: true, isPublic: true },
];
const LANGUAGE = "language";
const UNCHOSEN = "-";
const PATIENCE = 400;

let shown = null;
let coming = new AbortController();

/** What the page that is wanted now needs; an AbortError where another is wanted by the time it has come. */
function loaded(load) {
  coming.abort();
  coming = new AbortController();
  const { signal } = coming;
  return load().finally(() => signal.throwIfAborted());
}

/** Goes to another page of the console without loading it anew. */
export function go(path) {
  history.pushState(null, "", path);
  return guarded(show);
}

/** Says in the title where the reader is. */
export function entitle(text) {
  document.title = text ? `${text} · Parley` : "Parley";
}

/** Takes over the language of the profile; true where the page has to be shown anew. */
export async function follow(locale) {
  const wanted = locale || UNCHOSEN;
  if (session.recall(LANGUAGE) === wanted) return false;
  session.remember(LANGUAGE, wanted);
  await speak(languageWanted());
  return true;
}

/** Shows the present address again, for example in another language. */
export function again() {
  shown?.controller.abort();
  shown = null;
  return start();
}

function languageWanted() {
  return choose([session.recall(LANGUAGE), ...navigator.languages]);
}

function route() {
  for (const each of ROUTES) {
    const found = each.pattern.exec(location.pathname);
    if (found) return { ...each, parameter: found[1] ?? "" };
  }
  return { pattern: null, load: () => import("./desk.js"), parameter: "" };
}

/** What stands behind # is taken once and removed at once: it stays in no history and in no screenshot. */
function takeFragment(target) {
  const values = new URLSearchParams(location.hash.slice(1));
  if (!location.hash.includes("=")) return null;
  history.replaceState(null, "", location.pathname + location.search);
  if (target.keepsFragment) return values;
  if (values.get("token") && !session.begin(values.get("token"))) session.end("expired");
  return null;
}

async function show() {
  const target = route();
  const fragment = takeFragment(target) ?? (shown?.load === String(target.load) ? shown.fragment : null);
  const isKnown = session.token() !== null;
  const main = document.getElementById("main");
  if (!target.isPublic && !isKnown) return signIn(main, target, fragment);
  const view = await loaded(target.load);
  const parameter = target.parameter;
  if (shown?.view === view && view.move) return view.move(parameter);
  shown?.controller.abort();
  const controller = new AbortController();
  shown = { view, controller, fragment, load: String(target.load) };
  main.className = view.layout ?? "sheet";
  main.replaceChildren();
  bar();
  entitle("");
  await view.show({ main, parameter, fragment, signal: controller.signal });
  return undefined;
}

async function signIn(main, target, fragment) {
  const { ask } = await loaded(() => import("./signin.js"));
  shown?.controller.abort();
  shown = { view: null, controller: new AbortController(), fragment, load: String(target.load) };
  main.className = "sheet";
  bar();
  ask(main, () => { void guarded(start); });
}

function bar() {
  const isKnown = session.token() !== null;
  document.getElementById("skip").textContent = say("app.skip");
  const home = el("a", { class: "home", href: "/console", "data-local": true }, el("b", {}, "Parley"));
  const who = session.user().replace(/^users\//, "");
  document.getElementById("bar").replaceChildren(
    home,
    ...(isKnown
      ? [el("nav", { "aria-label": say("app.account") },
        el("a", { class: "button", href: "/profile", "data-local": true, "aria-label": `${say("app.profile")}: ${who}` },
          icon("person"), el("span", { class: "who" }, who)),
        button(say("app.leave"), () => session.end("left"), { drawing: "exit", wordless: true }))]
      : []),
  );
}

async function guarded(work) {
  try {
    await work();
  } catch (error) {
    if (error?.name === "AbortError") return;
    console.error(error);
    const again = button(say("app.reload"), () => location.reload(), { kind: "primary" });
    document.getElementById("main").replaceChildren(trouble(say("reason.PAGE"), again));
  }
}

/** The language of the profile, once for each session, if that can be had without waiting for it. */
async function ownLanguage() {
  if (!session.token() || session.recall(LANGUAGE) !== null) return;
  const { get, path, pause } = await import("./api.js");
  const asked = get(path(`${session.user()}/profile`), {}, { attempts: 1 })
    .then(({ profile }) => session.remember(LANGUAGE, profile.locale || UNCHOSEN), () => {});
  await Promise.race([asked, pause(PATIENCE)]);
}

async function start() {
  const target = route();
  if (!target.keepsFragment) takeFragment(target);
  await ownLanguage();
  await speak(languageWanted());
  bar();
  await show();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-local]");
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if (link.pathname !== location.pathname) void go(link.pathname);
});
window.addEventListener("popstate", () => { void guarded(show); });
// Whoever comes by another link may be somebody else.
window.addEventListener("hashchange", () => { if (location.hash.includes("=")) void guarded(again); });
session.onEnd((reason) => {
  shown?.controller.abort();
  shown = null;
  entitle("");
  announce(say(`signin.${reason}`));
  void guarded(async () => {
    const { ask } = await loaded(() => import("./signin.js"));
    document.getElementById("main").className = "sheet";
    bar();
    ask(document.getElementById("main"), () => { void guarded(start); }, reason);
  });
});

void guarded(start);
