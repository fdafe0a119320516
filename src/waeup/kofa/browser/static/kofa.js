// Tells that work is under way, and that a file is too large before it is sent. Everything works without this script, too.
"use strict";

function sizeText(bytes) {
  return bytes < 1048576 ? Math.ceil(bytes / 1024) + " kB" : (bytes / 1048576).toFixed(1) + " MB";
}

// Why the files that are chosen in `form` cannot be sent, or "".
function tooLarge(form) {
  const limit = Number(form.dataset.limit);
  const files = Array.from(form.querySelector("input[type=file]").files);
  const file = files.find((each) => each.size > limit);
  const size = file ? file.size : files.reduce((sum, each) => sum + each.size, 0);
  if (size <= limit) return "";
  const words = { name: file && file.name, size: sizeText(size), limit: sizeText(limit) };
  const text = file ? form.dataset.tooLarge : form.dataset.tooMany;
  return text.replace(/\{(\w+)\}/g, (_, word) => words[word]);
}

function tellLimit(form) {
  const place = document.getElementById("limit-message");
  place.textContent = tooLarge(form);
  place.hidden = !place.textContent;
  return place.hidden;
}

document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (event.target.type === "file" && form && form.dataset.limit) tellLimit(form);
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  const button = event.submitter;
  if (form.dataset.limit && !(button && button.formNoValidate) && !tellLimit(form)) {
    event.preventDefault();
    return;
  }
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
