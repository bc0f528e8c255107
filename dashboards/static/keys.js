// Single-key shortcuts: what `?` lists. They are silent in fields, and a cookie of this browser turns them off.
"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const one = (selector, within = document) => within.querySelector(selector);
  const STEPS = ".row, .burning, .list tbody tr, .recent";
  const figure = () => one("[data-figure]");

  // ---- the switch -------------------------------------------------------------------------------------------------
  const turnedOff = () => /(?:^|; )barograph_shortcuts=off(?:;|$)/.test(document.cookie);
  const toggle = document.getElementById("shortcuts");
  if (toggle) {
    toggle.checked = !turnedOff();
    toggle.addEventListener("change", () => {
      document.cookie = `barograph_shortcuts=${toggle.checked ? "on" : "off"}; path=/; max-age=31536000; samesite=lax`;
    });
  }

  // ---- entries, one after the other -------------------------------------------------------------------------------
  function steps() { return all(STEPS).filter((node) => node.checkVisibility()); }
  function here() {
    const focused = document.activeElement?.closest?.(STEPS);
    return focused || one(".here") || (location.hash.length > 1 ? document.getElementById(decodeURIComponent(location.hash.slice(1)))?.closest(STEPS) : null);
  }
  function step(by) {
    const list = steps();
    if (!list.length) return;
    const at = list.indexOf(here());
    const next = list[at < 0 ? (by > 0 ? 0 : list.length - 1) : Math.min(list.length - 1, Math.max(0, at + by))];
    for (const node of all(".here")) node.classList.remove("here");
    next.classList.add("here");
    one("summary, h3 a, th a, a", next)?.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  // ---- what the keys do -------------------------------------------------------------------------------------------
  function press(key) {
    const control = all(`[data-key="${key}"]`).find((node) => node.checkVisibility());
    if (control) control.click();
    return Boolean(control);
  }
  function onFigure(key, name, detail) {
    if (!press(key)) figure()?.dispatchEvent(new CustomEvent(`barograph:${name}`, { bubbles: true, detail }));
  }
  function write(at) {
    const text = document.getElementById("text");
    if (!text) return;
    document.getElementById("add-entry").dispatchEvent(new CustomEvent("barograph:write", { detail: { at } }));
    text.focus();
    text.scrollIntoView({ block: "center" });
  }
  function edit() {
    const row = here();
    const form = row && one("details.edit", row);
    if (!form) { write(""); return; }
    one("details", row).open = true;
    form.open = true;
    one("textarea", form).focus();
  }
  function range() {
    const menu = one(".range-menu");
    if (!menu) { one("form.filters input")?.focus(); return; }
    menu.open = true;
    one("input:not([type=hidden])", menu)?.focus();
  }
  function search() {
    const field = document.getElementById("search");
    if (field?.checkVisibility()) { field.focus(); field.select(); } else location.assign("/incidents");
  }
  const dialog = document.getElementById("keys");
  const ACTS = {
    "?": () => { if (dialog?.open) dialog.close(); else dialog?.showModal(); },
    "/": search,
    j: () => step(1),
    k: () => step(-1),
    w: () => onFigure("w", "zoom", { by: 0.5 }),
    s: () => onFigure("s", "zoom", { by: 2 }),
    a: () => onFigure("a", "pan", { by: -0.5 }),
    d: () => onFigure("d", "pan", { by: 0.5 }),
    f: () => onFigure("f", "fit", {}),
    t: range,
    u: () => press("u"),
    g: () => press("g"),
    e: edit,
    c: () => write(here()?.dataset.at || ""),
    y: () => press("y"),
    m: () => press("m"),
    v: () => { if (views?.checkVisibility()) { views.open = true; one("#view-name").focus(); } else location.assign("/views"); },
  };

  addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      for (const menu of all("details.menu[open]")) { menu.open = false; one("summary", menu).focus(); }
      const field = event.target.closest?.("input, textarea, select");
      if (field && !dialog?.open) field.blur();
      return;
    }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches?.("textarea")) { event.target.form?.requestSubmit(); return; }
    if (turnedOff() || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest?.("input:not([type=checkbox], [type=radio], [type=range]), textarea, select, [contenteditable]")) return;
    const act = ACTS[event.key];
    if (!act || (dialog?.open && event.key !== "?")) return;
    event.preventDefault();
    act();
  });

  // ---- saved views ------------------------------------------------------------------------------------------------
  const views = one("[data-views]");
  views?.addEventListener("toggle", async () => {
    if (!views.open) return;
    one("[name=address]", views).value = location.pathname + location.search;
    const list = one("[data-views-list]", views);
    try {
      const answer = await fetch("/api/v1/views", { credentials: "same-origin" });
      if (!answer.ok) return;
      list.replaceChildren(...(await answer.json()).items.slice(0, 12).map((view) => {
        const link = document.createElement("a");
        link.href = view.address;
        link.textContent = view.name;
        const item = document.createElement("li");
        item.append(link);
        return item;
      }));
      list.hidden = !list.children.length;
    } catch { /* the link beneath leads to the whole list */ }
  });

  addEventListener("click", (event) => {
    if (event.target.closest?.("[data-keys-help]")) dialog?.showModal();
    else if (event.target === dialog || event.target.closest?.("[data-keys-close]")) dialog?.close();
  });
})();
