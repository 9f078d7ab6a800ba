// Small helpers; everything else is HTML and htmx. No inline handlers: data attributes only.
(() => {
  "use strict";
  const live = () => document.getElementById("live");
  const say = (text) => { const region = live(); if (region) region.textContent = text; };

  // Copy buttons: data-copy names the element to copy. Without permission the text is selected.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    if (!source) return;
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      say(button.dataset.copied || "Copied");
    } catch {
      const range = document.createRange();
      range.selectNodeContents(source);
      const selection = getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
    }
  });

  // A destructive button is enabled by typing the name.
  document.addEventListener("input", (event) => {
    const field = event.target.closest("[data-confirm]");
    if (!field) return;
    const button = field.form && field.form.querySelector("[data-confirmed]");
    if (button) button.disabled = field.value.trim() !== field.dataset.confirm;
  });

  // Only one header menu is open; Escape and a click outside close it.
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  // After a refused form, the first field with an error has the focus.
  const focusError = () => {
    const field = document.querySelector("[aria-invalid=true]");
    if (field) field.focus();
  };
  document.addEventListener("DOMContentLoaded", focusError);
  document.addEventListener("htmx:after:swap", focusError);
})();
