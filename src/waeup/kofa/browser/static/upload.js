// Brings files in one by one: tells how far each is, and tries again when the line breaks. A large
// file goes piece by piece, and goes on where it was, also when it is chosen again later.
// Without this script the forms of the page do the same, all files at once.
"use strict";

(() => {
  const form = document.getElementById("upload-form");
  const input = document.getElementById("uploadfile");
  const drop = document.getElementById("drop");
  const pasteForm = document.getElementById("paste-form");
  const words = document.getElementById("upload-words").content;
  const blankRow = document.getElementById("upload-row").content.firstElementChild;
  const limit = Number(form.dataset.limit);
  // Bytes of a piece; what has more than two of them goes in pieces.
  const PIECE = Number(form.dataset.piece);
  // Seconds before each further attempt.
  const PAUSES = [1, 2, 4, 8, 15, 30, 60, 60];
  // Milliseconds without a byte that went out, after which the line is broken.
  const STALLED = 60000;

  const uploads = [];
  // Whether files go by the form after all, since something on the way lets no PUT pass.
  let isPlain = false;
  let token = form.querySelector("[name=form_token]").value;

  function word(name, values = {}) {
    const text = words.querySelector(`[data-word=${name}]`).textContent;
    return text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
  }

  // By which the portal knows a file that is sent once more.
  function newToken() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  // Gets the token of a session that has begun since the page was loaded; tells whether there is one.
  async function renewToken() {
    try {
      const answer = await fetch(form.action, { cache: "no-store", redirect: "manual" });
      if (!answer.ok) return false;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      token = page.querySelector("#upload-form [name=form_token]").value;
    } catch {
      return false;
    }
    const fields = document.querySelectorAll("[name=form_token]");
    const inRows = blankRow.querySelectorAll("[name=form_token]");
    for (const field of [...fields, ...inRows]) field.value = token;
    return true;
  }

  // Which upload of a large file is under way, kept until it has ended; not everybody keeps anything.
  function remembered(key) {
    try {
      return localStorage.getItem(key) || "";
    } catch {
      return "";
    }
  }

  function remember(key, id) {
    try {
      if (id) localStorage.setItem(key, id);
      else localStorage.removeItem(key);
    } catch {
      // Then the file begins anew when it is chosen again.
    }
  }

  function answerOf(request) {
    try {
      const answer = JSON.parse(request.responseText);
      return answer && typeof answer === "object" ? answer : null;
    } catch {
      return null;
    }
  }

  // One file on its way. `state` is waiting, sending, pausing, or how it has ended: stored, refused, broken.
  class Upload {
    constructor(file, whenStored = () => {}) {
      this.file = file;
      this.whenStored = whenStored;
      this.token = newToken();
      this.tries = 0;
      this.replaces = document.getElementById("replace").checked;
      this.hasNewToken = false;
      this.isSent = false;
      this.isLarge = file.size > 2 * PIECE;
      // The upload in pieces, and the byte at which it goes on; null: the portal is asked.
      this.id = this.isLarge ? remembered(this.key) : "";
      this.offset = null;
      this.reached = 0;
      this.row = blankRow.cloneNode(true);
      this.part("name").textContent = file.name;
      this.part("size").textContent = sizeText(file.size);
      this.part("bar").setAttribute("aria-label", file.name);
      for (const button of this.row.querySelectorAll("button")) {
        button.setAttribute("aria-label", word("for-file", { button: button.textContent, name: file.name }));
      }
      this.part("cancel").addEventListener("click", () => this.cancel());
      this.part("again").addEventListener("click", () => this.tryAgain());
      this.part("replace").addEventListener("click", () => {
        this.replaces = true;
        this.tryAgain();
      });
      this.show("waiting", word("waiting"));
    }

    part(name) {
      return this.row.querySelector(`[data-part=${name}]`);
    }

    get key() {
      const { name, size, lastModified } = this.file;
      return ["kofa-upload", form.action, this.replaces, size, lastModified, name].join(" ");
    }

    get isOver() {
      return !["waiting", "sending", "pausing"].includes(this.state);
    }

    show(state, text, buttons = []) {
      const hadFocus = this.row.contains(document.activeElement);
      this.state = state;
      this.row.dataset.state = state;
      this.part("said").textContent = text;
      this.part("bar").hidden = state !== "sending";
      this.part("cancel").hidden = this.isOver;
      for (const name of ["import", "again", "replace"]) this.part(name).hidden = !buttons.includes(name);
      if (hadFocus && document.activeElement.offsetParent === null) this.row.focus();
    }

    // Shows how it has ended, also to those who listen, and lets the next one go.
    end(state, text, buttons = []) {
      this.show(state, text, buttons);
      this.tell(text);
      sendNext();
    }

    tell(text) {
      document.getElementById("upload-said").textContent = `${this.file.name}: ${text}`;
    }

    send() {
      const request = (this.request = new XMLHttpRequest());
      const [query, body] = this.next();
      const [start, share] = this.isLarge ? [(this.offset || 0) / this.file.size, body.size / this.file.size] : [0, 1];
      const isLast = !this.isLarge || (body.size > 0 && this.offset + body.size === this.file.size);
      request.open("PUT", `${form.action}?${query}`);
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.setRequestHeader("X-Form-Token", token);
      request.upload.addEventListener("progress", (event) => this.showSent(start + (share && (share * event.loaded) / event.total)));
      request.upload.addEventListener("load", () => {
        if (!isLast) return;
        clearTimeout(this.stalled);
        this.isSent = true;
        this.part("bar").removeAttribute("value");
        this.part("said").textContent = word("looking");
      });
      request.addEventListener("load", () => this.hear(request));
      request.addEventListener("error", () => this.lose("gone"));
      this.isSent = false;
      if (this.state !== "sending") this.show("sending", word("sending", { percent: 0 }));
      this.showSent(start);
      request.send(body);
    }

    // What is to be sent next: the query of its address, and its bytes.
    next() {
      const nothing = new Blob([]);
      const query = new URLSearchParams();
      if (this.id) {
        query.set("upload", this.id);
        if (this.offset === null) return [query, nothing];
        query.set("offset", this.offset);
        return [query, this.file.slice(this.offset, this.offset + PIECE)];
      }
      query.set("name", this.file.name);
      if (this.replaces) query.set("replace", "yes");
      if (this.isLarge) query.set("size", this.file.size);
      else query.set("token", this.token);
      return [query, this.isLarge ? nothing : this.file];
    }

    // Goes on with a large file at a byte, or anew without an upload.
    goOn(id, offset) {
      this.id = id;
      this.offset = offset;
      remember(this.key, id);
      this.send();
    }

    // Of a large file that has ended, or is given up, nothing stays.
    forget() {
      if (this.isLarge) remember(this.key, "");
      this.id = "";
      this.offset = null;
    }

    showSent(fraction) {
      this.part("bar").value = fraction;
      this.part("said").textContent = word("sending", { percent: Math.floor(100 * fraction) });
      clearTimeout(this.stalled);
      this.stalled = setTimeout(() => {
        this.request.abort();
        this.lose("gone");
      }, STALLED);
    }

    async hear(request) {
      clearTimeout(this.stalled);
      const answer = answerOf(request);
      // It was too slow, and others waited: as if the line had broken.
      if (request.status >= 500 || request.status === 408) return this.lose("failed");
      if (answer && answer.name) return this.showStored(answer);
      if (answer && answer.upload) {
        if (answer.offset > this.reached) this.tries = 0;
        this.reached = Math.max(this.reached, answer.offset);
        return this.goOn(answer.upload, answer.offset);
      }
      if (answer && answer.code === "busy") return this.lose("refused", answer.error);
      if (answer && this.id && ["gone", "offset"].includes(answer.code)) {
        return this.goOn(answer.code === "gone" ? "" : this.id, null);
      }
      if (answer && answer.code === "form_token" && !this.hasNewToken) {
        this.hasNewToken = true;
        const isRenewed = await renewToken();
        // It may have been cancelled meanwhile.
        if (this.state !== "sending" || this.request !== request) return undefined;
        if (isRenewed) return this.wait();
        return this.end("broken", word("logged-out"), ["again"]);
      }
      // Error pages have a reference; what the view itself refuses has a reason.
      const isOut = [401, 403].includes(request.status) && (!answer || "reference" in answer);
      if (isOut) return this.end("broken", word("logged-out"), ["again"]);
      if (answer && answer.error) {
        const buttons = answer.code === "taken" ? ["replace"] : [];
        this.forget();
        return this.end("refused", word("refused", { reason: answer.error }), buttons);
      }
      if ([405, 501].includes(request.status)) {
        isPlain = true;
        document.getElementById("drop-words").hidden = true;
        document.getElementById("upload-button").hidden = false;
        return this.end("broken", word("plain"));
      }
      const status = `${request.status} ${request.statusText}`.trim();
      return this.end("broken", word("answered", { status }), ["again"]);
    }

    showStored(answer) {
      this.forget();
      const former = this.part("former");
      this.part("notice").textContent = answer.notice;
      this.part("notice").hidden = !answer.notice;
      former.hidden = !answer.former;
      former.textContent = answer.former;
      if (answer.former_link) {
        const link = document.createElement("a");
        link.href = answer.former_link;
        link.textContent = answer.former;
        former.replaceChildren(link);
      }
      this.part("select").value = answer.name;
      this.whenStored();
      this.end("stored", word("stored", { name: answer.name }), ["import"]);
      this.tell([word("stored", { name: answer.name }), answer.notice, answer.former].join(" "));
    }

    refuseSize() {
      const sizes = { size: sizeText(this.file.size, "ceil"), limit: sizeText(limit) };
      this.end("refused", word("too-large", sizes));
    }

    // The answer did not come, or says that the portal has failed, or why it is busy: it is asked
    // again, after a while.
    lose(name, reason = "") {
      clearTimeout(this.stalled);
      this.offset = null;
      if (this.tries === PAUSES.length) {
        return this.end("broken", word(name, { reason, tries: this.tries + 1 }), ["again"]);
      }
      let seconds = PAUSES[this.tries];
      const text = () => word(reason ? "busy" : "lost", { reason, seconds });
      this.tries += 1;
      this.show("pausing", text());
      if (this.tries === 1) this.tell(text());
      this.clock = setInterval(() => {
        seconds -= 1;
        if (seconds > 0) this.part("said").textContent = text();
        else this.wait();
      }, 1000);
      return sendNext();
    }

    wait() {
      clearInterval(this.clock);
      this.show("waiting", word("waiting"));
      sendNext();
    }

    async tryAgain() {
      this.tries = 0;
      this.hasNewToken = false;
      this.show("pausing", word("waiting"));
      await renewToken();
      if (this.state === "pausing") this.wait();
    }

    cancel() {
      clearTimeout(this.stalled);
      clearInterval(this.clock);
      if (this.state === "sending") this.request.abort();
      this.drop();
      this.end("refused", word(this.isSent ? "cancelled-late" : "cancelled"), ["again"]);
    }

    // Lets the portal give up what has come of a large file; it would by itself after a day.
    drop() {
      if (!this.id) return;
      const query = new URLSearchParams({ upload: this.id, drop: "yes" });
      const headers = { "Content-Type": "application/octet-stream", "X-Form-Token": token };
      const how = { method: "PUT", headers, body: new Blob([]), keepalive: true };
      fetch(`${form.action}?${query}`, how).catch(() => {});
      this.forget();
    }
  }

  // One after the other: so each is done as soon as can be.
  function sendNext() {
    if (uploads.some((upload) => upload.state === "sending")) return;
    const next = uploads.find((upload) => upload.state === "waiting");
    if (next) next.send();
  }

  function take(file, whenStored, isFolder = false) {
    const upload = new Upload(file, whenStored);
    document.getElementById("uploads").hidden = false;
    document.getElementById("upload-list").append(upload.row);
    uploads.push(upload);
    if (isFolder) upload.end("refused", word("folder"));
    else if (file.size > limit) upload.refuseSize();
    else sendNext();
  }

  // Takes what `takeFiles` takes, and lets people see what becomes of the first of it, also where the list
  // is below what the screen shows.
  function takeInSight(takeFiles) {
    const first = uploads.length;
    takeFiles();
    if (uploads.length === first) return;
    const { row } = uploads[first];
    const { top, bottom } = row.getBoundingClientRect();
    if (top < 0 || bottom > window.innerHeight) row.scrollIntoView({ block: "center" });
  }

  function takePasted(text, whenStored) {
    const name = document.getElementById("pastename").value.trim() || "pasted.tsv";
    const isNamed = /\.(csv|tsv|txt)$/i.test(name);
    const content = text.endsWith("\n") ? text : text + "\r\n";
    takeInSight(() => take(new File([content], isNamed ? name : `${name}.tsv`), whenStored));
  }

  // -- ways in -----------------------------------------------------------------

  document.getElementById("drop-words").hidden = false;
  input.setAttribute("aria-describedby", "drop-words upload-help");
  document.getElementById("paste-anywhere").hidden = false;
  document.getElementById("upload-button").hidden = true;

  input.addEventListener("change", () => {
    if (isPlain) return;
    takeInSight(() => Array.from(input.files).forEach((file) => take(file)));
    // The same file can be chosen once more.
    input.value = "";
  });

  form.addEventListener("submit", (event) => {
    // Files go when they are chosen; only the way back is a button.
    if (!isPlain && !(event.submitter && event.submitter.formNoValidate)) event.preventDefault();
  });

  pasteForm.addEventListener("submit", (event) => {
    if (isPlain) return;
    event.preventDefault();
    const cells = document.getElementById("table");
    const text = cells.value;
    takePasted(text, () => {
      if (cells.value === text) cells.value = "";
    });
  });

  document.addEventListener("paste", (event) => {
    if (isPlain) return;
    if (event.target.closest && event.target.closest("input:not([type=file]), textarea, select")) return;
    const text = event.clipboardData.getData("text/plain");
    const files = Array.from(event.clipboardData.files);
    // A spreadsheet puts a picture of the cells beside their text.
    const isTable = /\t[^]*[\r\n]+[^\r\n]/.test(text);
    if (!isTable && !files.length) return;
    event.preventDefault();
    if (isTable) takePasted(text);
    else takeInSight(() => files.forEach((file) => take(file)));
  });

  const hasFiles = (event) => !isPlain && event.dataTransfer && event.dataTransfer.types.includes("Files");

  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    drop.classList.add("over");
  });

  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });

  document.addEventListener("drop", (event) => {
    drop.classList.remove("over");
    if (!hasFiles(event)) return;
    event.preventDefault();
    takeInSight(() => {
      for (const item of Array.from(event.dataTransfer.items)) {
        const file = item.kind === "file" ? item.getAsFile() : null;
        const entry = item.webkitGetAsEntry ? item.webkitGetAsEntry() : null;
        if (file) take(file, undefined, Boolean(entry && entry.isDirectory));
      }
    });
  });

  window.addEventListener("online", () => {
    for (const upload of uploads) if (upload.state === "pausing") upload.wait();
  });

  window.addEventListener("beforeunload", (event) => {
    if (uploads.some((upload) => !upload.isOver)) event.preventDefault();
  });
})();
