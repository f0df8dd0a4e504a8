/* Every figure can be taken along: PNG and SVG with the page's stamp under it, its rows as CSV from the server. */
(function () {
  "use strict";

  const STAMP_PX = 22;
  const SCALE = 2;

  function words() {
    const holder = document.getElementById("figure-words");
    return holder ? holder.dataset : null;
  }

  function token() {
    const found = document.cookie.split("; ").find(function (part) { return part.startsWith("_csrf_token="); });
    return found ? decodeURIComponent(found.split("=")[1]) : "";
  }

  function stamp() {
    const line = document.querySelector("#page .stamp");
    const address = decodeURIComponent(location.pathname + location.search).replace(/[0-9a-f]{64}/, function (id) { return id.slice(0, 12); });
    return (line ? line.textContent + " · " : "") + address;
  }

  function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

  function note(name, format) {
    return fetch("/api/v1/figures/saved", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": token() },
      body: JSON.stringify({ figure: name, format: format, address: location.pathname + location.search })
    }).then(function (answer) { if (!answer.ok) { throw new Error(String(answer.status)); } });
  }

  function give(url, name) {
    const link = document.createElement("a");
    link.href = url;
    link.download = name;
    document.body.appendChild(link);
    link.click();
    link.remove();
  }

  /* ---- charts ---- */

  function stamped(chart) {
    const layout = JSON.parse(JSON.stringify(chart.layout));
    const margin = layout.margin || {};
    const below = margin.b === undefined ? 80 : margin.b;
    const left = margin.l === undefined ? 80 : margin.l;
    layout.height = (layout.height || chart.clientHeight) + STAMP_PX;
    layout.width = layout.width || chart.clientWidth;
    layout.margin = Object.assign({}, margin, { b: below + STAMP_PX });
    layout.paper_bgcolor = colour("--body") || "#ffffff";
    layout.annotations = (layout.annotations || []).concat([{
      xref: "paper", yref: "paper", x: 0, y: 0, xanchor: "left", yanchor: "top", xshift: 8 - left, yshift: -below - 2,
      showarrow: false, text: stamp().replace(/&/g, "&amp;").replace(/</g, "&lt;"), align: "left",
      font: { size: 10, color: colour("--muted") }
    }]);
    return { data: chart.data, layout: layout, config: { staticPlot: true } };
  }

  function saveChart(chart, name, format) {
    const figure = stamped(chart);
    const size = { format: format, width: figure.layout.width, height: figure.layout.height, scale: format === "png" ? SCALE : 1 };
    return window.Plotly.toImage(figure, size).then(function (url) { give(url, name + "." + format); });
  }

  /* ---- the plot of a gate, which is a drawing of the server ---- */

  function saveDrawing(image, name, format) {
    const address = new URL(image.src, location.origin);
    address.searchParams.delete("limits");
    address.searchParams.delete("whole");
    address.searchParams.set("stamp", stamp());
    return fetch(address).then(function (answer) { return answer.text(); }).then(function (text) {
      const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
      if (format === "svg") { give(url, name + ".svg"); return null; }
      return drawPng(url).then(function (png) { give(png, name + ".png"); });
    });
  }

  function drawPng(url) {
    return new Promise(function (resolve, reject) {
      const picture = new Image();
      picture.onload = function () {
        const canvas = document.createElement("canvas");
        canvas.width = picture.naturalWidth * SCALE;
        canvas.height = picture.naturalHeight * SCALE;
        canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
        resolve(canvas.toDataURL("image/png"));
      };
      picture.onerror = reject;
      picture.src = url;
    });
  }

  /* ---- buttons ---- */

  function source(holder) {
    const chart = holder.querySelector(".js-plotly-plot");
    const meta = chart && chart.layout && chart.layout.meta;
    if (meta && meta.table) { return { table: meta.table, filters: meta.filters || {} }; }
    if (holder.id === "gate-plot") { return { table: "populations", filters: { file_id: location.pathname.split("/").pop() } }; }
    return null;
  }

  function save(holder, format) {
    const name = holder.id || "figure";
    const rows = source(holder);
    if (format === "csv") {
      if (rows) { give("/api/v1/figures/" + rows.table + ".csv?" + new URLSearchParams(rows.filters), name + ".csv"); }
      return;
    }
    const chart = holder.querySelector(".js-plotly-plot");
    const image = holder.querySelector("img");
    note(name, format)
      .then(function () { return chart ? saveChart(chart, name, format) : saveDrawing(image, name, format); })
      .catch(function () {
        const alert = document.getElementById("announcer");
        if (alert) { alert.textContent = words().failed; }
      });
  }

  function addButtons(holder) {
    const said = words();
    if (!said || holder.querySelector(":scope > .figure-save")) { return; }
    const group = document.createElement("div");
    group.className = "figure-save";
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", said.group);
    ["png", "svg", "csv"].forEach(function (format) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = format.toUpperCase();
      button.dataset.format = format;
      button.title = said[format];
      button.setAttribute("aria-label", said[format]);
      button.addEventListener("click", function (event) { event.stopPropagation(); save(holder, format); });
      group.appendChild(button);
    });
    holder.appendChild(group);
  }

  /* Rows are offered where a figure says from which it was drawn; the points of a map are single cells, which
     leave the house as h5ad alone. */
  function offer(holder) {
    const button = holder.querySelector(":scope > .figure-save > [data-format=csv]");
    if (button) { button.hidden = !source(holder); }
  }

  function look() {
    document.querySelectorAll("#page .graph, #gate-plot").forEach(function (holder) { addButtons(holder); offer(holder); });
  }

  let waits = false;
  function watch() {
    const page = document.getElementById("page");
    if (!page) { setTimeout(watch, 200); return; }
    new MutationObserver(function () {
      if (waits) { return; }
      waits = true;
      requestAnimationFrame(function () { waits = false; look(); });
    }).observe(page, { childList: true, subtree: true });
    look();
  }

  document.addEventListener("DOMContentLoaded", watch);
  if (document.readyState !== "loading") { watch(); }
})();
