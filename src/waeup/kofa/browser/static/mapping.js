// Steps 2 and 3 of an import: what is changed is sent at once, and the parts of the page that change
// with it are renewed. Without this script the buttons of the page do the same.
"use strict";

// Sends a form after changes, one request at a time, and hands the parts of the answer over.
class Sender {
  constructor(form, fields, show, fail) {
    Object.assign(this, { form, fields, show, fail });
    this.changes = 0;
    this.sent = 0;
    this.leave = null;
    this.isLeft = false;
  }

  later(pause) {
    // A field that was typed into says so once more when it is replaced.
    if (this.isShowing) return;
    this.changes += 1;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), pause);
  }

  // Whether something was changed since the request that is under way.
  get isBehind() {
    return this.changes > this.sent;
  }

  // Lets a form of the page go when nothing is under way any more; a request that is overtaken by
  // the form would undo it. Changes that are not in that form are sent before.
  hold(event, hasChanges) {
    clearTimeout(this.timer);
    if (hasChanges) this.sent = this.changes;
    if (!this.isSending && !this.isBehind) return;
    event.preventDefault();
    this.isLeft = hasChanges;
    this.leave = () => event.target.requestSubmit(event.submitter);
    this.send();
  }

  async send() {
    if (this.isSending) return;
    this.isSending = true;
    this.sent = this.changes;
    let isOk = false;
    try {
      const data = new URLSearchParams(new FormData(this.form));
      data.delete("mapping_name");
      for (const [name, value] of Object.entries(this.fields)) data.set(name, value);
      // The action of a form is hidden by a field of that name, so it is read as it was written.
      const address = this.form.getAttribute("action");
      const answer = await fetch(address, { method: "POST", body: data, cache: "no-store", redirect: "manual" });
      // The import was ordered, given up or read anew meanwhile, or its officer has logged out.
      if (answer.type === "opaqueredirect") return window.location.reload();
      if (answer.status >= 500) throw new Error(answer.statusText);
      const parts = new DOMParser().parseFromString(await answer.text(), "text/html");
      isOk = answer.ok;
      this.isShowing = true;
      if (!this.isLeft) this.show(parts, isOk);
    } catch {
      if (!this.isLeft) this.fail(this.form.dataset.lost);
    } finally {
      this.isShowing = false;
      this.isSending = false;
    }
    if (this.isBehind && !this.isLeft) return this.later(300);
    const leave = this.leave;
    this.leave = null;
    if (leave && (isOk || this.isLeft)) leave();
  }
}

// Shows or hides a message; what stays the same is not told once more to those who listen.
function tellAt(id, text) {
  const place = document.getElementById(id);
  if (place.textContent !== text) place.textContent = text;
  if (place.hasAttribute("role") && place.classList.contains("alert")) place.hidden = !text;
}

function refusalIn(parts) {
  return Array.from(parts.querySelectorAll("[data-refused]"), (place) => place.textContent.trim()).join(" ");
}

// Puts parts of an answer into the places of the old ones; who has the focus in one keeps it.
function renewParts(parts, ids) {
  const focused = document.activeElement;
  const wasMissing = Boolean(focused.closest("#missing"));
  for (const id of ids) {
    const old = document.getElementById(id);
    const part = parts.getElementById(id);
    const opened = Array.from(old.querySelectorAll("details[open]"), (details) => details.className);
    for (const refused of part.querySelectorAll("[data-refused]")) refused.remove();
    for (const details of part.querySelectorAll("details")) details.open = opened.includes(details.className);
    old.replaceWith(document.adoptNode(part));
  }
  if (!focused.isConnected) keepFocus(focused, wasMissing);
}

// Gives the focus to what has come into the place of an element that had it.
function keepFocus(old, wasMissing) {
  const same = document.getElementById(old.id);
  if (same && Boolean(same.closest("#missing")) === wasMissing) return focusLike(same, old, true);
  // A new constant is a line of its own by now, at the end of the others; what was missing is filled.
  const lines = document.querySelectorAll(".map-constant [name=constant]");
  const next = wasMissing ? document.querySelector("#missing select") : lines[lines.length - 1];
  return focusLike(next || document.getElementById("map-state") || document.getElementById("main"), old);
}

// Who writes goes on where he was.
function focusLike(element, old, preventScroll = false) {
  element.focus({ preventScroll });
  if ([element, old].every((each) => each.matches("input[type=text]"))) element.setSelectionRange(old.selectionStart, old.selectionEnd);
}

// Keys that go through a list which is closed; each of them is a change.
const WALKING = /^(Arrow(Up|Down|Left|Right)|Page(Up|Down)|Home|End|[^ ])$/;

