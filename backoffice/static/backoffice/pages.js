// Copying, menus that close, and labels for lists on a narrow screen. Every page works without it.
"use strict";
{
  const copied = (button) => {
    button.classList.add("copied");
    setTimeout(() => button.classList.remove("copied"), 1400);
  };

  const copy = async (text, button) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      return; // not allowed here: the text itself can still be selected
    }
    copied(button);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.copy) copy(button.dataset.copy, button);
    if (button?.dataset.copyFrom) copy(document.getElementById(button.dataset.copyFrom).innerText, button);
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      for (const menu of document.querySelectorAll("details.menu[open]")) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
    }
  });

  document.addEventListener("DOMContentLoaded", () => {
    for (const table of document.querySelectorAll("table.listing")) {
      if (!table.tHead || !table.tBodies.length) continue;
      const names = Array.from(table.tHead.rows[0].cells, (cell) => cell.textContent.trim());
      for (const row of table.tBodies[0].rows) {
        Array.from(row.cells, (cell, index) => (cell.dataset.label = names[index]));
      }
    }
  });
}
