// Tells how far work is. Everything works without this script, too.
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

// Puts what the portal shows now into the place of `old`, a part of a page on which there are others.
async function renew(old) {
  let part = null;
  try {
    const answer = await fetch(old.dataset.part, { cache: "no-store", redirect: "manual" });
    if (answer.ok) part = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(old.id);
  } catch {
    // The page as a whole will tell what is wrong.
  }
  if (!part) return window.location.replace(old.dataset.part);
  const hadFocus = old.contains(document.activeElement);
  old.replaceWith(document.adoptNode(part));
  if (part.dataset.status) watchRun(part);
  if (hadFocus) part.querySelector("a.button, button").focus();
  const said = ["name", "live=said"].map((mark) => part.querySelector(`[data-${mark}]`).textContent);
  document.getElementById(part.dataset.told).textContent = said.join(": ");
}

// Whether somebody has just entered something into `part`, or is about to.
function isTouched(part) {
  return Array.from(part.querySelectorAll("input:not([type=hidden]), select")).some((field) => {
    if (field === document.activeElement) return true;
    return field.type === "checkbox" ? field.checked !== field.defaultChecked : "defaultValue" in field && field.value !== field.defaultValue;
  });
}

// Puts what the portal shows now into the place of the part that the run of `place` is told in.
async function renewAll(place, run) {
  const old = document.getElementById(place.dataset.whole);
  const name = place.querySelector("[data-name]").textContent;
  const said = run.texts ? run.texts.said : "";
  const tellAll = () => (document.getElementById(place.dataset.told).textContent = `${name}: ${said}`);
  if (said && isTouched(old)) {
    place.querySelector("[data-live=said]").textContent = said;
    place.querySelector("[data-look]").hidden = false;
    return tellAll();
  }
  let part = null;
  try {
    const answer = await fetch(place.dataset.page, { cache: "no-store", redirect: "manual" });
    if (answer.ok) part = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(old.id);
  } catch {
    // The page as a whole will tell what is wrong.
  }
  if (!part) return window.location.replace(place.dataset.page);
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  old.replaceWith(document.adoptNode(part));
  part.querySelectorAll("[data-status]").forEach(watchRun);
  if (focused) {
    const isSame = (other) => ["name", "value", "href"].every((mark) => other[mark] === focused[mark]);
    const same = Array.from(part.querySelectorAll(focused.tagName)).find(isSame);
    (same || part.querySelector("section")).focus();
  }
  return tellAll();
}

// Tells how far the run of `place` is, again and again; when it is over, its page shows what came of it.
function watchRun(place) {
  const link = place.querySelector("[data-look]");
  const said = place.querySelector("[data-live=said]");
  const again = (pause) => setTimeout(look, pause);
  const tell = (element, text) => {
    // What stays the same is not told once more to those who listen.
    if (element.textContent !== text) element.textContent = text;
  };

  function show(run) {
    for (const [name, text] of Object.entries(run.texts)) {
      const element = place.querySelector(`[data-live=${name}]`);
      if (element) tell(element, text);
    }
    if (run.fraction) place.querySelector("progress").value = run.fraction;
    link.hidden = true;
  }

  async function look() {
    if (!place.isConnected) return;
    if (document.hidden) return again(1000);
    let run;
    try {
      const answer = await fetch(place.dataset.status, { cache: "no-store", redirect: "manual" });
      if (answer.status >= 500) throw new Error(answer.statusText);
      // Logged out meanwhile, or the run is not there any more: the page says so.
      run = answer.ok ? await answer.json() : { is_active: false };
    } catch {
      tell(said, place.dataset.lost);
      link.hidden = false;
      return again(5000);
    }
    if (!run.is_active && place.dataset.whole) return renewAll(place, run);
    if (!run.is_active) return place.dataset.part ? renew(place) : window.location.replace(place.dataset.page);
    show(run);
    return again(1000);
  }

  link.hidden = true;
  again(500);
}

document.querySelectorAll("[data-status]").forEach(watchRun);

// Offers only modes that the chosen processor has.
function offerModes(choice) {
  const fieldset = document.querySelector(`[data-modes-of=${choice.id}]`);
  const modes = choice.selectedOptions[0].dataset.modes;
  const boxes = Array.from(fieldset.querySelectorAll("input"));
  for (const box of boxes) box.closest("p").hidden = Boolean(modes) && !modes.split(" ").includes(box.value);
  const checked = boxes.find((box) => box.checked);
  if (checked && !checked.closest("p").hidden) return;
  const other = boxes.find((box) => !box.disabled && !box.closest("p").hidden);
  if (other) other.checked = true;
}

document.querySelectorAll("[data-modes-of]").forEach((fieldset) => {
  const choice = document.getElementById(fieldset.dataset.modesOf);
  choice.addEventListener("change", () => offerModes(choice));
  offerModes(choice);
});

// A page that comes back from the browser's cache is not busy any more.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) window.location.reload();
});