// Hands changes of fields over.  Lists from which a field goes elsewhere once something is chosen are
// left before what keys have chosen there counts: who looks for the third value passes two others.
class Changes {
  constructor(form, take) {
    this.take = take;
    this.walked = null;
    this.waiting = null;
    form.addEventListener("keydown", (event) => {
      const isWalk = WALKING.test(event.key) && !event.altKey && this.goesElsewhere(event.target);
      this.walked = isWalk ? event.target : null;
      if (event.key === "Enter") this.end();
    });
    form.addEventListener("pointerdown", () => (this.walked = null));
    form.addEventListener("change", (event) => {
      this.waiting = event.target === this.walked ? event.target : null;
      if (!this.waiting) this.take(event.target);
    });
    form.addEventListener("focusout", () => this.end());
  }

  goesElsewhere(field) {
    return field.matches("select") && Boolean(field.closest("#missing") || field.name === "constantfield");
  }

  end() {
    const field = this.waiting;
    this.walked = this.waiting = null;
    if (field) this.take(field);
  }
}

// -- step 2: the table is read again ---------------------------------------------------------

const readingForm = document.getElementById("reading-form");

function watchReading() {
  const sender = new Sender(
    readingForm,
    { read: "1", part: "1" },
    (parts, isOk) => {
      const found = parts.getElementById("found-part");
      if (sender.isBehind) return;
      if (!found) return window.location.reload();
      const old = document.getElementById("found-part");
      // Other things can be done with a file that can be read than with one that cannot.
      if (isOk && found.dataset.state !== old.dataset.state) return window.location.reload();
      const refusal = refusalIn(parts);
      tellAt("reading-refused", isOk ? "" : refusal || readingForm.dataset.lost);
      for (const field of readingForm.querySelectorAll("[aria-invalid]")) {
        field.removeAttribute("aria-invalid");
        field.removeAttribute("aria-describedby");
      }
      for (const error of readingForm.querySelectorAll("[id^=error-]")) error.remove();
      const wrong = isOk ? null : readingForm.elements[found.dataset.wrong];
      if (wrong) {
        wrong.setAttribute("aria-invalid", "true");
        wrong.setAttribute("aria-describedby", "reading-refused");
      }
      tellAt("reading-said", isOk ? found.dataset.told : "");
      if (isOk) renewParts(parts, ["found-part"]);
    },
    (text) => {
      tellAt("reading-refused", text);
      tellAt("reading-said", "");
      readingForm.querySelector("[data-without-script]").hidden = false;
    },
  );
  readingForm.querySelector("[data-without-script]").hidden = true;
  const changed = (pause) => {
    tellAt("reading-said", readingForm.dataset.busyText);
    sender.later(pause);
  };
  readingForm.addEventListener("change", () => changed(50));
  readingForm.addEventListener("input", (event) => {
    if (event.target.dataset.reads === "later") changed(500);
  });
  readingForm.addEventListener("submit", (event) => {
    if (event.submitter && event.submitter.closest("[hidden]") === null) return;
    // Enter in the line of the header.
    event.preventDefault();
    changed(0);
  });
  document.addEventListener("submit", (event) => {
    if (event.target !== readingForm) sender.hold(event, false);
  });
}

if (readingForm) watchReading();

// -- step 3: the mapping is kept, and what is missing is told --------------------------------

const mappingForm = document.getElementById("mapping-form");

class Columns {
  constructor(form) {
    const words = document.getElementById("map-words").content;
    this.word = (name) => words.querySelector(`[data-word=${name}]`).textContent;
    this.ignored = form.dataset.ignored;
    this.selects = Array.from(form.querySelectorAll("select[name=headerfield]"));
    this.chosenAtFirst = this.selects.map((select) => select.value);
    this.whyAtFirst = this.selects.map((select) => Array.from(this.whyOf(select).childNodes));
    this.about = new Map();
    for (const place of document.getElementById("map-fields").content.querySelectorAll("[data-field]")) {
      this.about.set(place.dataset.field, place.textContent);
    }
  }

  rowOf(select) {
    return select.closest("tr");
  }

  nameOf(select) {
    return this.rowOf(select).querySelector("th").textContent;
  }

  whyOf(select) {
    return this.rowOf(select).querySelector(".map-why");
  }

  isFilled(select) {
    return select.value !== this.ignored;
  }

  // Says what the chosen field is, and that a person has chosen it.
  explain(select) {
    const at = this.selects.indexOf(select);
    this.rowOf(select).querySelector(`#about-${at + 1}`).textContent = this.about.get(select.value) || "";
    const why = this.whyOf(select);
    if (select.value === this.chosenAtFirst[at]) {
      why.replaceChildren(...this.whyAtFirst[at]);
    } else {
      const badge = document.createElement("span");
      badge.className = "badge";
      badge.textContent = this.word(this.isFilled(select) ? "chosen" : "out");
      why.replaceChildren(badge);
    }
  }

