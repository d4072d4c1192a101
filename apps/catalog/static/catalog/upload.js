// One weights file on its way to the server, chunk by chunk. It can be paused, and goes on after a lost connection or
// a reload: the server says how much has come.
import { ApiError, api, csrf, envelope, sentence } from "../js/http.js";

const TRIES = 5; // in a row, when the network or the server fails; a refusal is final
const root = document.querySelector("#drop");
const $ = (name) => root.querySelector(`[data-${name}]`);

let file = null;
let upload = null; // as the API tells it
let xhr = null;
let paused = false;
let tries = 0;
let began = { at: 0, offset: 0 };

function mb(bytes) {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function show(state, said = "") {
  const busy = state !== "idle";
  $("choose").hidden = busy;
  $("progress").hidden = !busy;
  $("pause").hidden = state !== "sending";
  $("resume").hidden = state !== "paused";
  $("said").textContent = said;
}

function fail(text) {
  $("error").textContent = text;
}

function draw(sent) {
  if (!upload) return;
  $("bar").value = Math.round((1000 * sent) / upload.size);
  const seconds = (performance.now() - began.at) / 1000;
  const rate = seconds > 0.5 ? (sent - began.offset) / seconds : 0;
  const left = rate > 0 ? ` · ${Math.ceil((upload.size - sent) / rate)} s left` : "";
  $("figures").textContent = `${mb(sent)} of ${mb(upload.size)}${left}`;
}

function reset() {
  file = null;
  upload = null;
  xhr = null;
  paused = false;
  show("idle");
}

async function begin(chosen) {
  if (file) return;
  fail("");
  const limit = Number(root.dataset.maxBytes);
  if (chosen.size > limit) {
    fail(`${chosen.name} has ${mb(chosen.size)}; at most ${mb(limit)} are taken. Nothing was sent.`);
    return;
  }
  file = chosen;
  paused = false;
  tries = 0;
  $("name").textContent = chosen.name;
  show("sending", "Starting…");
  try {
    const json = { name: chosen.name, size: chosen.size };
    upload = await api(`/api/v1/listings/${root.dataset.listing}/uploads`, { method: "POST", json });
  } catch (error) {
    reset();
    fail(error.message);
    return;
  }
  root.querySelector(`[data-open="${upload.id}"]`)?.remove();
  go();
}

function go() {
  began = { at: performance.now(), offset: upload.offset };
  show("sending", upload.offset ? `Going on at ${mb(upload.offset)}.` : "Sending.");
  next();
}

function next() {
  if (paused || !upload) return;
  draw(upload.offset);
  if (upload.offset >= upload.size) {
    finish();
    return;
  }
  send(file.slice(upload.offset, upload.offset + upload.chunk_size));
}

function send(chunk) {
  xhr = new XMLHttpRequest();
  xhr.open("PATCH", `/api/v1/uploads/${upload.id}`);
  xhr.setRequestHeader("X-CSRFToken", csrf());
  xhr.setRequestHeader("Accept", "application/json");
  xhr.setRequestHeader("Content-Type", "application/octet-stream");
  xhr.setRequestHeader("Upload-Offset", upload.offset);
  xhr.upload.addEventListener("progress", (event) => draw(upload ? upload.offset + event.loaded : 0));
  xhr.addEventListener("load", answered);
  xhr.addEventListener("error", () => again(sentence(0)));
  xhr.send(chunk);
}

function answered() {
  const error = envelope(xhr.responseText);
  if (xhr.status === 200) {
    upload = JSON.parse(xhr.responseText);
    tries = 0;
    next();
  } else if (error.code === "wrong_offset") {
    upload.offset = Number(error.fields.offset[0]); // what came in between, in another tab or before a lost answer
    next();
  } else if (error.code === "bad_chunk" || xhr.status >= 500 || xhr.status === 429) {
    again(error.message || sentence(xhr.status));
  } else {
    pause();
    fail(error.message || sentence(xhr.status));
  }
}

function again(why) {
  if (!upload || paused) return;
  tries += 1;
  if (tries > TRIES) {
    pause();
    fail(`${why} What has come is kept: go on when you like.`);
    return;
  }
  show("sending", "The connection was lost. Trying again…");
  setTimeout(resume, 500 * 2 ** tries);
}

function pause() {
  paused = true;
  xhr?.abort();
  show("paused", "Paused. What has come is kept for a day.");
}

async function resume() {
  if (!upload) return;
  paused = false;
  fail("");
  try {
    upload = await api(`/api/v1/uploads/${upload.id}`);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) {
      reset();
      fail("This upload is not on the server any more. Choose the file again.");
    } else again(error.message);
    return;
  }
  go();
}

async function finish() {
  show("finishing", "All has come. Making a version of it…");
  const labels = ($("labels")?.value ?? "").split("\n").map((line) => line.trim()).filter(Boolean);
  const json = { upload: upload.id, ...(labels.length && { labels }) };
  const architecture = $("architecture").value.trim();
  if (architecture) json.architecture = architecture;
  try {
    await api(`/api/v1/listings/${root.dataset.listing}/versions`, { method: "POST", json });
  } catch (error) {
    show("paused", "The file has come, but no version was made of it.");
    fail(error.message);
    return;
  }
  reset();
  root.querySelector(".btn--primary")?.classList.remove("btn--primary"); // from here on it is Publish
  await window.htmx.ajax("GET", root.dataset.live, { target: "#versions", swap: "outerHTML" });
}

async function drop(id) {
  try {
    await api(`/api/v1/uploads/${id}`, { method: "DELETE" });
  } catch (error) {
    if (error.status !== 404) fail(error.message);
  }
  root.querySelector(`[data-open="${id}"]`)?.remove();
}

$("pause").addEventListener("click", pause);
$("resume").addEventListener("click", () => {
  tries = 0;
  resume();
});
$("give-up").addEventListener("click", () => {
  const id = upload?.id;
  paused = true;
  xhr?.abort();
  reset();
  if (id) drop(id);
});
root.addEventListener("click", (event) => {
  const id = event.target.closest("[data-drop]")?.dataset.drop;
  if (id) drop(id);
});
root.addEventListener("change", (event) => {
  if (!event.target.matches("[data-file]") || !event.target.files.length) return;
  const [chosen] = event.target.files;
  const open = event.target.closest("[data-open]");
  event.target.value = "";
  if (open && (chosen.name !== open.dataset.openName || chosen.size !== Number(open.dataset.openSize))) {
    fail(`This is another file: ${open.dataset.openName} with ${mb(Number(open.dataset.openSize))} was begun.`);
    return;
  }
  begin(chosen);
});

for (const name of ["dragenter", "dragover"]) {
  root.addEventListener(name, (event) => {
    event.preventDefault();
    root.classList.add("is-over");
  });
}
for (const name of ["dragleave", "drop"]) {
  root.addEventListener(name, (event) => {
    if (name === "dragleave" && root.contains(event.relatedTarget)) return;
    root.classList.remove("is-over");
  });
}
root.addEventListener("drop", (event) => {
  event.preventDefault();
  const { files } = event.dataTransfer;
  if (files.length > 1) fail("One file at a time: each becomes a version of its own.");
  else if (files.length) begin(files[0]);
});

window.addEventListener("beforeunload", (event) => {
  if (file && !paused) event.preventDefault();
});
