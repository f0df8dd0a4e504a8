/* The gate editor: pictures come from the server; limits lie over them and are moved by pointer or keys.
   The browser knows places on axes and no event; every number that it shows was counted by the server. */
(function () {
  "use strict";

  const STEP = 0.01;
  const FINE = 0.001;
  const SETTLE_MS = 450;
  const CORNER = 9;
  const SVG = "http://www.w3.org/2000/svg";

  let config = null;
  let scheme = "light";
  let state = null;
  let busy = false;
  let waiting = null;
  let settle = null;

  function unit() {
    return parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--u")) || 1;
  }

  function byId(id) { return document.getElementById(id); }

  function token() {
    const found = document.cookie.split("; ").find(function (part) { return part.startsWith("_csrf_token="); });
    return found ? decodeURIComponent(found.split("=")[1]) : "";
  }

  function post(path, body) {
    return fetch(config.api + "/" + path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": token() },
      body: JSON.stringify(body)
    }).then(function (response) {
      if (response.status === 401) {
        location.assign("/login?next=" + encodeURIComponent(location.pathname + location.search));
      }
      return response.json().catch(function () { return {}; }).then(function (answer) {
        if (!response.ok) { throw new Error(answer.error || config.words.failed); }
        return answer;
      });
    });
  }

  /* ---- pictures ---- */

  /* The large plot comes first, the small ones after it, two at a time: each may cost the server a file. */
  const AT_ONCE = 2;
  let queue = [];
  let loading = 0;

  function drawPictures() {
    const plot = byId("gate-plot");
    const image = byId("gate-image");
    const small = listSmall();
    if (!plot || !image || !config || !config.plot) { start(small); return; }
    const u = unit();
    const size = "&width=" + Math.round(plot.clientWidth / u) + "&height=" + Math.round(plot.clientHeight / u);
    const source = (state && state.shape ? config.plot_whole : config.plot) + size + "&scheme=" + scheme;
    if (image.getAttribute("src") === source) { start(small); return; }
    queue = [];
    load(image, source, function () { start(listSmall()); });
  }

  function listSmall() {
    const found = Array.from(document.querySelectorAll("img[data-picture]"));
    const row = byId("gate-small");
    const middle = row ? row.scrollLeft + row.clientWidth / 2 + row.offsetLeft : 0;
    const away = function (picture) { return Math.abs(picture.offsetLeft - middle); };
    return found.sort(function (one, other) { return away(one) - away(other); });
  }

  function start(pictures) {
    queue = pictures.filter(function (picture) { return picture.getAttribute("src") !== sourceOf(picture); });
    while (loading < AT_ONCE && queue.length) { next(); }
  }

  function sourceOf(picture) { return picture.dataset.picture + "&width=110&height=110&scheme=" + scheme; }

  function next() {
    const picture = queue.shift();
    if (!picture) { return; }
    if (!picture.isConnected) { next(); return; }
    loading += 1;
    load(picture, sourceOf(picture), function () { loading -= 1; next(); });
  }

  function load(image, source, done) {
    const finish = function () {
      image.removeEventListener("load", finish);
      image.removeEventListener("error", finish);
      done();
    };
    image.addEventListener("load", finish);
    image.addEventListener("error", finish);
    image.setAttribute("src", source);
  }

  /* ---- limits over the plot ---- */

  function plotBox() {
    const plot = byId("gate-plot");
    const u = unit();
    const m = config.margins;
    return {
      left: m.left * u, top: m.top * u,
      width: plot.clientWidth - (m.left + m.right + m.gap + m.beside) * u,
      height: plot.clientHeight - (m.top + m.bottom) * u,
      beside: plot.clientWidth - m.beside * u, end: plot.clientWidth
    };
  }

  function make(name, attributes, parent) {
    const element = document.createElementNS(SVG, name);
    Object.keys(attributes).forEach(function (key) { element.setAttribute(key, attributes[key]); });
    if (parent) { parent.appendChild(element); }
    return element;
  }

  function corners(lines) {
    const fixed = lines.filter(function (line) { return !line.alternative; });
    const either = lines.filter(function (line) { return line.alternative; });
    if (either.length === 2 && !fixed.length && either[0].side !== either[1].side) {
      const x = either.find(function (line) { return line.side === "x"; }).place;
      const y = either.find(function (line) { return line.side === "y"; }).place;
      return [[[x, 0], [1, 0], [1, 1], [0, 1], [0, y], [x, y]]];
    }
    if (!either.length) { return [box(fixed)]; }
    return either.map(function (line) { return box(fixed.concat([line])); });
  }

  function box(lines) {
    const low = { x: 0, y: 0 };
    const high = { x: 1, y: 1 };
    lines.forEach(function (line) {
      if (line.positive) { low[line.side] = Math.max(low[line.side], line.place); }
      else { high[line.side] = Math.min(high[line.side], line.place); }
    });
    return [[low.x, low.y], [high.x, low.y], [high.x, high.y], [low.x, high.y]];
  }

  function pathOf(points, at) {
    return "M" + points.map(function (point) {
      return (at.left + point[0] * at.width).toFixed(1) + " " + (at.top + (1 - point[1]) * at.height).toFixed(1);
    }).join("L") + "Z";
  }

  function drawLimits() {
    const holder = byId("gate-overlay");
    const isEmpty = !state || !(state.lines.length || state.shape || state.drawing);
    if (!holder || (isEmpty && !config.may_draw)) { if (holder) { holder.replaceChildren(); } return; }
    const active = document.activeElement;
    const focused = active && (active.getAttribute("data-gate-limit") || active.getAttribute("data-gate-handle"));
    const at = plotBox();
    const svg = make("svg", { role: "group", "aria-label": config.population });
    const colour = config.colours[scheme];
    if (state.shape || state.drawing || !state.lines.length) {
      window.corelabShape.draw(editor, svg, at, colour);
      if (state.shape && !state.drawing) { drawLabel(svg, at, colour); }
      holder.replaceChildren(svg);
      if (focused) { refocus(holder, focused); }
      return;
    }
    /* Inside a frame of its own, so that no halo covers a tick. */
    const frame = make("svg", { x: at.left, y: at.top, width: at.width, height: at.height }, svg);
    const inner = { left: 0, top: 0, width: at.width, height: at.height };
    corners(state.lines).forEach(function (points) {
      make("path", { d: pathOf(points, inner), class: "halo", "stroke-width": 5 }, frame);
      make("path", { d: pathOf(points, inner), fill: "none", stroke: colour, "stroke-width": 2 }, frame);
    });
    drawLabel(svg, at, colour);
    state.lines.forEach(function (line) { drawLimit(svg, at, line, colour); });
    holder.replaceChildren(svg);
    if (focused) { refocus(holder, focused); }
  }

  function refocus(holder, name) {
    const word = CSS.escape(name);
    const again = holder.querySelector('[data-gate-limit="' + word + '"], [data-gate-handle="' + word + '"]');
    if (again) { again.focus({ preventScroll: true }); }
  }

  /* The label stands in a corner of the region that no limit crosses. */
  function drawLabel(svg, at, colour) {
    const edge = bounds();
    const u = unit();
    const isRight = edge.right > 0.999 || edge.left > 0.001;
    const isTop = edge.top > 0.999 || edge.bottom > 0.001;
    const x = at.left + (isRight ? edge.right * at.width - 8 * u : edge.left * at.width + 8 * u);
    const y = isTop ? at.top + (1 - edge.top) * at.height + 16 * u : at.top + (1 - edge.bottom) * at.height - 22 * u;
    [config.population, state.label].forEach(function (text, row) {
      const placed = { x: x, y: y + row * 14 * u, "text-anchor": isRight ? "end" : "start", fill: colour };
      make("text", placed, svg).textContent = text;
    });
  }

  function bounds() {
    const points = state.shape ? window.corelabShape.outline(state.shape) : corners(state.lines)[0];
    const xs = points.map(function (point) { return point[0]; });
    const ys = points.map(function (point) { return point[1]; });
    return {
      left: Math.min.apply(null, xs), right: Math.max.apply(null, xs),
      bottom: Math.min.apply(null, ys), top: Math.max.apply(null, ys)
    };
  }

  function drawLimit(svg, at, line, colour) {
    const isX = line.side === "x";
    const px = isX ? at.left + line.place * at.width : at.top + (1 - line.place) * at.height;
    const group = make("g", { class: "limit " + line.side + (config.may_edit ? " movable" : "") }, svg);
    const end = isX ? at.top + at.height : at.left + at.width;
    const d = isX ? "M" + px + " " + at.top + "V" + end : "M" + at.left + " " + px + "H" + end;
    if (!isX) { make("path", { d: "M" + at.beside + " " + px + "H" + at.end, stroke: colour, "stroke-width": 1.5 }, group); }
    make("path", { d: d, class: "ink", stroke: colour, "stroke-width": 1, "stroke-dasharray": "5 3", fill: "none" }, group);
    if (!config.may_edit) { return; }
    const edge = bounds();
    const middle = isX
      ? at.top + (1 - (edge.bottom + edge.top) / 2) * at.height
      : at.left + (edge.left + edge.right) / 2 * at.width;
    const x = (isX ? px : middle) - CORNER / 2;
    const y = (isX ? middle : px) - CORNER / 2;
    make("rect", { x: x, y: y, width: CORNER, height: CORNER, class: "handle", stroke: colour }, group);
    const grip = isX ? { x: px - 7, y: at.top, width: 14, height: at.height } : { x: at.left, y: px - 7, width: at.width, height: 14 };
    make("rect", Object.assign({ class: "grip" }, grip), group);
    group.setAttribute("data-gate-limit", line.gate);
    group.setAttribute("tabindex", "0");
    group.setAttribute("role", "slider");
    group.setAttribute("aria-orientation", isX ? "horizontal" : "vertical");
    group.setAttribute("aria-label", config.words.handle.replace("{gate}", line.gate));
    group.setAttribute("aria-valuemin", "0");
    group.setAttribute("aria-valuemax", "1");
    group.setAttribute("aria-valuenow", line.place.toFixed(3));
    group.setAttribute("aria-valuetext", line.gate + " " + line.limit);
    group.addEventListener("pointerdown", function (event) { startDrag(event, line); });
  }

  /* ---- moving ---- */

  function startDrag(event, line) {
    if (event.button) { return; }
    event.preventDefault();
    event.currentTarget.focus({ preventScroll: true });
    const before = snapshot();
    const plot = byId("gate-plot");
    const place = function (moved) {
      const at = plotBox();
      const frame = plot.getBoundingClientRect();
      return line.side === "x"
        ? (moved.clientX - frame.left - at.left) / at.width
        : 1 - (moved.clientY - frame.top - at.top) / at.height;
    };
    let has_moved = false;
    const move = function (moved) {
      has_moved = true;
      moveTo(line, place(moved));
    };
    const stop = function () {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", stop);
      window.removeEventListener("pointercancel", stop);
      if (has_moved) { remember(before); }
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", stop);
    window.addEventListener("pointercancel", stop);
  }

  function moveTo(line, place) {
    line.place = Math.min(1, Math.max(0, place));
    drawLimits();
    ask(line, { place: line.place });
  }

  document.addEventListener("keydown", function (event) {
    const held = event.target.closest && event.target.closest("[data-gate-limit]");
    if (!held || !state || !config.may_edit || state.shape) { return; }
    if ((event.ctrlKey || event.metaKey) && event.key === "z") { event.preventDefault(); undo(); return; }
    const line = state.lines.find(function (one) { return one.gate === held.getAttribute("data-gate-limit"); });
    const up = event.key === "ArrowUp" || event.key === "ArrowRight";
    if (!line || !/^Arrow(Left|Right|Up|Down)$/.test(event.key) || event.ctrlKey || event.metaKey || event.altKey) { return; }
    event.preventDefault();
    const size = event.shiftKey ? FINE : STEP;
    if (state.keyed !== line.gate) { remember(snapshot()); state.keyed = line.gate; }
    moveTo(line, line.place + (up ? size : -size));
  });

  /* One request is in flight; of what happens meanwhile only the last counts. */
  function ask(line, where) {
    waiting = { line: line, where: where };
    if (!busy) { send(); }
  }

  function send() {
    const asked = waiting;
    const present = state;
    waiting = null;
    busy = true;
    const words = { population: config.population, x: config.x, y: config.y };
    const about = asked.shape
      ? { shape: asked.shape }
      : Object.assign({ gate: asked.line.gate }, asked.where, { limits: movedLimits(present) });
    post("count", Object.assign(words, about))
      .then(function (answer) { if (present === state) { take(asked.line, answer); } })
      .catch(function (error) { say(error.message); })
      .finally(function () {
        busy = false;
        if (waiting) { send(); } else if (present === state) { later(); }
      });
  }

  function askShape() {
    waiting = { shape: JSON.parse(JSON.stringify(state.shape)) };
    if (!busy) { send(); }
  }

  function take(line, answer) {
    if (line) {
      line.limit = answer.limit;
      if (!waiting) { line.place = answer.place; }
      note(line);
    }
    state.quadrants = answer.quadrants || {};
    state.label = answer.label;
    write("gate-count", answer.count);
    write("gate-parent", answer.parent);
    write("gate-percent", answer.percent);
    write("gate-interval", answer.interval);
    write("gate-cells", answer.cells);
    const live = byId("gate-live");
    if (live) { live.hidden = !hasMoved(); }
    drawLimits();
    fillInputs();
    say("");
    buttons();
  }

  function later() {
    clearTimeout(settle);
    const present = state;
    settle = setTimeout(function () {
      if (present !== state) { return; }
      state.keyed = null;
      write("gate-said", (byId("gate-count") || {}).textContent + " " + (byId("gate-percent") || {}).textContent);
      preview();
    }, SETTLE_MS);
  }

  function movedLimits(of) { return Object.assign({}, of.moved); }

  /* What is decided by saving: limits that moved, or the shape that was drawn. */
  function decided() { return state.shape ? { shape: state.shape } : { limits: movedLimits(state) }; }

  function snapshot() {
    const limits = state.lines.map(function (line) { return { gate: line.gate, limit: line.limit, place: line.place }; });
    return { limits: limits, shape: state.shape ? JSON.parse(JSON.stringify(state.shape)) : null };
  }

  function remember(before) {
    state.undo.push(before);
    buttons();
  }

  function undo() {
    const before = state.undo.pop();
    if (!before) { return; }
    restore(before);
  }

  function discard() {
    state.undo = [];
    restore({ limits: state.start, shape: state.given.shape || null });
  }

  /* Limits and shape go back to known places; the count is asked for once they all are there. */
  function restore(before) {
    let last = null;
    state.keyed = null;
    state.drawing = null;
    const other = JSON.stringify(before.shape) !== JSON.stringify(state.shape);
    const switches = Boolean(before.shape) !== Boolean(state.shape);
    state.shape = before.shape ? JSON.parse(JSON.stringify(before.shape)) : null;
    before.limits.forEach(function (one) {
      const line = state.lines.find(function (mine) { return mine.gate === one.gate; });
      if (!line || line.limit === one.limit) { return; }
      line.limit = one.limit;
      line.place = one.place;
      note(line);
      last = line;
    });
    if (switches) { drawPictures(); }
    changed(other, last);
  }

  /* What the gate is has changed: drawn, counted and listed anew. */
  function changed(isShape, line) {
    drawLimits();
    if (state.shape) { if (isShape) { askShape(); } }
    else if (line || (isShape && state.lines.length)) { ask(line || state.lines[0], { limit: (line || state.lines[0]).limit }); }
    else if (isShape) { state.label = ""; }
    markTool();
    listInputs();
    buttons();
  }

  function markTool() {
    const chosen = state.tool || (state.shape ? state.shape.kind : "limits");
    document.querySelectorAll("button[data-tool]").forEach(function (button) {
      const isOn = button.dataset.tool === chosen;
      button.classList.toggle("on", isOn);
      button.setAttribute("aria-pressed", String(isOn));
      button.disabled = button.dataset.tool === "limits" && config.is_drawn;
    });
  }

  function chooseTool(kind) {
    if ((state.shape ? state.shape.kind : "limits") === kind && !state.drawing) { return; }
    const had = Boolean(state.shape);
    remember(snapshot());
    state.drawing = null;
    state.shape = kind === "limits" ? null : window.corelabShape.convert(editor, kind);
    if (had !== Boolean(state.shape)) { drawPictures(); }
    changed(true, null);
  }

  function note(line) {
    const first = state.start.find(function (one) { return one.gate === line.gate; });
    if (first.limit === line.limit) { delete state.moved[line.gate]; } else { state.moved[line.gate] = line.limit; }
  }

  /* ---- the column beside ---- */

  function write(id, text) {
    const element = byId(id);
    if (element && text !== undefined) { element.textContent = text; }
  }

  function say(text) { write("gate-problem-said", text); }

  function hasMoved() {
    if (state.shape) { return JSON.stringify(state.shape) !== JSON.stringify(state.given.shape || null); }
    return Object.keys(state.moved).length > 0;
  }

  function buttons() {
    const save = byId("gate-save");
    if (!save) { return; }
    const reason = byId("gate-reason");
    save.disabled = !hasMoved() || !reason.value.trim() || state.saving;
    byId("gate-undo").disabled = !state.undo.length;
    byId("gate-discard").disabled = !hasMoved();
  }

  function listInputs() {
    const holder = byId("gate-limits");
    if (!holder) { return; }
    holder.replaceChildren();
    if (state.shape) {
      const words = config.words["shape_" + state.shape.kind].replace("{n}", state.shape.points.length);
      addParagraph(holder, words);
      return;
    }
    state.lines.forEach(function (line, index) {
      const row = document.createElement("div");
      row.className = "limit-row";
      const label = document.createElement("label");
      label.textContent = config.words.limit.replace("{gate}", line.gate);
      label.htmlFor = "gate-limit-" + index;
      const input = document.createElement("input");
      input.type = "number";
      input.step = "any";
      input.id = label.htmlFor;
      input.readOnly = !config.may_edit;
      input.dataset.gate = line.gate;
      input.addEventListener("change", function () {
        const limit = parseFloat(input.value);
        if (!Number.isFinite(limit) || limit === line.limit) { return; }
        remember(snapshot());
        ask(line, { limit: limit });
      });
      row.append(label, input);
      holder.appendChild(row);
    });
    fillInputs();
  }

  function fillInputs() {
    document.querySelectorAll("#gate-limits input").forEach(function (input) {
      const line = state.lines.find(function (one) { return one.gate === input.dataset.gate; });
      if (!line) { return; }
      input.value = String(Number(line.limit.toPrecision(4)));
      input.parentElement.classList.toggle("moved", line.gate in state.moved);
    });
  }

  function preview() {
    const holder = byId("gate-preview");
    if (!holder || !config.may_edit) { return; }
    if (!hasMoved()) { holder.replaceChildren(); }
    if (!state.shape && !state.lines.length) { return; }
    const present = state;
    const words = { population: config.population, x: config.x, y: config.y };
    post("preview", Object.assign(words, hasMoved() ? decided() : { limits: {} }))
      .then(function (answer) { if (present === state) { showPreview(holder, answer); } })
      .catch(function (error) { say(error.message); });
  }

  function showPreview(holder, answer) {
    holder.replaceChildren();
    showControls(answer.controls);
    if (!hasMoved()) { return; }
    const heading = document.createElement("h2");
    heading.textContent = config.words.before_after;
    holder.appendChild(heading);
    if (!answer.changes.rows.length) { addParagraph(holder, config.words.no_change); }
    else { holder.appendChild(buildTable(answer.changes.rows)); }
    if (answer.changes.more) { addParagraph(holder, answer.changes.more); }
    if (answer.dependents.length) {
      addParagraph(holder, config.words.dependents + " " + answer.dependents.join(", "));
    }
  }

  /* What the same limits hold in the control and before infusion. */
  function showControls(counts) {
    Object.keys(counts).forEach(function (kind) {
      const cells = document.querySelectorAll('#gate-controls tr[data-control="' + kind + '"] td');
      counts[kind].forEach(function (text, index) { if (cells[index]) { cells[index].textContent = text; } });
    });
  }

  function addParagraph(holder, text) {
    const line = document.createElement("p");
    line.className = "quiet";
    line.textContent = text;
    holder.appendChild(line);
  }

  function buildTable(rows) {
    const table = document.createElement("table");
    table.className = "plain";
    const body = table.createTBody();
    rows.forEach(function (row) {
      const line = body.insertRow();
      const name = document.createElement("th");
      name.scope = "row";
      name.textContent = row[0];
      line.appendChild(name);
      row.slice(1).forEach(function (text) {
        const cell = line.insertCell();
        cell.className = "number";
        cell.textContent = text;
      });
    });
    return table;
  }

  function readScope() {
    const chosen = document.querySelector("#gate-scope input:checked");
    return chosen ? chosen.value : "acquisition";
  }

  function save(extra) {
    const reason = byId("gate-reason").value.trim();
    state.saving = true;
    buttons();
    const words = { scope: readScope(), reason: reason, population: config.population, x: config.x, y: config.y };
    post("decisions", Object.assign(words, extra || decided()))
      .then(function () { window.corelab.reloadPage(); })
      .catch(function (error) { state.saving = false; say(error.message); buttons(); });
  }

  document.addEventListener("click", function (event) {
    const button = event.target.closest && event.target.closest("button");
    if (!button || !state) { return; }
    if (button.dataset.tool) { chooseTool(button.dataset.tool); }
    else if (button.id === "gate-save") { save(null); }
    else if (button.id === "gate-undo") { undo(); }
    else if (button.id === "gate-discard") { discard(); }
    else if (button.classList.contains("take-back")) {
      save({ take_back: button.dataset.gate, kind: button.dataset.kind, scope: button.dataset.scope });
    }
  });

  document.addEventListener("input", function (event) {
    if (event.target.id === "gate-reason" && state) { buttons(); }
  });

  document.addEventListener("change", function (event) {
    if (event.target.closest && event.target.closest("#gate-scope") && config && config.scopes) {
      write("gate-changes", config.scopes[readScope()]);
    }
  });

  /* What the shapes of 41-shape.js need of the editor. */
  const editor = {
    config: function () { return config; },
    state: function () { return state; },
    box: plotBox, make: make, unit: unit, snapshot: snapshot, remember: remember, path: pathOf,
    regions: function () { return corners(state.lines); },
    redraw: drawLimits,
    undo: undo,
    moved: function () { drawLimits(); askShape(); listInputs(); buttons(); },
    begin: function () { drawPictures(); markTool(); }
  };

  /* ---- opening ---- */

  function openGate(given, word) {
    scheme = word === "dark" ? "dark" : "light";
    if (given && (!state || state.given !== given)) {
      config = given;
      const lines = (given.lines || []).map(function (line) { return Object.assign({}, line); });
      const start = lines.map(function (line) { return Object.assign({}, line); });
      state = { given: given, lines: lines, start: start, moved: {}, undo: [], label: given.label || "", keyed: null, saving: false,
                shape: given.shape ? JSON.parse(JSON.stringify(given.shape)) : null, drawing: null, quadrants: {} };
      waiting = null;
      clearTimeout(settle);
    }
    waitFor(0);
    return window.dash_clientside.no_update;
  }

  function waitFor(tries) {
    const plot = byId("gate-plot");
    if (plot && plot.clientWidth > 60) {
      drawPictures();
      drawLimits();
      markTool();
      showOwn();
      if (!byId("gate-limits") || !byId("gate-limits").children.length) { listInputs(); }
      return;
    }
    if (tries < 60) { setTimeout(function () { waitFor(tries + 1); }, 50); }
    else { drawPictures(); }
  }

  /* The plot of this tube stands in the middle of the row. */
  function showOwn() {
    const row = byId("gate-small");
    const own = row && row.querySelector(".small.own");
    if (own) { row.scrollLeft = own.offsetLeft - row.offsetLeft - (row.clientWidth - own.clientWidth) / 2; }
  }

  function pickGate(x, y, back, given) {
    if (!given || !given.usual) { return window.dash_clientside.no_update; }
    const same = x === given.x && y === given.y && (back || "") === (new URLSearchParams(location.search).get("back") || "");
    if (same || !x || !y) { return window.dash_clientside.no_update; }
    const words = new URLSearchParams(given.address.split("?")[1] || "");
    if (x !== given.usual[0]) { words.set("x", x); }
    if (y !== given.usual[1]) { words.set("y", y); }
    if (back) { words.set("back", back); }
    go(words.toString());
    return window.dash_clientside.no_update;
  }

  function go(search) {
    window.corelab.goTo(location.pathname + (search ? "?" + search : ""));
  }

  const FILTERS = ["subject", "visit", "panel", "tube", "quality", "state"];

  function filterSamples() {
    const values = Array.from(arguments);
    const words = new URLSearchParams();
    FILTERS.forEach(function (name, index) { if (values[index]) { words.set(name, values[index]); } });
    const known = new URLSearchParams(location.search);
    const same = FILTERS.every(function (name) { return (words.get(name) || "") === (known.get(name) || ""); });
    if (!same && location.pathname === "/samples") { go(words.toString()); }
    return window.dash_clientside.no_update;
  }

  Object.assign(window.dash_clientside.corelab, { openGate: openGate, pickGate: pickGate, filterSamples: filterSamples });

  /* A cell of a list that leads to a page of this site, without loading the whole page again. */
  const components = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  function leadTo(address, text) {
    return window.React.createElement("a", {
      href: address,
      onClick: function (event) {
        if (event.ctrlKey || event.metaKey || event.shiftKey) { return; }
        event.preventDefault();
        window.corelab.goTo(address);
      }
    }, text);
  }
  components.SampleLink = function (props) { return leadTo("/samples/" + props.data.file_id, props.value); };
  components.ChildLink = function (props) { return leadTo("/patients/" + encodeURIComponent(props.value), props.value); };
  components.TubesLink = function (props) {
    return leadTo("/samples?" + new URLSearchParams({ subject: props.data.subject_id, visit: props.value }), props.value);
  };
})();
