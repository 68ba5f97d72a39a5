"use strict";
// Hovering a chart shows the second under the pointer. Everything else works without this.
const run = JSON.parse(document.getElementById("results").textContent);
const kills = run.workers.kills;
const lines = {
  throughput: (s) => [`right answers ${s.ok}`, `HTTP/2 ${s.ok_by_class[0]}`, `gRPC ${s.ok_by_class[1]}`, `failed ${s.failed}`],
  latency: (s) => ["p50", "p99", "p999", "max"].map((k) => `${k.replace("p999", "p99.9")} ${s.latency_ms[k]} ms`),
  memory: (s) => [`${(s.rss_bytes / 1048576).toFixed(1)} MiB`],
};
for (const chart of document.querySelectorAll(".chart")) {
  const svg = chart.querySelector("svg");
  const cursor = svg.querySelector(".cursor");
  const tip = chart.querySelector(".tip");
  const [left, right, seconds] = ["left", "right", "seconds"].map((k) => Number(svg.dataset[k]));
  const hide = () => { tip.style.display = "none"; cursor.style.visibility = "hidden"; };
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / box.width;
    const at = ((event.clientX - box.left) * scale - left) / (right - left) * seconds;
    const row = run.timeline.find((s) => s.second === Math.floor(at));
    if (!row) return hide();
    const x = left + (row.second + 0.5) / seconds * (right - left);
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    cursor.style.visibility = "visible";
    const died = kills.filter((k) => Math.floor(k.at_s) === row.second).map((k) => `worker ${k.worker} killed`);
    tip.replaceChildren();
    [`second ${row.second + 1}`, ...lines[chart.dataset.chart](row), ...died].forEach((text, place) => {
      const line = document.createElement(place ? "div" : "b");
      line.textContent = text;
      tip.append(line);
    });
    tip.style.display = "block";
    const px = x / scale;
    tip.style.left = `${px + tip.offsetWidth + 16 > box.width ? px - tip.offsetWidth - 10 : px + 10}px`;
  });
}
