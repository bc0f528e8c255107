// What is new: counted, never moved in; and what the page says when the stream is cut, the server away, the session over.
"use strict";
(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  const address = document.body.dataset.live;
  const chip = one("[data-live-chip]");
  if (!address || !chip || !window.EventSource) return;
  const TOLD_MS = 5000;
  const AGAIN_MS = 5000;
  const PATIENCE_MS = 4000;
  const state = one("[data-live-state] span");
  const still = state?.innerHTML;
  const pause = one("[data-live-pause]");
  const incident = document.body.dataset.incident;
  const onSources = location.pathname.startsWith("/sources");
  let count = 0;
  let stream = null;
  let cutAt = null;
  let again = 0;
  let patience = 0;
  let missed = false;

  // ---- said aloud, at most every five seconds ---------------------------------------------------------------------
  const said = one("[data-live-said]");
  let toldAt = 0;
  let telling = 0;
  function tell(words) {
    clearTimeout(telling);
    telling = setTimeout(() => { toldAt = performance.now(); if (said) said.textContent = words; }, Math.max(0, toldAt + TOLD_MS - performance.now()));
  }

  // ---- news -------------------------------------------------------------------------------------------------------
  // A change names its topics: on an incident's page only that incident's own count, elsewhere all that is shown.
  function arrived(event) {
    const topics = JSON.parse(event.data).topics || [];
    const wanted = incident ? (topic) => topic === `incident:${incident}` : (topic) => topic !== "deliveries" || onSources;
    if (event.type === "change" && !topics.some(wanted)) return;
    if (document.body.dataset.refresh) { document.dispatchEvent(new CustomEvent("barograph:changed")); return; }
    count += 1;
    let button = one("button[data-news]", chip);
    if (!button) {
      button = document.createElement("button");
      button.type = "button";
      button.dataset.news = "";
      button.addEventListener("click", () => location.reload());
      chip.append(button);
    }
    button.textContent = `${count > 999 ? "999+" : count} new, show`;
    tell(`${count} new.`);
  }

  // ---- cut off ----------------------------------------------------------------------------------------------------
  function notice(words, link) {
    let line = one("[data-cut]", chip);
    if (!words) { line?.remove(); return; }
    if (!line) {
      line = document.createElement("p");
      line.dataset.cut = "";
      chip.prepend(line);
    }
    line.textContent = words;
    if (link) {
      const sign = document.createElement("a");
      sign.href = link;
      sign.textContent = "Sign in again";
      line.append(" ", sign);
    }
    if (state) state.textContent = "not live";
    tell(words);
  }
  const clock = (at) => at.toISOString().slice(11, 16);
  async function whyCut() {
    try {
      const answer = await fetch("/api/v1/views", { credentials: "same-origin", cache: "no-store" });
      if (answer.status === 401) return "signed out";
      return answer.ok || answer.status < 500 ? "" : "failing";
    } catch { return "away"; }
  }
  const since = () => `What stands here is from ${clock(cutAt)} UTC.`;
  function cut() {
    cutAt ??= new Date();
    if (stream.readyState === EventSource.CLOSED) { ended(); return; }
    // The browser tries again by itself and says how far it came, so nothing is missed; a short gap is not worth a word.
    patience ||= setTimeout(() => notice(`The connection to the server is lost. ${since()} Trying again.`), PATIENCE_MS);
  }
  // The server refused the stream: it will not be asked again by the browser, so we look why and ask.
  async function ended() {
    const why = await whyCut();
    if (why === "signed out") {
      notice(`You are signed out. ${since()} What you write now would be lost.`, `/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
      return;
    }
    notice(`The server ${why === "away" ? "does not answer" : "cannot keep the page live now"}. ${since()} Trying again.`);
    again = setTimeout(() => { missed = true; open(); }, AGAIN_MS);
  }
  function open() {
    clearTimeout(again);
    stream = new EventSource(address);
    for (const name of ["change", "resync"]) stream.addEventListener(name, arrived);
    stream.addEventListener("open", () => {
      clearTimeout(patience);
      patience = 0;
      if (cutAt) { notice(""); if (state) state.innerHTML = still; cutAt = null; }
      // A stream begun anew does not know how far the last one came: what passed meanwhile counts as news.
      if (missed) { missed = false; arrived({ type: "resync", data: "{}" }); }
      if (state) state.dataset.live = "live";
    });
    stream.addEventListener("error", cut);
  }
  open();
  addEventListener("pagehide", () => { clearTimeout(again); stream?.close(); });
  addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  if (pause) {
    pause.hidden = false;
    pause.addEventListener("click", () => {
      if (pause.dataset.paused) { delete pause.dataset.paused; pause.textContent = "Pause"; missed = true; open(); return; }
      pause.dataset.paused = "yes";
      pause.textContent = "Resume";
      clearTimeout(again);
      stream?.close();
      stream = null;
    });
  }
})();
