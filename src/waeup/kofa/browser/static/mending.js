// Keeps what is entered for rows that fail as soon as it is entered. Everything works without this script, too.
"use strict";

const said = document.getElementById("mend-said");
// What is on its way; nobody leaves the page by a button before it has arrived.
const underWay = new Set();
// Bytes that a browser sends to their end for all pages that were left.
const KEPT_ALIVE = 32768;

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = !text;
}

function showCell(form, cell, sent) {
  const input = form.querySelector(`[data-cell="${cell.position}"]`);
  if (!input) return;
  // What somebody is writing meanwhile stays.
  const isUntouched = !(cell.position in sent) || input.value === sent[cell.position];
  input.defaultValue = cell.text;
  if (isUntouched) input.value = cell.text;
  put(document.getElementById(`${input.id}-wrong`), cell.message);
  put(document.getElementById(`${input.id}-was`), cell.was);
  if (cell.message) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

function showRow(form, row, sent) {
  const item = form.closest("article");
  row.cells.forEach((cell) => showCell(form, cell, sent));
  const list = form.querySelector("[data-messages]");
  list.replaceChildren(
    ...row.messages.map((text) => Object.assign(document.createElement("li"), { className: "wrong", textContent: text })),
  );
  list.hidden = !row.messages.length;
  const verdict = form.querySelector("[data-verdict]");
  put(verdict, row.verdict);
  verdict.className = `badge badge-${row.look || "calm"}`;
  item.className = `mend-row ${row.look ? `mend-${row.look}` : ""}`;
  delete form.dataset.untried;
  if (row.is_corrected) delete form.dataset.damaged;
  else if (form.dataset.wasDamaged) form.dataset.damaged = "yes";
  const back = form.querySelector("button[name=uncorrect]");
  if (!row.is_corrected && document.activeElement === back) item.focus();
  back.hidden = !row.is_corrected;
}

// The table was corrected since the check, or is again as it was then.
function showState(row) {
  document.querySelectorAll("[data-since]").forEach((place) => put(place, row.since_text));
  document.querySelectorAll("[data-when=corrected]").forEach((place) => (place.hidden = !row.since));
  document.querySelectorAll("[data-when=checked]").forEach((place) => (place.hidden = Boolean(row.since)));
  document.querySelectorAll("[data-check]").forEach((button) => button.classList.toggle("main", Boolean(row.since)));
}

function refuse(form, text) {
  put(form.querySelector("[data-error]"), text);
  said.textContent = "";
}

// Gets the token of a session that has begun since the page was loaded; tells whether there is one.
async function renewToken() {
  const answer = await fetch(window.location.href, { cache: "no-store", redirect: "manual" });
  if (!answer.ok) return false;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const found = page.querySelector("#mend [name=form_token]");
  if (found) document.querySelectorAll("[name=form_token]").forEach((field) => (field.value = found.value));
  return Boolean(found);
}

// Sends texts of a row, or that its correction is taken back, and shows what the portal says of it.
async function send(form, fields, sent, isQuiet) {
  const body = new URLSearchParams(fields);
  for (const name of ["form_token", "draft", "checked", "row"]) body.set(name, form.elements[name].value);
  form.setAttribute("aria-busy", "true");
  // What is sent is to arrive when the page is left, too; browsers do that for short texts only.
  const keepalive = body.toString().length < KEPT_ALIVE;
  const ask = () => fetch(form.dataset.mend, { method: "POST", body, cache: "no-store", redirect: "manual", keepalive });
  try {
    let answer = await ask();
    if (answer.status === 403 && (await renewToken())) {
      body.set("form_token", form.elements.form_token.value);
      answer = await ask();
    }
    // The way to the log-in page.
    if (answer.type === "opaqueredirect") return refuse(form, document.getElementById("mend").dataset.out);
    const isJson = (answer.headers.get("Content-Type") || "").startsWith("application/json");
    if (!isJson) return refuse(form, document.getElementById("mend").dataset.lost);
    const row = await answer.json();
    if (!answer.ok) return refuse(form, row.error);
    put(form.querySelector("[data-error]"), "");
    showRow(form, row, sent);
    showState(row);
    if (!isQuiet) said.textContent = row.said;
  } catch {
    refuse(form, document.getElementById("mend").dataset.lost);
  } finally {
    form.removeAttribute("aria-busy");
  }
}

// One after the other for each row, so that the last word is the last that was entered.
function queue(form, work) {
  const turn = (form.turn || Promise.resolve()).then(work);
  form.turn = turn;
  underWay.add(turn);
  turn.finally(() => underWay.delete(turn));
}

function save(form, isAsked) {
  queue(form, async () => {
    const isDamaged = Boolean(form.dataset.damaged);
    // The cells of a damaged row are right together, or not at all.
    if (isDamaged && !isAsked) return;
    const inputs = Array.from(form.querySelectorAll("[data-cell]")).filter(
      (input) => isDamaged || input.value !== input.defaultValue,
    );
    const isNew = inputs.length || !form.querySelector("button[name=uncorrect]").hidden;
    if (!isNew) return isAsked ? refuse(form, document.getElementById("mend").dataset.same) : undefined;
    if (!inputs.length && !isAsked) return;
    const sent = Object.fromEntries(inputs.map((input) => [input.dataset.cell, input.value]));
    await send(form, Object.fromEntries(inputs.map((input) => [input.name, input.value])), sent);
  });
}

document.querySelectorAll("form[data-mend]").forEach((form) => {
  if (form.dataset.damaged) form.dataset.wasDamaged = "yes";
  form.addEventListener("change", (event) => {
    if (event.target.dataset.cell) save(form, false);
  });
  form.addEventListener("submit", (event) => {
    const name = event.submitter ? event.submitter.name : "correct";
    if (name === "correct") {
      event.preventDefault();
      save(form, true);
    } else if (name === "uncorrect") {
      event.preventDefault();
      queue(form, () => send(form, { uncorrect: "1" }, {}));
    }
  });
});

// What is on its way arrives before the page is left by a button.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || !underWay.size) return;
  event.preventDefault();
  const { target, submitter } = event;
  Promise.allSettled(underWay).then(() => target.requestSubmit(submitter));
});

// What was corrected before is tried, one row after the other.
async function tryRows() {
  for (const form of document.querySelectorAll("form[data-untried]")) {
    if (form.dataset.untried && !form.turn) await send(form, {}, {}, true);
  }
}

tryRows();
