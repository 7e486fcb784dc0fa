"use strict";
(() => {
  const filter = document.getElementById("filter");
  const menu = document.getElementById("menu");
  const articles = [...document.querySelectorAll("main article")];
  const texts = new Map(articles.map((a) => [a, a.textContent.toLowerCase()]));
  const links = [...document.querySelectorAll("nav li")];
  const groups = [...document.querySelectorAll("main > section")].filter((s) => s.id !== "start");
  const headings = new Map(
    [...document.querySelectorAll("nav h2")].map((h) => [h.firstElementChild.hash.slice(1), h]));
  const nothing = document.getElementById("nothing");

  const apply = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = new Set();
    for (const article of articles) {
      const text = texts.get(article);
      const matches = words.every((word) => text.includes(word));
      article.hidden = !matches;
      if (matches) shown.add(article.id);
    }
    for (const link of links) link.hidden = !shown.has(link.firstElementChild.hash.slice(1));
    for (const group of groups) {
      group.hidden = !group.querySelector("article:not([hidden])");
      headings.get(group.id).hidden = group.hidden;
    }
    document.getElementById("start").hidden = words.length > 0;
    nothing.hidden = shown.size > 0;
  };

  let waiting = 0;
  filter.addEventListener("input", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => { apply(); window.scrollTo(0, 0); });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== filter) {
      event.preventDefault();
      filter.focus();
    } else if (event.key === "Escape" && document.activeElement === filter) {
      filter.value = "";
      apply();
    }
  });
  // A link may lead to something that the filter hides.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (!link) return;
    menu.checked = false;
    const target = document.getElementById(link.hash.slice(1));
    if (target && target.closest("[hidden]")) { filter.value = ""; apply(); }
  });

  if (location.protocol.startsWith("http")) {
    for (const code of document.querySelectorAll("pre code")) {
      code.textContent = code.textContent.replace("http://127.0.0.1:8080", location.origin);
    }
  }
  if (navigator.clipboard) {
    for (const button of document.querySelectorAll(".copy")) {
      button.hidden = false;
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = "Copy"; }, 1200);
      });
    }
  }
})();
