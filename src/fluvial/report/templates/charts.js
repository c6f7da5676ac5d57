"use strict";
(() => {
  // Under the pointer, a chart's legend reads the values there instead of the last ones.
  const points = (line) => (line.getAttribute("d").match(/[\d.-]+ [\d.-]+/g) || []).map((pair) => pair.split(" ").map(Number));
  const brief = (value) => String(Number(value.toPrecision(3))).replace("-", "−");

  for (const svg of document.querySelectorAll(".chart svg")) {
    const axis = (text) => text.split(" ").map(Number);
    const [xLow, xHigh, left, right] = axis(svg.dataset.x);
    const [yLow, yHigh, bottom, top] = axis(svg.dataset.y);
    const isLog = "log" in svg.dataset;
    const value = (y) => {
      const share = (y - bottom) / (top - bottom);
      return isLog ? yLow * (yHigh / yLow) ** share : yLow + share * (yHigh - yLow);
    };
    const lines = [...svg.querySelectorAll(".line")].map(points);
    const texts = [...svg.closest(".chart").querySelectorAll(".legend b")];
    const last = texts.map((text) => text.textContent);
    const mark = svg.querySelector(".mark");
    const place = svg.querySelector(".place");
    const usual = place.textContent;

    const leave = () => {
      mark.setAttribute("visibility", "hidden");
      place.textContent = usual;
      texts.forEach((text, index) => { text.textContent = last[index]; });
    };
    svg.addEventListener("pointerleave", leave);
    svg.addEventListener("pointermove", (event) => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse()).x;
      if (at < left || at > right) {
        leave();
        return;
      }
      mark.setAttribute("visibility", "visible");
      mark.setAttribute("d", `M${at.toFixed(1)} ${bottom}V${top}`);
      const x = xLow + (at - left) / (right - left) * (xHigh - xLow);
      place.textContent = `${usual} ${xHigh - xLow > 20 ? Math.round(x).toLocaleString("en") : brief(x)}`;
      lines.forEach((line, index) => {
        const nearest = line.reduce((a, b) => Math.abs(b[0] - at) < Math.abs(a[0] - at) ? b : a, [Infinity, 0]);
        // A gap has no value to read.
        texts[index].textContent = Math.abs(nearest[0] - at) < (right - left) / 20 ? brief(value(nearest[1])) : "–";
      });
    });
  }
})();
