// The incident's page beyond its figure: entries in place, permalinks, parts of the page swapped without a jump.
"use strict";
(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  function tell(words) { const said = one("[data-said]"); if (said) { said.textContent = ""; requestAnimationFrame(() => { said.textContent = words; }); } }

  async function copy(button, words) {
    await navigator.clipboard.writeText(words);
    tell("Copied.");
    const label = [...button.childNodes];
    if (button.dataset.copied) return;
    button.dataset.copied = "yes";
    button.replaceChildren("Copied");
    setTimeout(() => { button.replaceChildren(...label); delete button.dataset.copied; }, 1500);
  }
  // A stranger's words on one line of Markdown, with all that would be read as markup escaped.
  const markdown = (words) => words.replace(/\s+/g, " ").trim().replace(/([\\`*_[\]<>|~!#&$])/g, "\\$1");
  function lineAsMarkdown(row) {
    const time = one("time", row);
    const link = new URL(one("[data-copy]", row).dataset.copy, location.origin).href;
    return `- ${time.title}: ${markdown(one(".said .text", row).textContent)} (${markdown(one(".who", row).textContent)}, [entry](${link}))\n`;
  }

  // ---- entries ----------------------------------------------------------------------------------------------------
  // Looked for each time: another moment replaces it.
  const composing = () => document.getElementById("add-entry");
  function write(at) {
    const composer = composing();
    const field = one("[name=happened_at]", composer);
    field.value = at;
    one("#text").focus();
    composer.scrollIntoView({ block: "center" });
  }
  document.addEventListener("barograph:write", (event) => { if (event.detail.at && composing()) one("[name=happened_at]", composing()).value = event.detail.at; }, true);

  async function swap(address, selector, push = true) {
    const part = one(selector);
    part.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(address, { credentials: "same-origin", headers: { Accept: "text/html" } });
      if (!answer.ok || answer.redirected) throw new Error(answer.status);
      const fresh = one(selector, new DOMParser().parseFromString(await answer.text(), "text/html"));
      part.replaceWith(fresh);
      if (push) history.pushState({ parts: true }, "", address.split("#")[0]);
      for (const node of fresh.querySelectorAll("[data-script-only], [data-copy], [data-copy-line]")) node.hidden = false;
      tell(one(".beside", fresh)?.textContent || "");
    } catch { location.assign(address); }
  }

  addEventListener("click", (event) => {
    const hit = (selector) => event.target.closest?.(selector);
    const plain = !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
    const chip = hit("a[data-swap]");
    if (chip && plain) {
      event.preventDefault();
      const name = chip.dataset.sort;
      swap(chip.href, chip.dataset.swap).then(() => one(`[data-sort="${name}"]`)?.focus());
    } else if (hit("[data-insert]") && plain && composing()) {
      event.preventDefault();
      write(hit("[data-insert]").dataset.insert);
    } else if (hit("[data-dismiss]")) {
      hit("[data-undo]").replaceChildren();
    } else if (hit("[data-copy-line]")) {
      copy(hit("[data-copy-line]"), lineAsMarkdown(hit(".row")));
    } else if (hit("[data-copy-permalink]")) {
      // The part that moves with the range holds the address, so that it is that of what is shown now.
      copy(hit("[data-copy-permalink]"), new URL(one("[data-permalink]").dataset.permalink, location.origin + location.pathname).href);
    }
  });
  for (const node of document.querySelectorAll("[data-copy-line]")) node.hidden = false;
})();
