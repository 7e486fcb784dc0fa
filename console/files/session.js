// Who works here: a token that lives as long as this tab does, and what it says about its owner.

const TOKEN = "parley.token";
const SEAT = "parley.seat";
const USER = "parley.user";
const listeners = new Set();
let claims = read(sessionStorage.getItem(TOKEN));

function read(token) {
  try {
    const text = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const found = JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(text), (char) => char.charCodeAt(0))));
    return typeof found.sub === "string" ? found : null;
  } catch {
    return null;
  }
}

/** Keeps a token. False where it is none, or over: whether it is true, only the API can say. */
export function begin(token) {
  const found = read(token);
  if (found === null || (found.exp ?? Infinity) * 1000 <= Date.now()) return false;
  // What somebody has not sent yet waits for him, and for nobody else.
  if (found.sub !== sessionStorage.getItem(USER)) sessionStorage.clear();
  sessionStorage.setItem(USER, found.sub);
  sessionStorage.setItem(TOKEN, token);
  claims = found;
  return true;
}

/** Ends the session and tells the page why: `expired`, or `left`, after which nothing is remembered. */
export function end(reason) {
  if (reason === "left") sessionStorage.clear();
  else sessionStorage.removeItem(TOKEN);
  claims = null;
  for (const listener of listeners) listener(reason);
}

export const onEnd = (listener) => { listeners.add(listener); };
export const token = () => (claims ? sessionStorage.getItem(TOKEN) : null);
export const user = () => claims?.sub ?? "";

/** What its owner can look from: as a buyer, or for one of his teams. */
export function seats() {
  const roles = Array.isArray(claims?.roles) ? claims.roles.map(String) : [];
  const teams = roles.filter((role) => role.startsWith("seller:")).map((role) => `sellers/${role.split(":")[1]}`);
  return [...(roles.includes("buyer") ? [""] : []), ...new Set(teams)];
}

/** The seat that was taken last, `sellers/{seller}` or empty for a buyer. */
export function seat() {
  const kept = sessionStorage.getItem(SEAT);
  return seats().includes(kept) ? kept : seats()[0] ?? "";
}

export const sit = (name) => sessionStorage.setItem(SEAT, name);

/** What a tab remembers until it is closed, as JSON. */
export function recall(key) {
  try {
    return JSON.parse(sessionStorage.getItem(`parley.${key}`));
  } catch {
    return null;
  }
}

export function remember(key, value) {
  try {
    if (value === null || value === "") sessionStorage.removeItem(`parley.${key}`);
    else sessionStorage.setItem(`parley.${key}`, JSON.stringify(value));
  } catch {
    // A full storage keeps nobody from writing.
  }
}