  // Says at once where a field is filled by several columns; returns what is to be told.
  checkDoubles(changed) {
    const byField = new Map();
    for (const select of this.selects.filter((one) => this.isFilled(one))) {
      byField.set(select.value, [...(byField.get(select.value) || []), select]);
    }
    let told = "";
    for (const [at, select] of this.selects.entries()) {
      const others = (byField.get(select.value) || []).filter((other) => other !== select);
      const id = `error-${at + 1}`;
      let error = document.getElementById(id);
      if (!others.length) {
        if (!error) continue;
        error.remove();
        select.removeAttribute("aria-invalid");
        select.setAttribute("aria-describedby", `about-${at + 1} why-${at + 1}`);
        continue;
      }
      if (!error) {
        error = document.createElement("span");
        error.id = id;
        error.className = "wrong";
        select.parentNode.append(error);
        select.setAttribute("aria-invalid", "true");
        select.setAttribute("aria-describedby", `${id} about-${at + 1} why-${at + 1}`);
      }
      const values = { field: select.value, others: others.map((other) => this.nameOf(other)).join(", ") };
      error.textContent = this.word("double").replace(/\{(\w+)\}/g, (_, key) => values[key]);
      if (select === changed) told = error.textContent;
    }
    return told;
  }
}

// Shows only columns that fit what is looked for.
function watchTools(columns) {
  const tools = document.getElementById("map-tools");
  if (!tools) return () => {};
  const find = document.getElementById("map-find");
  const show = document.getElementById("map-show");
  const fits = {
    "": () => true,
    filled: (select) => columns.isFilled(select),
    out: (select) => !columns.isFilled(select),
    look: (select) => Boolean(columns.rowOf(select).querySelector(".wrong, .badge-warn")),
  };
  const filter = () => {
    const text = find.value.trim().toLowerCase();
    let shown = 0;
    for (const select of columns.selects) {
      // Who looks for a column may mean its name or its cells.
      const row = columns.rowOf(select);
      const isFound = row.cells[0].textContent.toLowerCase().includes(text) || row.cells[1].textContent.toLowerCase().includes(text);
      row.hidden = !(isFound && fits[show.value](select)) && !row.contains(document.activeElement);
      if (!row.hidden) shown += 1;
    }
    const values = { shown, all: columns.selects.length };
    tellAt("map-count", columns.word("count").replace(/\{(\w+)\}/g, (_, key) => values[key]));
  };
  tools.hidden = false;
  find.addEventListener("input", filter);
  find.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
  show.addEventListener("change", filter);
  filter();
  return (row) => {
    // A link may lead to a column that is not shown just now.
    if (row) row.hidden = false;
  };
}

function watchMapping() {
  const columns = new Columns(mappingForm);
  const reveal = watchTools(columns);
  const sender = new Sender(
    mappingForm,
    { keep: "1", part: "1" },
    (parts, isOk) => {
      if (sender.isBehind || changes.waiting) return;
      const state = parts.getElementById("map-state");
      if (!state) return window.location.reload();
      const refusal = refusalIn(parts);
      tellAt("map-refused", isOk ? "" : refusal);
      renewParts(parts, ["map-state", "constants", "values"]);
      if (isOk) tellAt("map-said", state.dataset.told);
    },
    (text) => tellAt("map-refused", text),
  );

  const changed = (select) => {
    columns.explain(select);
    const told = columns.checkDoubles(select);
    if (told) tellAt("map-said", told);
  };

  const changes = new Changes(mappingForm, (field) => {
    if (!field.name || ["mapping", "mapping_name"].includes(field.name)) return;
    if (field.name === "headerfield") changed(field);
    if (field.name === "missingcolumn" && field.value) {
      const select = columns.selects[Number(field.value)];
      select.value = field.id.replace("missing-column-", "");
      changed(select);
    }
    sender.later(100);
  });
  mappingForm.addEventListener("input", (event) => {
    // What is missing goes elsewhere once it is filled, so not while it is typed.
    if (event.target.matches("input[name=constant], input[name=value]") && !event.target.closest("#missing")) sender.later(700);
  });
  mappingForm.addEventListener("submit", (event) => {
    changes.end();
    if (!event.submitter || event.submitter.name !== "keep") return sender.hold(event, true);
    // Enter in a field.
    event.preventDefault();
    return sender.later(0);
  });
  document.getElementById("mapping_name").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    mappingForm.querySelector("button[name=save_mapping]").click();
  });
  mappingForm.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (!link) return;
    const place = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (!place) return;
    event.preventDefault();
    reveal(place.closest("tr"));
    const first = place.matches("section, div") ? place.querySelector("select, input:not([type=hidden])") : place;
    (first || place).focus();
    place.scrollIntoView({ block: "center" });
  });
}

if (mappingForm) watchMapping();
