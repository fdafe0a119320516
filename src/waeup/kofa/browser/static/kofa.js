// Tells that work is under way. Everything works without this script, too.
"use strict";

document.addEventListener("submit", (event) => {
  const form = event.target;
  const button = event.submitter;
  if (!form.dataset.busy || !button || !button.classList.contains("main")) return;
  if (form.getAttribute("aria-busy") === "true") {
    // The first click is still being worked on.
    event.preventDefault();
    return;
  }
  form.setAttribute("aria-busy", "true");
  // The name and value of the button must be sent, so it is not disabled.
  button.textContent = form.dataset.busy;
  button.classList.add("busy");
});

// A page that comes back from the browser's cache is not busy any more.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) window.location.reload();
});
