// Asks how far a file is, says so, and opens it when it is there. Without this there is "Look again".
"use strict";
(() => {
  const holder = document.querySelector("[data-job]");
  if (!holder || !["waiting", "running"].includes(holder.dataset.state)) return;
  const words = holder.querySelector("[data-job-words]");

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
    if (told.state === "done") { location.replace(told.file); return; }
    if (told.state === "failed" || told.state === "cancelled") { location.reload(); return; }
    setTimeout(look, 300);
  }
  look();
})();
