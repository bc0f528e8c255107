// Saves the postmortem's form a few seconds after the last key, and takes in what others wrote in other sections.
"use strict";
(() => {
  const form = document.querySelector("form[data-autosave]");
  if (!form) return;
  const told = form.querySelector("[data-saved]");
  const bases = document.querySelectorAll("input[data-base]");
  const texts = [...form.querySelectorAll("textarea, #s-title")];
  const seen = new Map(texts.map((field) => [field.name, field.value]));
  const REST = 3000;
  let timer = 0;
  let saving = false;
  let waiting = false;
  let stopped = false;

  // In the zone of the facts beside it, and named: a bare clock would be read in the reader's own.
  const zone = told.dataset.zone;
  const clock = () => `${new Date().toLocaleTimeString("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" })} ${zone === "UTC" ? zone : `in ${zone}`}`;

  const body = () => new URLSearchParams(new FormData(form));
  let saved = String(body());
  const dirty = () => String(body()) !== saved;

  async function save() {
    if (saving || stopped || !dirty()) { waiting = saving && dirty(); return; }
    saving = true;
    const sent = body();
    told.textContent = "Saving.";
    try {
      const answer = await fetch(form.action, { method: "POST", body: sent, credentials: "same-origin", headers: { Accept: "application/json" } });
      const read = answer.headers.get("Content-Type")?.includes("json") ? await answer.json() : {};
      if (answer.ok) take(read, sent);
      else if (answer.status === 412 || answer.status === 409 || answer.status === 400 || answer.status === 403) refuse(read);
      else throw new Error(`the service answered ${answer.status}`);
    } catch (error) {
      told.textContent = `Not saved: ${error.message}. Your text is still here; it will be tried again.`;
      timer = setTimeout(save, 4 * REST);
    } finally {
      saving = false;
      if (waiting && !stopped) { waiting = false; later(); }
    }
  }

  function take(read, sent) {
    for (const base of bases) base.value = read.revision;
    for (const field of texts) {
      const now = read.sections[field.name] || "";
      // Only a field that was not touched since takes in what somebody else wrote.
      if (field.value === sent.get(field.name) && field.value.trim() !== now && seen.get(field.name) === field.value) field.value = now;
      seen.set(field.name, field.value);
    }
    sent.set("base", read.revision);
    for (const field of texts) if (field.value !== sent.get(field.name) && seen.get(field.name) === field.value) sent.set(field.name, field.value);
    saved = String(sent);
    tell();
    told.textContent = `Revision ${read.revision} is saved, ${clock()}.`;
  }

  // What the page says of the document's own state: the line beneath its title, the revisions, and what led to the first.
  const STATED = ["[data-standing]", "[data-revisions]"];
  async function tell() {
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", headers: { Accept: "text/html" } });
      if (!answer.ok || answer.redirected) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of STATED) {
        const [now, then] = [fresh.querySelector(part), document.querySelector(part)];
        if (now && then) then.replaceWith(now);
      }
      document.querySelector("[data-begin]")?.remove();
    } catch { /* The words are saved; the next save says so again. */ }
  }

  function refuse(read) {
    stopped = true;
    told.textContent = `Not saved: ${read.detail || "the service refused it"}. Press Save to see both texts.`;
  }

  function later() {
    clearTimeout(timer);
    if (!stopped) timer = setTimeout(save, REST);
  }
  form.addEventListener("input", later);
  form.addEventListener("change", later);
  let leaving = false;
  form.addEventListener("submit", () => { leaving = true; clearTimeout(timer); });
  addEventListener("beforeunload", (event) => { if (dirty() && !leaving) event.preventDefault(); });
})();
