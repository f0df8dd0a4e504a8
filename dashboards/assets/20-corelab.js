/* What only the browser can know or do at once: its size, the scheme, keys, the cursor over a chart.
   No number is computed here; everything written comes from the server. */
(function () {
  "use strict";

  const RESIZE_PAUSE_MS = 150;

  function viewport() {
    return { width: document.documentElement.clientWidth, height: window.innerHeight };
  }

  function setProps(id, props) {
    if (window.dash_clientside && window.dash_clientside.set_props) {
      window.dash_clientside.set_props(id, props);
    }
  }

  /* Dash waits for what it loads later in functions compiled to steps. What runs them would come with the support
     of browsers of the last decade, which is not sent; its functions take one step after the other and end. */
  function runSteps(step) {
    const at = { prev: 0, next: 0, sent: undefined, done: false, stop: function () { at.done = true; } };
    return {
      next: function (value) {
        at.sent = value;
        const given = step(at);
        return { value: given, done: at.done };
      },
      throw: function (error) { throw error; }
    };
  }

  window.regeneratorRuntime = { mark: function (made) { return made; }, wrap: runSteps };

  let pause = null;
  window.addEventListener("resize", function () {
    clearTimeout(pause);
    pause = setTimeout(function () { setProps("viewport", { data: viewport() }); }, RESIZE_PAUSE_MS);
  });

  /* A session that ended leads to the login and back; a failure of ours is said and not hidden. */
  const plainFetch = window.fetch;
  window.fetch = function () {
    begin();
    const known = typeof arguments[0] === "string" && arguments[0].startsWith("/_dash-")
      ? window.corelabAhead.take(arguments[0], arguments[1]) : null;
    return (known || plainFetch.apply(this, arguments)).then(function (response) {
      if (!response.url.includes("/_dash-")) { return response; }
      checkAnswer(response.status, response.headers.get("Failure-Reference"));
      /* The page is left: an answer that says so would only be a failed callback to Dash. */
      if (response.status === 401) { return new Promise(function () {}); }
      const grid = response.headers.get("X-Grid-Script");
      return grid ? loadGrid(grid).then(function () { return response; }) : response;
    }).finally(end);
  };

  /* The script of the grid comes with the first answer that has one. */
  let grid = null;

  function loadGrid(source) {
    grid = grid || new Promise(function (resolve, reject) {
      if (window.dash_ag_grid) { resolve(); return; }
      const script = document.createElement("script");
      script.src = source;
      script.onload = resolve;
      script.onerror = reject;
      document.head.appendChild(script);
    });
    return grid;
  }

  /* What takes longer than a blink is seen to be under way: a line under the bar. */
  const PATIENCE_MS = 250;
  let pending = 0;
  let patience = null;

  function begin() {
    pending += 1;
    if (pending === 1) { patience = setTimeout(function () { showBusy(true); }, PATIENCE_MS); }
  }

  function end() {
    pending -= 1;
    if (!pending) { clearTimeout(patience); showBusy(false); }
  }

  function showBusy(is) { document.documentElement.toggleAttribute("data-busy", is); }

  function checkAnswer(status, reference) {
    if (status === 401) {
      location.assign("/login?next=" + encodeURIComponent(location.pathname + location.search));
    }
    if (status >= 500) {
      const alert = document.getElementById("shell-alert");
      if (alert) {
        alert.textContent = alert.dataset[status === 503 ? "away" : "broken"]
          + (reference ? " (" + reference + ")" : "");
        alert.hidden = false;
      }
    }
  }

  function switchScheme(clicks, scheme) {
    const next = scheme === "dark" ? "light" : "dark";
    document.cookie = "corelab_scheme=" + next + ";path=/;max-age=31536000;samesite=lax";
    document.documentElement.setAttribute("data-mantine-color-scheme", next);
    return [next, next];
  }

  /* Words are written by the server, so another language is another page at the same address. */
  document.addEventListener("click", function (event) {
    const chosen = event.target.closest && event.target.closest("#shell-language");
    if (!chosen) { return; }
    document.cookie = "corelab_language=" + chosen.dataset.language + ";path=/;max-age=31536000;samesite=lax";
    location.reload();
  });

  function measureViewport(pathname, known) {
    const now = viewport();
    const same = known && known.width === now.width && known.height === now.height;
    return same ? window.dash_clientside.no_update : now;
  }

  function setTitle(title) {
    if (!title) { return window.dash_clientside.no_update; }
    document.title = title;
    const alert = document.getElementById("shell-alert");
    if (alert) { alert.hidden = true; }
    document.querySelectorAll("#shell-navigation a").forEach(function (link) {
      if (link.classList.contains("current")) { link.setAttribute("aria-current", "page"); }
      else { link.removeAttribute("aria-current"); }
    });
    return title;
  }

  /* j and k walk through the children, Escape closes the drawer, as the hints on the buttons say. */
  const KEYS = { j: "patient-next", k: "patient-previous", Escape: "drawer-close" };

  document.addEventListener("keydown", function (event) {
    const typing = event.target.closest && event.target.closest("input, textarea, select, [contenteditable]");
    if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) { return; }
    if (typing && event.key !== "Escape" && typing.type !== "radio") { return; }
    const target = document.getElementById(KEYS[event.key]);
    if (target && target.offsetParent !== null) { event.preventDefault(); target.click(); }
  });

  /* A click on a child in the matrix or in the cohort opens the child's page. */
  function openChildren() {
    document.querySelectorAll("#home-matrix .js-plotly-plot, #cohort-facets .js-plotly-plot").forEach(function (gd) {
      if (!gd.on || gd.dataset.leads) { return; }
      gd.dataset.leads = "yes";
      gd.on("plotly_click", function (event) {
        const words = event.points.length && event.points[0].customdata;
        if (Array.isArray(words)) {
          goTo("/patients/" + encodeURIComponent(words[0]));
        }
      });
    });
  }

  /* plotly.js takes shapes between grid and marks away by their number only: of a figure that has fewer than the one
     before it the last of those would stay, a line of today at a wrong day. */
  function clearShapes() {
    document.querySelectorAll(".js-plotly-plot").forEach(function (gd) {
      if (!gd.on || gd.dataset.clears) { return; }
      gd.dataset.clears = "yes";
      gd.on("plotly_afterplot", function () {
        const known = (gd._fullLayout.shapes || []).length;
        gd.querySelectorAll("path[data-index]").forEach(function (path) {
          if (Number(path.dataset.index) >= known) { path.remove(); }
        });
      });
    });
  }

  /* Charts appear after their page; they are few, so looking twice a second costs nothing. */
  setInterval(function () { openChildren(); clearShapes(); }, 500);

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    corelab: { switchScheme: switchScheme, measureViewport: measureViewport, setTitle: setTitle }
  });

  /* The address is changed as a link does it, so that the way back leads here again. */
  function goTo(address) {
    history.pushState({}, "", address);
    window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
  }

  function reloadPage() { location.reload(); }

  window.corelab = { setProps: setProps, goTo: goTo, reloadPage: reloadPage };
})();
