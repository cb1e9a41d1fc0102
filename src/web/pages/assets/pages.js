// What pages gain where scripts run; without them everything works as well.
"use strict";

// Times in the reader's own zone; English as most of the world writes dates.
const tongue = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
for (const element of document.querySelectorAll("time[datetime]")) {
  const at = new Date(element.dateTime);
  if (element.dateTime.includes("T") && !Number.isNaN(at.getTime())) {
    const shape = { dateStyle: "long", timeStyle: "short" };
    element.textContent = new Intl.DateTimeFormat(tongue, shape).format(at);
  }
}

// A form is sent once, however often its button is pressed; a page taken out of the browser's store begins anew.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  if (!form.hasAttribute("data-downloads")) {
    form.dataset.sent = "yes";
  }
});
addEventListener("pageshow", () => {
  for (const form of document.forms) {
    delete form.dataset.sent;
  }
});

// A summary of what is wrong is read out first.
document.querySelector("[data-focus]")?.focus();
