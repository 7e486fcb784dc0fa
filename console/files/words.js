// What the page says, in the language of the browser or of the profile, and how it writes times and amounts.

export const LANGUAGES = ["en", "de", "fr", "it", "es"];
const NAMES = { en: "English", de: "Deutsch", fr: "Français", it: "Italiano", es: "Español" };

let table = {};
let spoken = null;
const parts = new Set([""]);
let locale = "en";
let plural = new Intl.PluralRules("en");

/** The first of the wanted languages that the page speaks, with the region that dates follow. */
export function choose(wanted) {
  for (const each of wanted) {
    const language = String(each || "").toLowerCase().split("-")[0];
    if (LANGUAGES.includes(language)) return { language, locale: String(each) };
  }
  return { language: "en", locale: "en" };
}

/** Loads a language; what is shown already stays as it is. */
export async function speak(choice) {
  table = Object.assign({}, ...(await Promise.all([...parts].map((part) => fetched(choice.language, part)))));
  spoken = choice.language;
  try {
    locale = Intl.getCanonicalLocales(choice.locale)[0] ?? choice.language;
  } catch {
    locale = choice.language;
  }
  plural = new Intl.PluralRules(locale);
  document.documentElement.lang = choice.language;
}

/** Loads the words of a part of the page that not every visit needs. */
export async function learn(part) {
  if (parts.has(part)) return;
  Object.assign(table, await fetched(spoken, part));
  parts.add(part);
}

async function fetched(language, part) {
  const answer = await fetch(new URL(`./${language}${part && `-${part}`}.json`, import.meta.url));
  if (!answer.ok) throw new Error(`no words in ${language}`);
  return answer.json();
}

export const languageName = (code) => NAMES[code] ?? code;
export const has = (key) => key in table;

/** The sentence of that key; `{name}` in it is replaced by the value of that name. */
export function say(key, values = {}) {
  return (table[key] ?? key).replace(/\{(\w+)\}/g, (mark, name) => (name in values ? String(values[name]) : mark));
}

/** The sentence for a number of things: the keys end in `.one`, `.many` and `.other`. */
export function count(key, number) {
  const form = `${key}.${plural.select(number)}`;
  return say(form in table ? form : `${key}.other`, { count: new Intl.NumberFormat(locale).format(number) });
}

/** `google.type.Money` as people write it; digits are kept whatever their number. */
export function money(amount) {
  const units = BigInt(amount.units ?? 0);
  const nanos = Math.abs(amount.nanos ?? 0);
  const sign = units < 0n || (amount.nanos ?? 0) < 0 ? "-" : "";
  const text = `${sign}${units < 0n ? -units : units}.${String(nanos).padStart(9, "0")}`;
  try {
    return new Intl.NumberFormat(locale, { style: "currency", currency: amount.currencyCode }).format(text);
  } catch {
    return `${text} ${amount.currencyCode ?? ""}`;
  }
}

/** An amount so many times. */
export function times(amount, number) {
  const nanos = (BigInt(amount.units ?? 0) * 1_000_000_000n + BigInt(amount.nanos ?? 0)) * BigInt(number);
  return { ...amount, units: String(nanos / 1_000_000_000n), nanos: Number(nanos % 1_000_000_000n) };
}

/** Two amounts of one currency together. */
export function plus(one, other) {
  const nanos = [one, other].reduce((sum, each) => sum + BigInt(each.units ?? 0) * 1_000_000_000n + BigInt(each.nanos ?? 0), 0n);
  return { ...one, units: String(nanos / 1_000_000_000n), nanos: Number(nanos % 1_000_000_000n) };
}

/** How many digits a currency has behind the point. */
function places(currencyCode) {
  try {
    return new Intl.NumberFormat("en", { style: "currency", currency: currencyCode }).resolvedOptions().maximumFractionDigits;
  } catch {
    return 2;
  }
}

/** An amount as people type it. */
export function plain({ units = "0", nanos = 0, currencyCode }) {
  const point = new Intl.NumberFormat(locale).formatToParts(0.5).find(({ type }) => type === "decimal").value;
  const digits = String(nanos).padStart(9, "0").slice(0, places(currencyCode));
  return digits ? `${units}${point}${digits}` : String(units);
}

/**
 * What somebody typed as an amount; null where it is none. More digits behind a point or comma than the currency has
 * are none either: they would be thousands to some and fractions to others.
 */
export function amountOf(text, currencyCode) {
  const found = /^(\d{1,12})(?:[.,](\d+))?$/.exec(text.replace(/[\s'’]/g, ""));
  if (!found || (found[2] ?? "").length > places(currencyCode)) return null;
  return { currencyCode, units: String(BigInt(found[1])), nanos: Number((found[2] ?? "").padEnd(9, "0")) };
}

const made = new Map();
function written(options, moment) {
  const key = locale + JSON.stringify(options);
  if (!made.has(key)) made.set(key, new Intl.DateTimeFormat(locale, options));
  return made.get(key).format(moment);
}

export const clock = (text) => written({ hour: "numeric", minute: "2-digit" }, new Date(text));
export const dateAndTime = (text) => written({ dateStyle: "medium", timeStyle: "short" }, new Date(text));

/** The day as a heading: today and yesterday by their names. */
export function day(text, now = new Date()) {
  const moment = new Date(text);
  const days = Math.round((midnight(now) - midnight(moment)) / 86_400_000);
  if (days === 0 || days === 1) {
    const name = new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(-days, "day");
    return name.charAt(0).toLocaleUpperCase(locale) + name.slice(1);
  }
  const year = moment.getFullYear() === now.getFullYear() ? {} : { year: "numeric" };
  return written({ weekday: "long", day: "numeric", month: "long", ...year }, moment);
}

/** As short as a list has room for. */
export function brief(text, now = new Date()) {
  const moment = new Date(text);
  if (midnight(now).getTime() === midnight(moment).getTime()) return clock(text);
  const year = moment.getFullYear() === now.getFullYear() ? {} : { year: "2-digit" };
  return written({ day: "numeric", month: "short", ...year }, moment);
}

/** How long until then: `in 3 days`. */
export function until(text, now = new Date()) {
  const seconds = (new Date(text) - now) / 1000;
  const [size, unit] = [[86_400, "day"], [3_600, "hour"], [60, "minute"], [1, "second"]].find(([each]) => Math.abs(seconds) >= each) ?? [1, "second"];
  return new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(Math.trunc(seconds / size), unit);
}

export function bytes(size) {
  const number = Number(size);
  const [value, unit] = number >= 1_000_000 ? [number / 1_000_000, "megabyte"] : [Math.max(1, number / 1_000), "kilobyte"];
  return new Intl.NumberFormat(locale, { style: "unit", unit, maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
}

function midnight(moment) {
  return new Date(moment.getFullYear(), moment.getMonth(), moment.getDate());
}
