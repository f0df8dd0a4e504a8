/* The course of one child: a cursor line over all rows, the values of its visit in the column beside, a click
   or a key that opens a value. Words and places come from the server (`patient-readings`). */
(function () {
  "use strict";

  const READOUT_GAP = 8;
  const READOUT_LEAST = 60;
  const LINE = 13;
  let readings = {};
  let choice = [];
  let focus = null;

  function graph() { return document.querySelector("#patient-graph .js-plotly-plot"); }

  /* One px of the drawing: 1.2 on a wall screen, as in the style sheet. */
  function unit() {
    return parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--u")) || 1;
  }

  function choose(words) { window.corelab.setProps("patient-choice", { data: words }); }

  function axisOf(gd, number) { return gd._fullLayout["yaxis" + (number === 1 ? "" : number)]; }

  function isRow(axis) { return axis && axis._length > 0 && axis.anchor === "x"; }

  /* Rows in px from the top of the chart, in the order in which the server names them. */
  function rowBoxes(gd) {
    return (readings.rows || []).map(function (key, index) {
      const axis = axisOf(gd, index + 1);
      return isRow(axis) ? { key: key, axis: axis, top: axis._offset, height: axis._length } : null;
    }).filter(Boolean);
  }

  function placeLine(id, gd, x) {
    const line = document.getElementById(id);
    const boxes = gd && rowBoxes(gd);
    if (!line || !boxes || !boxes.length || x === null) { if (line) { line.style.display = "none"; } return; }
    const axis = gd._fullLayout.xaxis;
    const px = axis.d2p(x);
    const last = boxes[boxes.length - 1];
    const seen = px >= 0 && px <= axis._length;
    line.style.display = seen ? "block" : "none";
    line.style.left = Math.round(axis._offset + px) + "px";
    line.style.top = boxes[0].top + "px";
    line.style.height = (last.top + last.height - boxes[0].top) + "px";
  }

  function writeLine(pieces) {
    const line = document.createElement("div");
    pieces.forEach(function (piece) {
      const span = document.createElement("span");
      span.textContent = piece[0];
      span.className = "tone-" + piece[1];
      line.appendChild(span);
    });
    return line;
  }

  function hideReadout() {
    const column = document.getElementById("patient-readout");
    if (column) { column.replaceChildren(); }
    placeLine("patient-cursor", graph(), null);
  }

  function showReadout(label) {
    const gd = graph();
    const visit = readings.visits && readings.visits[label];
    const column = document.getElementById("patient-readout");
    if (!gd || !visit || !column) { return; }
    placeLine("patient-cursor", gd, visit.x);
    const axis = gd._fullLayout.xaxis;
    const left = axis._offset + axis._length + READOUT_GAP * unit();
    const width = gd._fullLayout.width - left;
    column.replaceChildren();
    if (width < READOUT_LEAST * unit()) { return; } /* the drawer stands in its place */
    rowBoxes(gd).forEach(function (box) {
      const cell = document.createElement("div");
      cell.className = "readout row-" + box.key;
      Object.assign(cell.style, {
        display: "block", left: left + "px", top: box.top + "px", width: width + "px", height: box.height + "px"
      });
      (visit.rows[box.key] || []).forEach(function (pieces, index) {
        const line = writeLine(pieces);
        if (box.key === "tracks") {
          Object.assign(line.style, {
            position: "absolute", top: (box.axis.d2p(index) - LINE * unit() / 2) + "px"
          });
        }
        cell.appendChild(line);
      });
      column.appendChild(cell);
    });
  }

  /* With one cursor through all rows a click brings a point of every row: the one under the pointer counts. */
  function pickPoint(event) {
    const gd = graph();
    const y = event.event ? event.event.clientY - gd.getBoundingClientRect().top : null;
    const points = event.points.filter(function (point) { return isValue(point.customdata); });
    const inside = points.filter(function (point) {
      return y === null || (y >= point.yaxis._offset && y <= point.yaxis._offset + point.yaxis._length);
    });
    return inside.sort(function (one, other) { return gap(one, y) - gap(other, y); })[0] || null;
  }

  function gap(point, y) {
    return Math.abs(point.yaxis._offset + point.yaxis.d2p(point.y) - (y || 0));
  }

  function attach(gd) {
    if (gd.dataset.watched) { return; }
    gd.dataset.watched = "yes";
    gd.on("plotly_hover", function (event) {
      const point = event.points.find(function (one) { return Array.isArray(one.customdata); });
      if (point) { showReadout(point.customdata[2]); }
    });
    gd.on("plotly_unhover", hideReadout);
    gd.on("plotly_afterplot", function () { markChoice(); });
    gd.on("plotly_click", function (event) {
      const point = pickPoint(event);
      if (point) { choose(point.customdata.slice(0, 4)); }
    });
  }

  function markChoice() {
    const visit = choice && readings.visits && readings.visits[choice[2]];
    placeLine("patient-chosen", graph(), visit ? visit.x : null);
  }

  function watchCourse(newReadings, newChoice) {
    readings = newReadings || {};
    choice = newChoice || [];
    waitFor(0);
    return window.dash_clientside.no_update;
  }

  function waitFor(tries) {
    const gd = graph();
    if (gd && gd.on && gd._fullLayout) { attach(gd); markChoice(); return; }
    if (tries < 100) { setTimeout(function () { waitFor(tries + 1); }, 50); }
  }

  /* Arrow keys walk through the values: left and right in a row, up and down between rows. */
  /* Bars of subsets, events and drugs are read in the column beside; only measured values open the drawer. */
  function isValue(words) {
    return Array.isArray(words) && words.length >= 4 && !/^(phenotype|events|drugs)\b/.test(words[1]);
  }

  function listMarks(gd) {
    const marks = [];
    (gd._fullData || []).forEach(function (trace) {
      (trace.customdata || []).forEach(function (words) {
        if (isValue(words) && readings.visits && readings.visits[words[2]]) {
          marks.push({ words: words.slice(0, 4), row: words[1], x: readings.visits[words[2]].x });
        }
      });
    });
    return marks;
  }

  function step(marks, key) {
    const rows = marks.map(function (mark) { return mark.row; })
      .filter(function (row, index, all) { return all.indexOf(row) === index; });
    const current = focus || marks[0];
    const inRow = function (row) {
      return marks.filter(function (mark) { return mark.row === row; })
        .sort(function (one, other) { return one.x - other.x; });
    };
    if (key === "ArrowLeft" || key === "ArrowRight") {
      const row = inRow(current.row);
      const place = row.findIndex(function (mark) { return mark.words[2] === current.words[2]; });
      const next = focus ? place + (key === "ArrowRight" ? 1 : -1) : place;
      return row[Math.max(0, Math.min(row.length - 1, next))];
    }
    const at = rows.indexOf(current.row) + (key === "ArrowDown" ? 1 : -1);
    const row = inRow(rows[Math.max(0, Math.min(rows.length - 1, at))]);
    return row.sort(function (one, other) {
      return Math.abs(one.x - current.x) - Math.abs(other.x - current.x);
    })[0];
  }

  document.addEventListener("keydown", function (event) {
    const chart = event.target.closest && event.target.closest("#patient-chart");
    const gd = chart && graph();
    if (!gd || event.ctrlKey || event.metaKey || event.altKey) { return; }
    const marks = listMarks(gd);
    if (!marks.length) { return; }
    if (event.key === "Enter" && focus) { event.preventDefault(); choose(focus.words); return; }
    if (!/^Arrow(Left|Right|Up|Down)$/.test(event.key)) { return; }
    event.preventDefault();
    focus = step(marks, event.key);
    showReadout(focus.words[2]);
    announce(focus);
  });

  function announce(mark) {
    const lines = readings.visits[mark.words[2]].rows[mark.row] || [];
    const said = lines.map(function (line) {
      return line.map(function (piece) { return piece[0]; }).join("");
    }).join(", ");
    const announcer = document.getElementById("patient-said");
    if (announcer) { announcer.textContent = [mark.words[2], said].join(": "); }
  }

  document.addEventListener("click", function (event) {
    const button = event.target.closest && event.target.closest("[data-choice]");
    if (button) { choose(JSON.parse(button.getAttribute("data-choice"))); }
  });

  window.addEventListener("resize", hideReadout);

  Object.assign(window.dash_clientside.corelab, { watchCourse: watchCourse });
})();
