// Tells that a table with keys is too large before it is sent. The form works without this script, too.
"use strict";

document.querySelectorAll("form[data-keys-limit]").forEach((form) => {
  const limit = Number(form.dataset.keysLimit);
  const choice = form.querySelector("input[type=file]");
  const place = document.getElementById("limit-message");

  function tell() {
    const file = choice.files[0];
    place.hidden = !file || file.size <= limit;
    if (place.hidden) return;
    const words = { name: file.name, size: sizeText(file.size, "ceil"), limit: sizeText(limit) };
    place.textContent = form.dataset.tooLarge.replace(/\{(\w+)\}/g, (_, word) => words[word]);
  }

  choice.addEventListener("change", tell);
  form.addEventListener("submit", (event) => {
    tell();
    if (!place.hidden) event.preventDefault();
  });
});
