/* Charts whose marks can be chosen. A mark's customdata are the words that go into the frame's store, the last
   one is the sentence that is written above the chart. Arrow keys walk from mark to mark, Enter chooses. */
(function () {
  "use strict";

  const LOOK_EVERY_MS = 400;
  const MARK_PX = 18;

  function frameOf(node) { return node.closest && node.closest(".pick"); }

  function graphOf(frame) { return frame.querySelector(".js-plotly-plot"); }

  function axisOf(gd, id, kind) { return gd._fullLayout[id.replace(kind, kind + "axis")]; }

  function isMark(words) { return Array.isArray(words) && words.length > 1; }

  function say(frame, text) {
    const line = frame.querySelector(".said");
    const next = text || frame.dataset.hint;
    if (line && line.textContent !== next) { line.textContent = next; line.classList.toggle("told", Boolean(text)); }
  }

  function choose(store, words) { window.corelab.setProps(store, { data: words }); }

  /* All marks in px of the chart: of a matrix its cells, of everything else its points. */
  function listMarks(gd) {
    const marks = [];
    (gd._fullData || []).forEach(function (trace) {
      const x = axisOf(gd, trace.xaxis || "x", "x");
      const y = axisOf(gd, trace.yaxis || "y", "y");
      if (!x || !y || !trace.customdata) { return; }
      const add = function (words, at, width, height) {
        if (isMark(words) && isFinite(at[0]) && isFinite(at[1])) {
          marks.push({ words: words, x: x._offset + x.d2p(at[0]), y: y._offset + y.d2p(at[1]),
            width: width, height: height });
        }
      };
      if (trace.type === "heatmap") {
        const width = Math.abs(x.d2p(1) - x.d2p(0)), height = Math.abs(y.d2p(1) - y.d2p(0));
        trace.customdata.forEach(function (row, i) {
          row.forEach(function (words, j) { add(words, [trace.x[j], trace.y[i]], width, height); });
        });
        return;
      }
      Array.from(trace.customdata).forEach(function (words, i) {
        const value = trace.base === undefined ? 0 : 1;
        const at = trace.type === "bar" && trace.orientation === "h" && value
          ? [trace.base[i] + trace.x[i] / 2, trace.y[i]] : [trace.x[i], trace.y[i]];
        add(words, at, MARK_PX, MARK_PX);
      });
    });
    return marks;
  }

  function placeRing(frame, mark) {
    const ring = frame.querySelector(".ring");
    if (!ring) { return; }
    ring.style.display = mark ? "block" : "none";
    if (!mark) { return; }
    Object.assign(ring.style, {
      left: Math.round(mark.x - mark.width / 2) + "px", top: Math.round(mark.y - mark.height / 2) + "px",
      width: Math.round(mark.width) + "px", height: Math.round(mark.height) + "px"
    });
  }

  function same(one, other) {
    return Boolean(one && other) && JSON.stringify(one.slice(0, -1)) === JSON.stringify(other.slice(0, -1));
  }

  /* The ring stands on what is chosen, or on what the keys have reached. */
  function refresh(frame) {
    const gd = graphOf(frame);
    const held = frame.picked || null;
    placeRing(frame, held && gd ? listMarks(gd).find(function (mark) { return same(mark.words, held); }) : null);
  }

  function pick(event) {
    return event.points.map(function (point) { return point.customdata; }).find(isMark);
  }

  function attach(gd) {
    const frame = frameOf(gd);
    if (!frame || !gd.on || gd.dataset.picks) { return; }
    gd.dataset.picks = "yes";
    if (frame.dataset.picked && frame.picked === undefined) { frame.picked = JSON.parse(frame.dataset.picked); }
    gd.on("plotly_hover", function (event) {
      const words = pick(event);
      if (words) { say(frame, words[words.length - 1]); gd.style.cursor = "pointer"; }
    });
    gd.on("plotly_unhover", function () { say(frame, frame.reached || ""); });
    gd.on("plotly_afterplot", function () { refresh(frame); });
    gd.on("plotly_click", function (event) {
      const words = pick(event);
      if (words) { frame.picked = words; refresh(frame); choose(frame.dataset.store, Array.from(words)); }
    });
    refresh(frame);
  }

  setInterval(function () { document.querySelectorAll(".pick .js-plotly-plot").forEach(attach); }, LOOK_EVERY_MS);

  function step(marks, current, key) {
    if (!current) { return marks[0]; }
    const across = key === "ArrowLeft" || key === "ArrowRight";
    const sign = key === "ArrowRight" || key === "ArrowDown" ? 1 : -1;
    const far = function (mark) {
      const along = sign * (across ? mark.x - current.x : mark.y - current.y);
      const aside = Math.abs(across ? mark.y - current.y : mark.x - current.x);
      return along > 1 ? along + 4 * aside : Infinity;
    };
    return marks.reduce(function (best, mark) { return far(mark) < far(best) ? mark : best; }, current);
  }

  document.addEventListener("keydown", function (event) {
    const frame = event.target.classList && event.target.classList.contains("pick") ? event.target : null;
    const gd = frame && graphOf(frame);
    if (!gd || event.ctrlKey || event.metaKey || event.altKey) { return; }
    if (event.key === "Enter" && frame.picked) {
      event.preventDefault();
      choose(frame.dataset.store, Array.from(frame.picked));
      return;
    }
    if (!/^Arrow(Left|Right|Up|Down)$/.test(event.key)) { return; }
    const marks = listMarks(gd);
    if (!marks.length) { return; }
    event.preventDefault();
    const now = marks.find(function (mark) { return same(mark.words, frame.picked); });
    const next = step(marks, now, event.key);
    frame.picked = next.words;
    frame.reached = next.words[next.words.length - 1];
    placeRing(frame, next);
    say(frame, frame.reached);
  });

  document.addEventListener("click", function (event) {
    const button = event.target.closest && event.target.closest("[data-pick]");
    if (!button) { return; }
    const words = JSON.parse(button.dataset.pick);
    document.querySelectorAll('.pick[data-store="' + button.dataset.store + '"]').forEach(function (frame) {
      frame.picked = words.length ? words : null;
      refresh(frame);
    });
    if (button.dataset.prop && button.dataset.prop !== "data") {
      window.corelab.setProps(button.dataset.store, { [button.dataset.prop]: words });
      return;
    }
    choose(button.dataset.store, words.length ? words : null);
  });

  /* The values of a page's controls go into the address; nothing is loaded. The last argument names them. */
  function keepAddress() {
    const values = Array.from(arguments).slice(0, -1);
    const names = arguments[arguments.length - 1] || [];
    const query = new URLSearchParams();
    names.forEach(function (name, index) {
      const value = values[index];
      const text = Array.isArray(value) ? value.slice(0, -1).join("~") : value;
      if (text !== null && text !== undefined && text !== "" && text !== "all") { query.set(name, text); }
    });
    const search = query.toString();
    history.replaceState(history.state, "", location.pathname + (search ? "?" + search : ""));
    return window.dash_clientside.no_update;
  }

  function reloadWhen(ready) {
    if (ready) { location.reload(); }
    return window.dash_clientside.no_update;
  }

  Object.assign(window.dash_clientside.corelab, { reloadWhen: reloadWhen, keepAddress: keepAddress });
})();
