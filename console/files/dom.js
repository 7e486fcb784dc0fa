// Builds what is shown. Whatever people wrote becomes text, never markup: there is no other way in here.

const SVG = "http://www.w3.org/2000/svg";
const PATHS = {
  back: "M15 5l-7 7 7 7",
  send: "M4 12l16-8-6 16-3-7z",
  clip: "M20 11l-8.500 8.500a5 5 0 0 1-7-7L13 4a3.300 3.300 0 0 1 4.700 4.700l-8.400 8.400a1.700 1.700 0 0 1-2.400-2.400L14.500 7",
  more: "M12 5.500v.01M12 12v.01M12 18.500v.01",
  close: "M6 6l12 12M18 6L6 18",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.500 20c.8-3.600 3.800-5.500 7.500-5.500s6.700 1.900 7.500 5.500",
  exit: "M10 5H5v14h5M14 8l4 4-4 4M18 12H9",
  file: "M7 3h7l4 4v14H7zM14 3v4h4",
  down: "M12 4v11M7 11l5 5 5-5M5 20h14",
  check: "M5 12.500l4.500 4.500L19 7.500",
  inbox: "M4 13l3-8h10l3 8v6H4zM4 13h5l1 2.500h4l1-2.500h5",
  refresh: "M19 12a7 7 0 1 1-2-5M19 4v4h-4",
};

/** An element. Attributes beginning with `on` are listeners; strings among the children become text. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled" || name === "hidden") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** A drawing beside a word that says the same, so that nobody has to be told of it. */
export function icon(name) {
  const drawing = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  drawing.setAttribute("viewBox", "0 0 24 24");
  drawing.setAttribute("class", `icon icon-${name}`);
  drawing.setAttribute("aria-hidden", "true");
  path.setAttribute("d", PATHS[name]);
  drawing.append(path);
  return drawing;
}

/** A button with a word, or with a drawing whose word is heard and shown on hover. */
export function button(label, onclick, { kind = "", drawing = "", wordless = false, ...attributes } = {}) {
  const content = wordless ? [icon(drawing)] : drawing ? [icon(drawing), el("span", {}, label)] : [label];
  const names = wordless ? { "aria-label": label, title: label } : {};
  const classes = `button ${kind}${wordless ? " wordless" : ""}`.trim();
  return el("button", { type: "button", class: classes, onclick, ...names, ...attributes }, ...content);
}

const ADDRESS = /https?:\/\/[^\s<>"'`\u0000-\u001f\u200b-\u200f\u202a-\u202e\u2066-\u2069]+/gi;

/** Text whose addresses can be followed: http and https only, as they are written, into a window of their own. */
export function written(text) {
  const parts = [];
  let end = 0;
  for (const found of text.matchAll(ADDRESS)) {
    // What closes a sentence or a bracket does not belong to the address.
    const address = found[0].replace(/[.,;:!?)\]}»”’]+$/u, "");
    if (!followed(address)) continue;
    parts.push(text.slice(end, found.index), el("a", { href: address, target: "_blank", rel: "noopener noreferrer nofollow" }, address));
    end = found.index + address.length;
  }
  parts.push(text.slice(end));
  return parts;
}

function followed(address) {
  try {
    const url = new URL(address);
    return (url.protocol === "https:" || url.protocol === "http:") && !url.username && !url.password;
  } catch {
    return false;
  }
}

/** What people wrote, on a line beside what the page says: without marks that would turn the rest around. */
export function line(text) {
  return String(text).replace(/[\u0000-\u001f\u202a-\u202e\u2066-\u2069]+/g, " ");
}

/** Tells people who hear the page what changed; those who see it see it. */
export function announce(text) {
  const status = document.getElementById("status");
  status.textContent = "";
  requestAnimationFrame(() => { status.textContent = text; });
}

/** Something short that passes by itself, shown and heard. */
export function toast(text) {
  for (const older of document.querySelectorAll(".toast")) older.remove();
  const shown = el("div", { class: "toast" }, text);
  document.body.append(shown);
  announce(text);
  setTimeout(() => shown.remove(), 5000);
}

/** A box of trouble in words. */
export function trouble(text, again) {
  return el("div", { class: "trouble", role: "alert" }, el("p", {}, text), again ?? null);
}

/** A labelled field. */
export function field(label, input, hint) {
  const id = input.id || `f${Math.random().toString(36).slice(2, 9)}`;
  input.id = id;
  if (hint) input.setAttribute("aria-describedby", `${id}-hint`);
  return el("div", { class: "field" }, el("label", { for: id }, label), input,
    hint ? el("p", { class: "hint", id: `${id}-hint` }, hint) : null);
}

/** The lines that stand where something will be, so that nothing moves when it comes. */
export function waiting() {
  return el("p", { class: "waiting", "aria-hidden": "true" }, el("i"), el("i"), el("i"));
}

/** Loads a style that not every visit needs; done when it is there, so that nothing is seen without it. */
export function dress(name) {
  const href = new URL(`./${name}`, import.meta.url).href;
  const known = [...document.styleSheets].some((each) => each.href === href);
  return known ? Promise.resolve() : new Promise((resolve, reject) => {
    document.head.append(el("link", { rel: "stylesheet", href, onload: resolve, onerror: () => reject(new Error(`no ${name}`)) }));
  });
}
