/* Files on their way in: chosen or dropped, cut into pieces, two files at a time, taken up again after a
   closed tab. The server says how far each file has come; nothing is kept in the browser. */
(function () {
  "use strict";

  const PARALLEL = 2;
  const RETRY_MS = [500, 1000, 2000, 4000, 8000, 15000];
  const BASE = "/api/v1/uploads";

  let chunk = 16 * 1024 * 1024;
  let words = {};
  let active = 0;
  let began = null;
  const files = new Map(); /* by name: {name, size, received, state, file, id, error, row} */

  function byId(id) { return document.getElementById(id); }

  function say(key, values) {
    return (words[key] || "").replace(/\{(\w+)\}/g, function (_, name) { return values[name]; });
  }

  function token() {
    const found = document.cookie.match(/(?:^|; )_csrf_token=([^;]*)/);
    return found ? decodeURIComponent(found[1]) : "";
  }

  async function ask(path, options) {
    const given = Object.assign({ credentials: "same-origin" }, options);
    given.headers = Object.assign({ "X-CSRFToken": token() }, given.headers);
    const response = await fetch(BASE + path, given);
    if (response.status === 401) {
      location.assign("/login?next=" + encodeURIComponent(location.pathname));
    }
    let body = {};
    try { body = await response.json(); } catch (_) { body = {}; }
    return { status: response.status, body: body };
  }

  function postJson(path, body) {
    return ask(path, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
  }

  function megabytes(bytes) { return (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0); }

  function writeSize(bytes) {
    return bytes < 1e5 ? say("kilobytes", { size: Math.ceil(bytes / 1e3) }) : say("megabytes", { size: megabytes(bytes) });
  }

  /* ---- what is shown ---- */

  function makeRow(item) {
    const row = document.createElement("div");
    row.className = "upload-row";
    const name = document.createElement("span");
    name.className = "name";
    name.textContent = item.name;
    const bar = document.createElement("progress");
    bar.max = item.size || 1;
    bar.setAttribute("aria-label", item.name);
    const told = document.createElement("span");
    told.className = "told quiet";
    const remove = document.createElement("button");
    remove.className = "icon";
    remove.textContent = "×";
    remove.title = say("remove", { name: item.name });
    remove.setAttribute("aria-label", remove.title);
    remove.addEventListener("click", function () { forget(item); });
    row.append(name, bar, told, remove);
    item.row = row;
    byId("upload-list").append(row);
  }

  function draw(item) {
    const list = byId("upload-list");
    if (!list) { return; }
    if (!item.row || !list.contains(item.row)) { makeRow(item); }
    const values = {
      received: writeSize(item.received), size: writeSize(item.size), reason: item.error || "",
    };
    item.row.querySelector("progress").value = item.received;
    item.row.querySelector(".told").textContent = say(item.state, values);
    item.row.dataset.state = item.state;
    drawOverall();
  }

  function drawOverall() {
    const place = byId("upload-overall"), button = byId("upload-hand");
    if (!place || !button) { return; }
    const all = [...files.values()].filter(function (item) { return item.state !== "refused"; });
    const whole = all.filter(function (item) { return item.state === "received"; });
    const size = all.reduce(function (sum, item) { return sum + item.size; }, 0);
    const received = all.reduce(function (sum, item) { return sum + item.received; }, 0);
    button.disabled = all.length === 0 || whole.length < all.length;
    let bar = place.querySelector("progress");
    if (!bar) {
      bar = document.createElement("progress");
      bar.id = "upload-bar";
      bar.setAttribute("aria-label", say("overall", { done: "", files: "", received: "", size: "" }));
      const text = document.createElement("span");
      text.id = "upload-sum";
      place.append(bar, text);
    }
    bar.max = size || 1;
    bar.value = received;
    place.hidden = all.length === 0;
    let text = say("overall", {
      done: whole.length, files: all.length, received: writeSize(received), size: writeSize(size),
    });
    if (began && active && received > began.received) {
      const speed = (received - began.received) / ((performance.now() - began.at) / 1000);
      const left = Math.ceil((size - received) / speed);
      text += " " + say("speed", { speed: megabytes(speed), left: left });
    }
    byId("upload-sum").textContent = text;
  }

  /* ---- sending ---- */

  async function digest(blob) {
    if (!window.crypto || !crypto.subtle) { return ""; }
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
    return [...hash].map(function (byte) { return byte.toString(16).padStart(2, "0"); }).join("");
  }

  function wait(ms) { return new Promise(function (done) { setTimeout(done, ms); }); }

  async function sendPiece(item) {
    const offset = item.received;
    const blob = item.file.slice(offset, Math.min(offset + chunk, item.size));
    const hash = await digest(blob);
    /* The slice itself goes out: an array buffer of this size is ten times slower. */
    const headers = { "Upload-Offset": String(offset), "Content-Type": "application/octet-stream" };
    if (hash) { headers["Upload-Chunk-Sha256"] = hash; }
    return ask("/" + item.id, { method: "PATCH", headers: headers, body: blob });
  }

  async function send(item) {
    let failures = 0;
    while (item.state === "sending") {
      let answer = null;
      try { answer = await sendPiece(item); } catch (_) { answer = null; }
      if (item.state !== "sending") { return; }
      if (answer && answer.status === 200) {
        failures = 0;
        item.received = answer.body.received;
        item.state = answer.body.state === "received" ? "received" : "sending";
      } else if (answer && answer.status === 409 && answer.body.received !== undefined) {
        item.received = answer.body.received;
        if (item.received >= item.size) { item.state = "received"; }
      } else if (answer && answer.status >= 400 && answer.status < 500 && answer.status !== 422) {
        item.state = "refused";
        item.error = answer.body.reason || String(answer.status);
      } else if (failures < RETRY_MS.length) {
        await wait(RETRY_MS[failures]);
        failures += 1;
      } else {
        item.state = "paused";
      }
      draw(item);
    }
  }

  function next() {
    while (active < PARALLEL) {
      const item = [...files.values()].find(function (one) { return one.state === "waiting"; });
      if (!item) { break; }
      item.state = "sending";
      active += 1;
      if (!began) {
        const sum = [...files.values()].reduce(function (all, one) { return all + one.received; }, 0);
        began = { at: performance.now(), received: sum };
      }
      draw(item);
      send(item).finally(function () {
        active -= 1;
        if (!active) { began = null; }
        drawOverall();
        next();
      });
    }
  }

  async function begin(file, name) {
    const answer = await postJson("", { name: name, size: file.size, changed: String(file.lastModified) });
    const before = files.get(answer.body.name || name);
    const item = before || { name: answer.body.name || name, size: file.size, received: 0 };
    if (before && (before.state === "sending" || before.state === "waiting")) { return; }
    item.file = file;
    if (answer.status === 200) {
      Object.assign(item, { id: answer.body.id, size: answer.body.size, received: answer.body.received });
      item.state = answer.body.state === "received" ? "received" : "waiting";
    } else if (before) {
      Object.assign(item, { error: answer.body.reason });
    } else {
      Object.assign(item, { state: "refused", error: answer.body.reason || String(answer.status) });
    }
    files.set(item.name, item);
    draw(item);
  }

  async function add(chosen) {
    for (const one of chosen) { await begin(one.file, one.name); }
    next();
  }

  async function forget(item) {
    item.state = "gone";
    if (item.id) { await ask("/" + item.id, { method: "DELETE" }); }
    files.delete(item.name);
    if (item.row) { item.row.remove(); }
    drawOverall();
  }

  async function handOver() {
    byId("upload-hand").disabled = true;
    const answer = await postJson("/finish", {});
    const told = byId("upload-say");
    if (answer.status !== 200) {
      told.textContent = answer.body.reason || String(answer.status);
      drawOverall();
      return;
    }
    /* What was refused is no part of the delivery: it stays in the list, with its reason. */
    const handed = [...files.values()].filter(function (item) { return item.state === "received"; });
    handed.forEach(function (item) {
      files.delete(item.name);
      if (item.row) { item.row.remove(); }
    });
    drawOverall();
    told.textContent = say("handed", { count: handed.length });
    window.dash_clientside.set_props("upload-tick", { data: "handed " + answer.body.job });
  }

  /* ---- choosing and dropping ---- */

  function nameOf(file) {
    /* Of a chosen folder its own name is no part of the delivery. */
    const path = file.webkitRelativePath || "";
    return path ? path.split("/").slice(1).join("/") : file.name;
  }

  async function walk(entry, path) {
    if (entry.isFile) {
      const file = await new Promise(function (done, fail) { entry.file(done, fail); });
      return [{ file: file, name: path + file.name }];
    }
    const reader = entry.createReader(), found = [];
    for (;;) {
      const some = await new Promise(function (done, fail) { reader.readEntries(done, fail); });
      if (!some.length) { return found; }
      for (const one of some) { found.push(...await walk(one, path + (one.isFile ? "" : one.name + "/"))); }
    }
  }

  async function dropped(transfer) {
    const entries = [...transfer.items].map(function (item) {
      return item.webkitGetAsEntry && item.webkitGetAsEntry();
    }).filter(Boolean);
    if (!entries.length) {
      return [...transfer.files].map(function (file) { return { file: file, name: file.name }; });
    }
    const found = [];
    for (const entry of entries) { found.push(...await walk(entry, "")); }
    return found.filter(isShown);
  }

  document.addEventListener("dragover", function (event) {
    const drop = event.target.closest && event.target.closest("#upload-drop");
    if (byId("upload-drop")) { event.preventDefault(); }
    if (drop) { drop.classList.add("over"); }
  });
  document.addEventListener("dragleave", function (event) {
    const drop = event.target.closest && event.target.closest("#upload-drop");
    if (drop) { drop.classList.remove("over"); }
  });
  document.addEventListener("drop", function (event) {
    const drop = byId("upload-drop");
    if (!drop) { return; }
    event.preventDefault();
    drop.classList.remove("over");
    dropped(event.dataTransfer).then(add);
  });
  document.addEventListener("click", function (event) {
    if (event.target.id === "upload-hand") { handOver(); }
  });
  window.addEventListener("beforeunload", function (event) {
    if (active) { event.preventDefault(); }
  });

  /* ---- the page appears and goes ---- */

  async function resume() {
    let answer = null;
    try { answer = await ask("", { method: "GET" }); } catch (_) { return; }
    if (answer.status !== 200) { return; }
    chunk = answer.body.chunk;
    for (const one of answer.body.files) {
      if (files.has(one.name)) { continue; }
      const state = one.state === "received" ? "received" : "again";
      files.set(one.name, Object.assign({}, one, { state: state }));
    }
    files.forEach(draw);
    drawOverall();
  }

  /* Plates are known by their folder, not by their names: whoever chooses them here puts them there. */
  function makePicker(id, word, folder) {
    const label = document.createElement("label");
    label.className = "button";
    label.textContent = say(word);
    const input = document.createElement("input");
    input.type = "file";
    input.multiple = true;
    input.webkitdirectory = id === "upload-folder";
    input.id = id;
    input.className = "unseen";
    input.addEventListener("change", function () {
      const chosen = [...input.files].map(function (file) { return { file: file, name: folder + nameOf(file) }; });
      input.value = "";
      add(input.webkitdirectory ? chosen.filter(isShown) : chosen);
    });
    label.append(input);
    return label;
  }

  function isShown(one) { return !one.name.split("/").pop().startsWith("."); }

  function attach() {
    const place = byId("upload-picker");
    if (!place || place.firstChild) { return; }
    words = JSON.parse(byId("upload-drop").dataset.words);
    place.append(
      makePicker("upload-input", "pick_files", ""), makePicker("upload-plates", "pick_plates", "plates/"),
      makePicker("upload-folder", "pick_folder", "")
    );
    resume();
  }

  new MutationObserver(attach).observe(document.documentElement, { childList: true, subtree: true });
}());
