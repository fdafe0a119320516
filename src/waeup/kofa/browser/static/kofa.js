// Tells how far work is. Everything works without this script, too.
"use strict";

// On the window, thus after all others: what one of them keeps back is not at work.
window.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
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

// As the portal writes sizes: a thousand of a unit are one of the next. What is larger than a limit is
// rounded up, so that it is never said to be as large.
function sizeText(bytes, roundingMode = "halfExpand") {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const step = Math.max(0, units.findLastIndex((_, at) => bytes >= 1000 ** at));
  const unitDisplay = step ? "short" : "long";
  const form = { style: "unit", unit: units[step], unitDisplay, maximumFractionDigits: 1, roundingMode };
  return new Intl.NumberFormat(document.documentElement.lang, form).format(bytes / 1000 ** step);
}

// On a narrow screen the links of the head move sideways: the one of this page is to be seen.
const here = document.querySelector(".tabs [aria-current]");
if (here) {
  const links = here.closest("ul");
  links.scrollLeft = here.offsetLeft - links.offsetLeft - (links.clientWidth - here.offsetWidth) / 2;
}

// Returns a part of a page as the portal shows it now. Where there is none, the page as a whole is
// loaded, which will tell what is wrong.
async function fetchPart(address, id) {
  let part = null;
  try {
    const answer = await fetch(address, { cache: "no-store", redirect: "manual" });
    if (answer.ok) part = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
  } catch {
    // Not a word from the portal is no part either.
  }
  if (!part) window.location.replace(address);
  return part;
}

// Puts what the portal shows now into the place of `old`, a part of a page on which there are others.
async function renew(old) {
  const part = await fetchPart(old.dataset.part, old.id);
  if (!part) return;
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
  const part = await fetchPart(place.dataset.page, old.id);
  if (!part) return undefined;
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

  // The page of the run, not one of many on a list: its title tells those who look elsewhere.
  const isPage = !place.dataset.whole && !place.dataset.part;

  async function look() {
    if (!place.isConnected) return;
    if (document.hidden && !isPage) return again(1000);
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
    if (!run.is_active) return place.dataset.part ? renew(place) : showEnd(place, run);
    show(run);
    if (isPage) document.title = [run.texts.percent, title].filter(Boolean).join(" - ");
    return again(document.hidden ? 2500 : 1000);
  }

  const title = document.title;
  link.hidden = true;
  if (isPage) offerNotice(place);
  again(500);
}

const noticeKey = (place) => `notice ${place.dataset.status}`;

// Offers to tell the end of a run outside of the page: only to those who ask for it.
function offerNotice(place) {
  const button = place.querySelector("[data-notice]");
  if (!button || !("Notification" in window)) return;
  const answer = place.querySelector("[data-notice-answer]");
  const confirm = (isAllowed) => {
    button.hidden = true;
    answer.textContent = isAllowed ? button.dataset.yes : button.dataset.no;
  };
  if (sessionStorage.getItem(noticeKey(place))) return confirm(true);
  button.hidden = Notification.permission === "denied";
  button.addEventListener("click", async () => {
    const isAllowed = (await Notification.requestPermission()) === "granted";
    if (isAllowed) sessionStorage.setItem(noticeKey(place), "yes");
    confirm(isAllowed);
    answer.focus();
  });
}

// Tells that a run is over, and shows its page.
function showEnd(place, run) {
  if (run.texts) {
    const words = `${place.dataset.name}: ${run.texts.said}`;
    sessionStorage.setItem("over", words);
    try {
      if (sessionStorage.getItem(noticeKey(place))) new Notification(words, { tag: run.id });
    } catch {
      // Some telephones show notices by other ways only; the page tells it, too.
    }
  }
  sessionStorage.removeItem(noticeKey(place));
  window.location.replace(place.dataset.page);
}

// The page that follows the progress of a run tells its end to those who listen.
function tellEnd() {
  const words = sessionStorage.getItem("over");
  if (!words) return;
  sessionStorage.removeItem("over");
  const place = Object.assign(document.createElement("p"), { className: "unseen", role: "status" });
  place.id = "over";
  document.getElementById("main").append(place);
  setTimeout(() => (place.textContent = words), 300);
}

tellEnd();
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

// The keyboard goes to what is asked or refused, or to what the address leads to.
function focusPlace() {
  const place = document.querySelector("[data-focus]") || document.getElementById(window.location.hash.slice(1));
  if (place && place.hasAttribute("tabindex")) place.focus();
}

focusPlace();

// Copies what is shown only once; where the browser does not allow that, there is no button.
document.querySelectorAll("[data-copy]").forEach((button) => {
  if (!navigator.clipboard) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = button.dataset.done;
  });
});

// A page that comes back from the browser's cache is not busy any more.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) window.location.reload();
});
