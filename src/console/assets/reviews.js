// Questions are answered from the keyboard: s, d, l. Not while somebody writes, and not with a modifier.
"use strict";

(() => {
  const form = document.getElementById("answer");
  if (!form) {
    return;
  }
  document.addEventListener("keydown", (event) => {
    const writes = event.target.closest("input, textarea, select");
    if (writes || event.ctrlKey || event.metaKey || event.altKey || event.repeat) {
      return;
    }
    const button = form.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
    if (button) {
      event.preventDefault();
      button.click();
    }
  });
})();
