// Applies the chosen theme before the page is painted; without a choice the system's preference holds.
"use strict";
{
  const KEY = "theme";
  const root = document.documentElement;

  const chosen = () => {
    try {
      const theme = localStorage.getItem(KEY);
      return theme === "light" || theme === "dark" ? theme : "";
    } catch {
      return ""; // storage is switched off
    }
  };

  const isDark = () => {
    if (root.dataset.theme) return root.dataset.theme === "dark";
    return matchMedia("(prefers-color-scheme: dark)").matches;
  };

  const apply = (theme) => {
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    root.classList.toggle("dark-mode", isDark()); // what Swagger UI goes by
  };

  apply(chosen());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => apply(chosen()));

  document.addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll(".theme-toggle")) {
      button.hidden = false;
      button.addEventListener("click", () => {
        const theme = isDark() ? "light" : "dark";
        apply(theme);
        try {
          localStorage.setItem(KEY, theme);
        } catch {
          // The choice holds for this page alone.
        }
      });
    }
  });
}
