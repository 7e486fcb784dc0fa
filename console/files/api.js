// Calls the HTTP API. A write carries a key, so that asking again after a lost answer does nothing twice.

import * as session from "./session.js";
import { has, say, until } from "./words.js";

const SECONDS = 20;
const ATTEMPTS = 4;
const PASSING = new Set([429, 502, 503, 504]);
/** Why there was no answer at all. */
const UNREACHABLE = "UNREACHABLE";

/** A refusal with its reason, or a failure to get any answer. */
export class Problem extends Error {
  constructor(status, body = {}) {
    super(body.reason ?? UNREACHABLE);
    this.status = status;
    this.reason = body.reason ?? UNREACHABLE;
    this.detail = body.detail ?? "";
    this.metadata = body.metadata ?? {};
    this.violations = body.violations ?? [];
    this.retryAfter = 0;
  }

  /** Whether the same call may still succeed: nobody knows whether it was done. */
  get isPassing() {
    return this.status === 0 || PASSING.has(this.status);
  }
}

/** The refusal in words of the page's language; what it has none for is said in those of the API. */
export function explain(problem) {
  if (!(problem instanceof Problem)) return say("reason.PAGE");
  const { reason, metadata, violations, detail } = problem;
  if (reason === "VALIDATION_FAILED" || reason === "MALFORMED_REQUEST") {
    const named = violations.map((each) => each.description).filter(Boolean).join("; ") || detail;
    return `${say("reason.VALIDATION_FAILED")} ${named}`.trim();
  }
  const values = { ...metadata, retry: until(Date.now() + (problem.retryAfter || 60) * 1000) };
  if (reason === "INTERNAL") return say(metadata.support ? "reason.INTERNAL" : "reason.UNKNOWN", values);
  return has(`reason.${reason}`) ? say(`reason.${reason}`, values) : `${say("reason.UNKNOWN")} ${detail} (${reason})`;
}

export const newKey = () => crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export const get = (path, query, options) => call("GET", path, { query, ...options });

/** A write. `key` is to be the same when one and the same thing is tried again. */
export const post = (path, body = {}, { key = newKey(), ...options } = {}) => call("POST", path, { body, key, ...options });

export const patch = (path, body, query, { key = newKey(), ...options } = {}) => call("PATCH", path, { body, query, key, ...options });

/** The path of a resource name, each part of it as data. */
export const path = (name, verb = "") => `/v1/${name.split("/").map(encodeURIComponent).join("/")}${verb}`;

export function headers(more = {}) {
  return { authorization: `Bearer ${session.token()}`, ...more };
}

/** The refusal of an answer; a session that is over ends here. */
export async function refusal(answer) {
  let body = {};
  try {
    body = await answer.json();
  } catch {
    // Something between here and the gateway answered.
  }
  const problem = new Problem(answer.status, { reason: answer.status >= 500 ? UNREACHABLE : "UNKNOWN", ...body });
  problem.retryAfter = Number(answer.headers.get("retry-after")) || 0;
  if (answer.status === 401) session.end("expired");
  return problem;
}

async function call(method, where, { attempts = ATTEMPTS, signal, ...request } = {}) {
  for (let attempt = 1; ; attempt += 1) {
    const problem = await once(method, where, { ...request, signal }).catch((error) => {
      if (error instanceof Problem) return error;
      throw error;
    });
    if (!(problem instanceof Problem)) return problem;
    if (!problem.isPassing || attempt >= attempts || problem.retryAfter > 5) throw problem;
    await pause(Math.max(problem.retryAfter * 1000, 300 * 2 ** attempt * (0.5 + Math.random())), signal);
  }
}

async function once(method, where, { query = {}, body, key, link, isPublic = false, signal }) {
  const url = new URL(where, location.origin);
  for (const [name, value] of Object.entries(query)) {
    if (value !== "" && value !== undefined && value !== false) url.searchParams.set(name, value);
  }
  const more = {
    ...(body === undefined ? {} : { "content-type": "application/json" }),
    ...(key ? { "idempotency-key": key } : {}),
    ...(link ? { "parley-link": link } : {}),
  };
  // What needs nobody is not to fail because of a session that is over.
  const sent = isPublic ? more : headers(more);
  const limit = AbortSignal.timeout(SECONDS * 1000);
  let answer;
  try {
    answer = await fetch(url, {
      method,
      headers: sent,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? either(signal, limit) : limit,
      credentials: "omit",
      cache: "no-store",
    });
    if (answer.ok) return await answer.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0);
  }
  throw await refusal(answer);
}

/** A signal that follows two; `AbortSignal.any` is younger than some phones. */
function either(first, second) {
  if (AbortSignal.any) return AbortSignal.any([first, second]);
  const both = new AbortController();
  for (const each of [first, second]) {
    if (each.aborted) both.abort(each.reason);
    each.addEventListener("abort", () => both.abort(each.reason), { once: true });
  }
  return both.signal;
}

/** Waits, unless the view that waits is left; then it throws like an aborted call. */
export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => { clearTimeout(timer); reject(signal.reason); };
    const timer = setTimeout(() => { signal?.removeEventListener("abort", stop); resolve(); }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
