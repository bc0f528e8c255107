// Draws the figure of a saved file, and gives it times to read when somebody looks closer. Nothing is fetched.
"use strict";
(() => {
  const told = JSON.parse(document.getElementById("told").textContent);
  const config = {
    displayModeBar: false, displaylogo: false, showSendToCloud: false, plotlyServerURL: "", scrollZoom: false,
    doubleClick: false, showTips: false,
  };
  const { axis, zone } = told.layout.meta;
  const MINUTE = 60000;
  const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080].map((minutes) => minutes * MINUTE);
  const MOST_TICKS = 9;
  const holder = document.getElementById("live");
  const whole = structuredClone({ one: told.layout.xaxis, two: told.layout.xaxis2 });

  const clock = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const day = new Intl.DateTimeFormat("en-GB", { timeZone: zone, weekday: "short", day: "numeric", month: "short" });
  const instant = (words) => new Date(`${String(words).replace(" ", "T").replace(/Z?$/, "Z")}`).getTime();
  const utc = (at) => new Date(at).toISOString().replace("T", " ").replace("Z", "");

  // Axes run in UTC and are labelled in the zone of the drawing, so the labels of another window are made here.
  function ticks(since, until) {
    const step = STEPS.find((each) => (until - since) / each <= MOST_TICKS) || STEPS.at(-1);
    const found = [];
    for (let at = Math.ceil(since / step) * step; at <= until; at += step) found.push(at);
    let last = "";
    const below = found.map((at) => {
      const date = day.format(at).replace(",", "");
      const words = date === last ? clock.format(at) : `${clock.format(at)}<br>${date}`;
      last = date;
      return words;
    });
    return { values: found.map(utc), above: found.map((at) => clock.format(at)), below };
  }

  function closer(change) {
    const ends = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
    if (!ends[0] || !ends[1]) return;
    const made = ticks(...ends.map(instant));
    Plotly.relayout(holder, {
      "xaxis.tickvals": made.values, "xaxis.ticktext": made.below,
      "xaxis2.tickvals": made.values, "xaxis2.ticktext": made.above,
    });
  }
  function reset() {
    Plotly.relayout(holder, {
      "xaxis.range": whole.one.range, "xaxis.tickvals": whole.one.tickvals, "xaxis.ticktext": whole.one.ticktext,
      "xaxis2.tickvals": whole.two.tickvals, "xaxis2.ticktext": whole.two.ticktext,
    });
  }
  // Words that end at a mark run into the names of the lanes when their mark comes near them.
  function clear() {
    const left = holder.getBoundingClientRect().left + axis.left - 1;
    for (const node of holder.querySelectorAll(".annotation[data-index]")) {
      const isOfTime = holder.layout.annotations[node.dataset.index]?.xref === "x";
      node.style.visibility = isOfTime && node.getBoundingClientRect().left < left ? "hidden" : "";
    }
  }

  document.documentElement.classList.add("live");
  Plotly.newPlot(holder, told.data, told.layout, config).then(() => {
    holder.on("plotly_relayout", closer);
    holder.on("plotly_doubleclick", reset);
    holder.on("plotly_afterplot", clear);
  }, () => document.documentElement.classList.remove("live"));
})();
