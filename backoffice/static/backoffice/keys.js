// Keys: `g` and a letter goes to a page, `j` and `k` walk a list, `a` and `r` decide in a queue, `?` lists them all.
"use strict";
{
  const LONGEST_PAUSE_MS = 1200;
  let wentAt = -Infinity;

  const help = () => document.getElementById("key-help");
  const rows = () => [...document.querySelectorAll("table.listing tbody tr, [data-row]")];
  const marked = () => document.querySelector("[data-marked]");

  const mark = (row) => {
    if (!row) return;
    marked()?.removeAttribute("data-marked");
    row.setAttribute("data-marked", "");
    row.tabIndex = -1;
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  };

  const step = (by) => {
    const all = rows();
    const at = all.indexOf(marked());
    mark(all[Math.min(Math.max(at + by, 0), all.length - 1)]);
  };

  // A decision is looked for in the marked row first, then on a page that has a single one.
  const decide = (name) => {
    const inRow = marked()?.querySelector(`[data-decides="${name}"]`);
    const onPage = document.querySelectorAll(`[data-decides="${name}"]`);
    const control = inRow ?? (onPage.length === 1 ? onPage[0] : null);
    control?.click();
    return control !== null;
  };

  const actions = {
    "/": () => document.getElementById("site-search")?.focus(),
    "?": () => help()?.showModal(),
    j: () => step(1),
    k: () => step(-1),
    x: () => marked()?.querySelector("input[type=checkbox]")?.click(),
    a: () => decide("approve"),
    r: () => decide("reject"),
    g: () => (wentAt = performance.now()),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (performance.now() - wentAt < LONGEST_PAUSE_MS) {
      wentAt = -Infinity;
      const link = document.querySelector(`a[data-go="${CSS.escape(event.key)}"]`);
      if (link) {
        event.preventDefault();
        link.click();
      }
      return;
    }
    if (event.key === "Enter" && event.target === marked()) {
      marked().querySelector("a[href]")?.click();
      return;
    }
    const action = actions[event.key];
    if (action) {
      event.preventDefault();
      action();
    }
  });

  document.addEventListener("DOMContentLoaded", () => {
    for (const opener of document.querySelectorAll("[data-opens]")) {
      opener.hidden = false;
      opener.addEventListener("click", () => document.getElementById(opener.dataset.opens).showModal());
    }
  });
}
