/* Shapes over the plot of a gate: drawn and moved by pointer or keys. Places are 0 to 1 across and up; what a
   shape holds is counted by the server. */
(function () {
  "use strict";

  const STEP = 0.01;
  const FINE = 0.001;
  const CORNER = 9;
  const NEAR_PX = 11;
  const LEAST = 0.004;
  const MOST = 64;

  let editor = null;

  function state() { return editor.state(); }
  function round(place) { return Math.round(place * 1e4) / 1e4; }
  function clamp(place) { return Math.min(1, Math.max(0, place)); }
  function inside(point) { return [round(clamp(point[0])), round(clamp(point[1]))]; }
  function copy(shape) { return JSON.parse(JSON.stringify(shape)); }
  function px(point, at) { return [point[0] * at.width, (1 - point[1]) * at.height]; }
  function place(point, at) { return [point[0] / at.width, 1 - point[1] / at.height]; }
  function apart(one, other) { return Math.hypot(one[0] - other[0], one[1] - other[1]); }

  /* ---- geometry ---- */

  function box(shape) {
    const points = outline(shape);
    const xs = points.map(function (point) { return point[0]; });
    const ys = points.map(function (point) { return point[1]; });
    return [
      clamp(Math.min.apply(null, xs)), clamp(Math.min.apply(null, ys)),
      clamp(Math.max.apply(null, xs)), clamp(Math.max.apply(null, ys))
    ];
  }

  function outline(shape) {
    const p = shape.points;
    if (shape.kind === "polygon") { return p; }
    if (shape.kind === "ellipse") {
      const around = [];
      for (let i = 0; i < 72; i += 1) {
        const c = Math.cos(i / 36 * Math.PI);
        const s = Math.sin(i / 36 * Math.PI);
        around.push([0, 1].map(function (k) { return p[0][k] + c * (p[1][k] - p[0][k]) + s * (p[2][k] - p[0][k]); }));
      }
      return around;
    }
    let low = p[0];
    let high = p[1];
    if (shape.kind === "quadrant") {
      low = [0, 1].map(function (k) { return p[1][k] ? p[0][k] : 0; });
      high = [0, 1].map(function (k) { return p[1][k] ? 1 : p[0][k]; });
    }
    return [[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]];
  }

  /* The half-axes of an ellipse as they look on the screen: at a right angle there. */
  function arms(shape, at) {
    const c = px(shape.points[0], at);
    const ends = shape.points.slice(1).map(function (end) {
      const e = px(end, at);
      return [e[0] - c[0], e[1] - c[1]];
    });
    const a = ends[0][0] * ends[0][0] + ends[1][0] * ends[1][0];
    const b = ends[0][0] * ends[0][1] + ends[1][0] * ends[1][1];
    const d = ends[0][1] * ends[0][1] + ends[1][1] * ends[1][1];
    const middle = (a + d) / 2;
    const spread = Math.hypot((a - d) / 2, b);
    const angle = 0.5 * Math.atan2(2 * b, a - d);
    const long = Math.sqrt(Math.max(middle + spread, 0));
    const short = Math.sqrt(Math.max(middle - spread, 0));
    return {
      c: c, long: long, short: short,
      u: [Math.cos(angle) * long, Math.sin(angle) * long],
      v: [-Math.sin(angle) * short, Math.cos(angle) * short]
    };
  }

  function ellipse(c, u, v, at) {
    const points = [c, [c[0] + u[0], c[1] + u[1]], [c[0] + v[0], c[1] + v[1]]];
    return { kind: "ellipse", points: points.map(function (one) { return place(one, at).map(round); }) };
  }

  function fromBox(kind, b) {
    const x = (b[0] + b[2]) / 2;
    const y = (b[1] + b[3]) / 2;
    if (kind === "rectangle") { return { kind: kind, points: [inside([b[0], b[1]]), inside([b[2], b[3]])] }; }
    if (kind === "ellipse") { return { kind: kind, points: [inside([x, y]), inside([b[2], y]), inside([x, b[3]])] }; }
    const corners = [[b[0], b[1]], [b[2], b[1]], [b[2], b[3]], [b[0], b[3]]];
    return { kind: "polygon", points: corners.map(inside) };
  }

  /* A shape of another kind that lies where the gate is now. */
  function convert(from, kind) {
    editor = from;
    const now = state().shape;
    const regions = state().lines.length ? from.regions() : [];
    const present = now || (regions.length ? { kind: "polygon", points: regions[0] } : null);
    if (kind === "quadrant") { return toQuadrant(now); }
    if (kind === "polygon" && present) {
      const points = outline(present).map(inside);
      const stride = Math.ceil(points.length / (now && now.kind === "polygon" ? MOST : 16));
      return { kind: kind, points: points.filter(function (_, i) { return i % stride === 0; }) };
    }
    const b = present ? box(present) : [0.25, 0.25, 0.75, 0.75];
    return fromBox(kind, b[2] - b[0] > LEAST && b[3] - b[1] > LEAST ? b : [0.25, 0.25, 0.75, 0.75]);
  }

  function toQuadrant(now) {
    const lines = state().lines;
    const find = function (side) { return lines.find(function (line) { return line.side === side; }); };
    const b = now ? box(now) : null;
    const sides = ["x", "y"].map(function (side, k) {
      const line = find(side);
      if (b) { return b[k] > 0.001 ? [b[k], 1] : b[k + 2] < 0.999 ? [b[k + 2], 0] : [0.5, 1]; }
      return line ? [line.place, line.positive ? 1 : 0] : [0.5, 1];
    });
    return { kind: "quadrant", points: [inside([sides[0][0], sides[1][0]]), [sides[0][1], sides[1][1]]] };
  }

  /* ---- handles: each says where it is and what a new place makes of the shape ---- */

  function listHandles(shape, at) {
    const words = editor.config().words;
    const p = shape.points;
    if (shape.kind === "polygon") {
      return p.map(function (point, i) {
        const label = words.corner.replace("{n}", i + 1).replace("{all}", p.length);
        return { id: "v" + i, index: i, label: label, at: point, set: function (to) { return withPoint(shape, i, inside(to)); } };
      });
    }
    if (shape.kind === "ellipse") { return listArms(shape, at); }
    if (shape.kind === "quadrant") {
      return [{ id: "cross", label: words.crossing, at: p[0], set: function (to) { return withPoint(shape, 0, inside(to)); } }];
    }
    return listSides(shape);
  }

  function withPoint(shape, index, point) {
    const next = copy(shape);
    next.points[index] = point;
    return next;
  }

  function listSides(shape) {
    const words = editor.config().words;
    const p = shape.points;
    const middle = [(p[0][0] + p[1][0]) / 2, (p[0][1] + p[1][1]) / 2];
    const found = [];
    [[0, 0], [1, 0], [1, 1], [0, 1]].forEach(function (corner, i) {
      found.push(side("v" + i, words.corner.replace("{n}", i + 1).replace("{all}", 4), corner));
    });
    [[null, 0], [1, null], [null, 1], [0, null]].forEach(function (corner, i) {
      found.push(side("s" + i, words.side.replace("{n}", i + 1), corner));
    });
    return found;

    function side(id, label, corner) {
      return {
        id: id, label: label, isSide: corner.indexOf(null) >= 0,
        at: [0, 1].map(function (k) { return corner[k] === null ? middle[k] : p[corner[k]][k]; }),
        set: function (to) {
          const next = copy(shape);
          [0, 1].forEach(function (k) {
            if (corner[k] === null) { return; }
            const other = p[1 - corner[k]][k];
            const limit = corner[k] ? Math.max(to[k], other + LEAST) : Math.min(to[k], other - LEAST);
            next.points[corner[k]][k] = round(clamp(limit));
          });
          return next;
        }
      };
    }
  }

  function listArms(shape, at) {
    const a = arms(shape, at);
    return [[a.u, 1], [a.v, 1], [a.u, -1], [a.v, -1]].map(function (arm, i) {
      const end = [a.c[0] + arm[1] * arm[0][0], a.c[1] + arm[1] * arm[0][1]];
      return {
        id: "v" + i, label: editor.config().words.arm.replace("{n}", i + 1), at: place(end, at),
        set: function (to) {
          const target = px(to, at);
          const u = [target[0] - a.c[0], target[1] - a.c[1]];
          const length = Math.max(Math.hypot(u[0], u[1]), 4);
          const other = i % 2 ? a.long : a.short;
          const v = [-u[1] / length * other, u[0] / length * other];
          return ellipse(a.c, u, v, at);
        }
      };
    });
  }

  function moveAll(shape, dx, dy) {
    const next = copy(shape);
    const moving = shape.kind === "quadrant" ? [shape.points[0]] : shape.points;
    const held = shape.kind === "ellipse" ? [shape.points[0]] : moving;
    const limit = function (by, k) {
      const all = held.map(function (point) { return point[k]; });
      return Math.min(Math.max(by, -Math.min.apply(null, all)), 1 - Math.max.apply(null, all));
    };
    const by = [limit(dx, 0), limit(dy, 1)];
    moving.forEach(function (point, i) { next.points[i] = [round(point[0] + by[0]), round(point[1] + by[1])]; });
    return next;
  }

  /* ---- drawing ---- */

  function draw(from, svg, at, colour) {
    editor = from;
    const present = state();
    const make = editor.make;
    const mayDraw = editor.config().may_draw;
    const frame = make("svg", { x: at.left, y: at.top, width: at.width, height: at.height, class: "shapes" }, svg);
    const inner = { left: 0, top: 0, width: at.width, height: at.height };
    if (mayDraw && (present.shape || present.drawing)) {
      const sheet = make("rect", { width: at.width, height: at.height, class: "sheet" }, frame);
      sheet.addEventListener("pointerdown", startDrawing);
      sheet.addEventListener("dblclick", finish);
      sheet.addEventListener("pointermove", hover);
    }
    if (present.drawing) { drawOpen(frame, inner, colour); return; }
    const shape = present.shape;
    if (!shape) { return; }
    const path = editor.path(outline(shape), inner);
    make("path", { d: path, class: "halo", "stroke-width": 5 }, frame);
    const body = make("path", { d: path, class: "body", stroke: colour, "stroke-width": 2 }, frame);
    if (shape.kind === "quadrant") { drawQuadrant(svg, frame, at, colour); }
    if (!mayDraw) { return; }
    body.classList.add("movable");
    if (shape.kind !== "quadrant") {
      describe(body, "body", editor.config().words.whole, centre(shape));
      body.addEventListener("dblclick", addCorner);
    }
    body.addEventListener("pointerdown", function (event) { startMove(event, null); });
    listHandles(shape, at).forEach(function (handle) {
      const x = at.left + clamp(handle.at[0]) * at.width - CORNER / 2;
      const y = at.top + (1 - clamp(handle.at[1])) * at.height - CORNER / 2;
      const group = make("g", { class: "corner" + (handle.isSide ? " side" : "") }, svg);
      make("rect", { x: x - 4, y: y - 4, width: CORNER + 8, height: CORNER + 8, class: "grip" }, group);
      make("rect", { x: x, y: y, width: CORNER, height: CORNER, class: "handle", stroke: colour }, group);
      describe(group, handle.id, handle.label, handle.at);
      group.addEventListener("pointerdown", function (event) { startMove(event, handle.id); });
    });
  }

  function centre(shape) {
    const b = box(shape);
    return [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2];
  }

  function describe(element, id, label, at) {
    const percent = at.map(function (one) { return Math.round(one * 1000) / 10; });
    element.setAttribute("data-gate-handle", id);
    element.setAttribute("tabindex", "0");
    element.setAttribute("role", "slider");
    element.setAttribute("aria-label", label);
    element.setAttribute("aria-valuemin", "0");
    element.setAttribute("aria-valuemax", "100");
    element.setAttribute("aria-valuenow", Math.min(100, Math.max(0, percent[0])));
    element.setAttribute("aria-valuetext", editor.config().words.place.replace("{x}", percent[0]).replace("{y}", percent[1]));
  }

  function drawOpen(frame, inner, colour) {
    const drawing = state().drawing;
    const points = drawing.points.concat(drawing.hover ? [drawing.hover] : []);
    const path = editor.path(points, inner).replace(/Z$/, "");
    editor.make("path", { d: path, class: "halo open", "stroke-width": 5 }, frame);
    editor.make("path", { d: path, class: "open", stroke: colour, "stroke-width": 2, fill: "none" }, frame);
    drawing.points.forEach(function (point, i) {
      const at = px(point, inner);
      editor.make("circle", { cx: at[0], cy: at[1], r: i ? 3 : 5, class: "handle open", stroke: colour }, frame);
    });
  }

  /* The other two lines of the cross, and what each quadrant holds. */
  function drawQuadrant(svg, frame, at, colour) {
    const shape = state().shape;
    const cross = px(shape.points[0], at);
    const d = "M0 " + cross[1] + "H" + at.width + "M" + cross[0] + " 0V" + at.height;
    editor.make("path", { d: d, stroke: colour, "stroke-width": 1, "stroke-dasharray": "5 3", fill: "none", class: "open" }, frame);
    const u = editor.unit();
    [[0, 0], [1, 0], [0, 1], [1, 1]].forEach(function (which) {
      const key = which.join("");
      const isOwn = String(shape.points[1]) === String(which);
      const count = state().quadrants[key];
      if (isOwn || count === undefined || !editor.config().may_draw) { return; }
      const x = at.left + (which[0] ? at.width - 6 * u : 6 * u);
      const y = at.top + (which[1] ? 16 * u : at.height - 8 * u);
      const text = editor.make("text", { x: x, y: y, "text-anchor": which[0] ? "end" : "start", fill: colour, class: "quadrant" }, svg);
      text.textContent = count;
      text.setAttribute("data-gate-handle", "q" + key);
      text.setAttribute("tabindex", "0");
      text.setAttribute("role", "button");
      text.setAttribute("aria-label", editor.config().words.quadrant.replace("{which}", key).replace("{count}", count));
      text.addEventListener("click", function () { chooseQuadrant(which); });
    });
  }

  function chooseQuadrant(which) {
    editor.remember(editor.snapshot());
    state().shape.points[1] = which;
    editor.moved();
  }

  /* ---- by pointer ---- */

  function locate(event) {
    const at = editor.box();
    const frame = document.getElementById("gate-plot").getBoundingClientRect();
    return [(event.clientX - frame.left - at.left) / at.width, 1 - (event.clientY - frame.top - at.top) / at.height];
  }

  function follow(move, stop) {
    const end = function () {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", end);
      window.removeEventListener("pointercancel", end);
      stop();
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end);
    window.addEventListener("pointercancel", end);
  }

  function startMove(event, id) {
    if (event.button) { return; }
    event.preventDefault();
    if (event.currentTarget.focus) { event.currentTarget.focus({ preventScroll: true }); }
    const before = editor.snapshot();
    const first = copy(state().shape);
    const start = locate(event);
    const at = editor.box();
    const handle = id && listHandles(first, at).find(function (one) { return one.id === id; });
    let hasMoved = false;
    follow(function (moved) {
      const now = locate(moved);
      const by = [now[0] - start[0], now[1] - start[1]];
      if (!hasMoved && Math.abs(by[0]) * at.width + Math.abs(by[1]) * at.height < 1) { return; }
      hasMoved = true;
      state().shape = handle ? handle.set([handle.at[0] + by[0], handle.at[1] + by[1]]) : moveAll(first, by[0], by[1]);
      editor.moved();
    }, function () { if (hasMoved) { editor.remember(before); } });
  }

  function startDrawing(event) {
    if (event.button) { return; }
    event.preventDefault();
    const present = state();
    const kind = present.drawing ? "polygon" : present.shape.kind;
    if (kind === "polygon") { addPoint(event); return; }
    const before = editor.snapshot();
    const first = inside(locate(event));
    let hasDrawn = kind === "quadrant";
    const drawTo = function (to) {
      if (kind === "quadrant") { present.shape = withPoint(present.shape, 0, inside(to)); editor.moved(); return; }
      const b = [Math.min(first[0], to[0]), Math.min(first[1], to[1]), Math.max(first[0], to[0]), Math.max(first[1], to[1])];
      if (b[2] - b[0] < LEAST || b[3] - b[1] < LEAST) { return; }
      hasDrawn = true;
      present.shape = fromBox(kind, b);
      editor.moved();
    };
    if (hasDrawn) { drawTo(first); }
    follow(function (moved) { drawTo(inside(locate(moved))); }, function () { if (hasDrawn) { editor.remember(before); } });
  }

  function addPoint(event) {
    const present = state();
    const at = editor.box();
    const point = inside(locate(event));
    if (!present.drawing) {
      present.drawing = { points: [point], before: editor.snapshot(), hover: null };
      const note = document.getElementById("gate-tool-note");
      if (note) { present.drawing.note = note.textContent; note.textContent = editor.config().words.closing; }
      editor.redraw();
      return;
    }
    const points = present.drawing.points;
    if (points.length >= 3 && apart(px(points[0], at), px(point, at)) <= NEAR_PX) { finish(); return; }
    if (apart(px(points[points.length - 1], at), px(point, at)) > 3 && points.length < MOST) { points.push(point); }
    editor.redraw();
  }

  function hover(event) {
    const drawing = state().drawing;
    if (!drawing) { return; }
    drawing.hover = inside(locate(event));
    editor.redraw();
  }

  function finish() {
    const present = state();
    const drawing = present.drawing;
    if (!drawing) { return; }
    leave();
    if (drawing.points.length < 3) { editor.redraw(); return; }
    present.shape = { kind: "polygon", points: drawing.points };
    editor.remember(drawing.before);
    editor.moved();
  }

  function leave() {
    const note = document.getElementById("gate-tool-note");
    if (note && state().drawing.note) { note.textContent = state().drawing.note; }
    state().drawing = null;
  }

  /* A double click on a side of a polygon puts a corner there. */
  function addCorner(event) {
    const shape = state().shape;
    if (shape.kind !== "polygon" || shape.points.length >= MOST) { return; }
    const at = editor.box();
    const point = px(locate(event), at);
    const away = shape.points.map(function (one, i) {
      return fromSide(point, px(one, at), px(shape.points[(i + 1) % shape.points.length], at));
    });
    const nearest = away.indexOf(Math.min.apply(null, away));
    if (away[nearest] > 2 * NEAR_PX) { return; }
    insert(nearest, inside(locate(event)));
  }

  function fromSide(point, one, other) {
    const length = Math.pow(apart(one, other), 2) || 1;
    const along = ((point[0] - one[0]) * (other[0] - one[0]) + (point[1] - one[1]) * (other[1] - one[1])) / length;
    const t = Math.min(1, Math.max(0, along));
    return apart(point, [one[0] + t * (other[0] - one[0]), one[1] + t * (other[1] - one[1])]);
  }

  function insert(after, point) {
    editor.remember(editor.snapshot());
    state().shape.points.splice(after + 1, 0, point);
    editor.moved();
  }

  /* ---- by keys ---- */

  document.addEventListener("keydown", function (event) {
    if (!editor || !state()) { return; }
    if (state().drawing && (event.key === "Escape" || event.key === "Enter")) {
      event.preventDefault();
      if (event.key === "Enter") { finish(); } else { leave(); editor.redraw(); }
      return;
    }
    const held = event.target.closest && event.target.closest("[data-gate-handle]");
    if (!held || !state().shape || !editor.config().may_draw) { return; }
    const id = held.getAttribute("data-gate-handle");
    if ((event.ctrlKey || event.metaKey) && event.key === "z") { event.preventDefault(); editor.undo(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey) { return; }
    if (id[0] === "q") { chooseByKey(event, id); return; }
    if (/^Arrow(Left|Right|Up|Down)$/.test(event.key)) { moveByKey(event, id); }
    else if (state().shape.kind === "polygon" && id[0] === "v") { editByKey(event, Number(id.slice(1))); }
  });

  function chooseByKey(event, id) {
    if (event.key !== "Enter" && event.key !== " ") { return; }
    event.preventDefault();
    chooseQuadrant([Number(id[1]), Number(id[2])]);
  }

  function moveByKey(event, id) {
    event.preventDefault();
    const size = event.shiftKey ? FINE : STEP;
    const dx = event.key === "ArrowRight" ? size : event.key === "ArrowLeft" ? -size : 0;
    const dy = event.key === "ArrowUp" ? size : event.key === "ArrowDown" ? -size : 0;
    const present = state();
    if (present.keyed !== id) { editor.remember(editor.snapshot()); present.keyed = id; }
    const handle = listHandles(present.shape, editor.box()).find(function (one) { return one.id === id; });
    present.shape = handle ? handle.set([handle.at[0] + dx, handle.at[1] + dy]) : moveAll(present.shape, dx, dy);
    editor.moved();
  }

  function editByKey(event, index) {
    const points = state().shape.points;
    if ((event.key === "+" || event.key === "Insert") && points.length < MOST) {
      event.preventDefault();
      const after = points[(index + 1) % points.length];
      insert(index, inside([(points[index][0] + after[0]) / 2, (points[index][1] + after[1]) / 2]));
    } else if ((event.key === "Delete" || event.key === "Backspace") && points.length > 3) {
      event.preventDefault();
      editor.remember(editor.snapshot());
      points.splice(index, 1);
      editor.moved();
    }
  }

  window.corelabShape = { draw: draw, convert: convert, outline: outline };
})();
