// Asks how far a file is, says so, and saves it when it is there; the page stays. Without this there is "Look again".
"use strict";
(() => {
  const holder = document.querySelector("[data-job]");
  if (!holder || !["waiting", "running"].includes(holder.dataset.state)) return;
  const words = holder.querySelector("[data-job-words]");

  function link(text, href, look) {
    const made = document.createElement("a");
    made.className = look;
    made.href = href;
    made.textContent = text;
    return made;
  }

  function offer(told) {
    const save = link(`Save ${told.name}`, told.file, "control primary");
    const links = told.can_be_shown ? [save, " ", link("Look at it", `${told.file}?inline=1`, "control")] : [save];
    holder.querySelector(".run").replaceChildren(...links);
    holder.dataset.state = "done";
    save.click();
  }

  async function look() {
    let told;
    try {
      const answer = await fetch(`${holder.dataset.job}?wait=2`, { headers: { Accept: "application/json" } });
      if (answer.status === 404) { location.reload(); return; }
      told = await answer.json();
    } catch {
      setTimeout(look, 3000);
      return;
    }
    if (told.words && told.words !== words.textContent) words.textContent = told.words;
    if (told.state === "done") { offer(told); return; }
    if (told.state === "failed" || told.state === "cancelled") { location.reload(); return; }
    setTimeout(look, 300);
  }
  look();
})();
