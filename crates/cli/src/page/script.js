"use strict";
// Hovering a chart tells what stands under the pointer. Everything else works without this.
for (const chart of document.querySelectorAll(".chart[data-tips]")) {
  const tips = JSON.parse(chart.dataset.tips);
  const tip = chart.querySelector(".tip");
  for (const svg of chart.querySelectorAll("svg")) {
    const cursor = svg.querySelector(".cursor");
    const [left, right] = ["left", "right"].map((k) => Number(svg.dataset[k]));
    const hide = () => { tip.style.display = "none"; cursor.style.visibility = "hidden"; };
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / box.width;
      const at = ((event.clientX - box.left) * scale - left) / (right - left);
      let best = null;
      for (const one of tips) if (!best || Math.abs(one[0] - at) < Math.abs(best[0] - at)) best = one;
      if (!best || at < -0.02 || at > 1.02) return hide();
      const x = left + best[0] * (right - left);
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
      cursor.style.visibility = "visible";
      tip.replaceChildren();
      best.slice(1).forEach((text, place) => {
        const line = document.createElement(place ? "div" : "b");
        line.textContent = text;
        tip.append(line);
      });
      tip.style.display = "block";
      const px = x / scale;
      tip.style.left = `${px + tip.offsetWidth + 16 > box.width ? Math.max(0, px - tip.offsetWidth - 10) : px + 10}px`;
    });
  }
}
