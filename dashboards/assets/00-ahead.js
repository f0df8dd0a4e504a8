/* What the page will ask the server first is asked at once, while the browser still reads the scripts: the layout
   with the page of this address, what calls what, and the charts whose size is known. `20-corelab.js` hands the
   answers over when they are asked for; a question that was not foreseen goes to the server as ever. */
(function () {
  "use strict";

  const KEPT_MS = 10000;
  const LAYOUT = "/_dash-layout";
  const DEPENDENCIES = "/_dash-dependencies";
  const CALLBACK = "/_dash-update-component";
  const answers = new Map();

  function token() {
    const found = document.cookie.split("; ").find(function (part) { return part.startsWith("_csrf_token="); });
    return found ? decodeURIComponent(found.split("=")[1]) : "";
  }

  function get(path) { return fetch(path, { credentials: "same-origin" }); }

  function read(answer) { return answer.ok ? answer.clone().json() : Promise.reject(answer.status); }

  function keyOf(asked) {
    const values = function (list) {
      return (list || []).map(function (one) { return one.value === undefined ? null : one.value; });
    };
    return asked.output + JSON.stringify([values(asked.inputs), values(asked.state)]);
  }

  /* ---- what will be called: all whose inputs stand in the layout and come from no other call. Of charts it is
     supposed that no other call changes their inputs; where one does, the chart is asked for once more. ---- */

  function listProps(node, found) {
    if (Array.isArray(node)) { node.forEach(function (one) { listProps(one, found); }); return found; }
    if (!node || typeof node !== "object" || !node.props) { return found; }
    if (typeof node.props.id === "string") { found.set(node.props.id, node.props); }
    return listProps(node.props.children, found);
  }

  function split(output) {
    return output.replace(/^\.\.|\.\.$/g, "").split("...").map(function (part) {
      const dot = part.lastIndexOf(".");
      return { id: part.slice(0, dot), property: part.slice(dot + 1) };
    });
  }

  function isThere(each, props) { return each.every(function (one) { return props.has(one.id); }); }

  function listCalls(dependencies, props) {
    const called = dependencies.filter(function (one) {
      return !one.prevent_initial_call && isThere(split(one.output).concat(one.inputs, one.state), props);
    });
    const made = new Set();
    called.forEach(function (one) {
      split(one.output).forEach(function (output) { made.add(output.id + "." + output.property); });
    });
    return called.filter(function (one) {
      return !one.clientside_function && (/\.figure\b/.test(one.output)
        || one.inputs.concat(one.state).every(function (input) { return !made.has(input.id + "." + input.property); }));
    });
  }

  function call(one, props) {
    const fill = function (each) {
      return { id: each.id, property: each.property, value: props.get(each.id)[each.property] };
    };
    const outputs = split(one.output);
    const asked = {
      output: one.output, outputs: one.output.startsWith("..") ? outputs : outputs[0],
      inputs: one.inputs.map(fill), changedPropIds: [], state: one.state.map(fill)
    };
    answers.set(keyOf(asked), fetch(CALLBACK, {
      method: "POST", credentials: "same-origin", body: JSON.stringify(asked),
      headers: { "Content-Type": "application/json", "X-CSRFToken": token() }
    }));
  }

  /* ---- asking and handing over ---- */

  function askAhead() {
    const place = { pathname: location.pathname, search: location.search };
    const size = { width: document.documentElement.clientWidth, height: window.innerHeight };
    /* Where the page itself could not be made, the frame alone says so. */
    const layout = get(LAYOUT + "?" + new URLSearchParams(Object.assign(place, size))).then(function (answer) {
      return answer.status >= 500 ? get(LAYOUT) : answer;
    });
    const dependencies = get(DEPENDENCIES);
    answers.set(LAYOUT, layout);
    answers.set(DEPENDENCIES, dependencies);
    Promise.all([layout.then(read), dependencies.then(read)]).then(function (both) {
      const props = listProps(both[0], new Map());
      listCalls(both[1], props).forEach(function (one) { call(one, props); });
    }).catch(function () { /* Who asks again is told what is wrong. */ });
    setTimeout(function () { answers.clear(); }, KEPT_MS);
  }

  function take(url, options) {
    const path = new URL(url, location.origin).pathname;
    const key = path === CALLBACK && options && options.body ? keyOf(JSON.parse(options.body)) : path;
    const answer = answers.get(key);
    answers.delete(key);
    return answer || null;
  }

  askAhead();
  window.corelabAhead = { take: take };
})();
