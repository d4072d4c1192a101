// The queue of uploads: three at a time, each with its own progress; one that fails leaves the others alone.
import { api, csrf, envelope, sentence } from "../js/http.js";
import { folder, refresh, root } from "./page.js";
import { draw, remove } from "./upload_panel.js";
import { addTile } from "./tiles.js";

const AT_ONCE = 3;
const TRIES = 3; // when the network or the server fails; a refusal is final

export const uploads = []; // every one of this visit that was not dismissed
let mustRefresh = false;

/** items: [{file, path}] */
export function enqueue(items) {
  const here = folder();
  for (const { file, path } of items) {
    uploads.push({ file, path, here, state: "waiting", sent: 0, tries: 0, note: "", keep: false, xhr: null });
  }
  next();
}

export function retry(upload) {
  Object.assign(upload, { state: "waiting", sent: 0, tries: 0, note: "" });
  next();
}

export function keepBoth(upload) {
  upload.keep = true;
  retry(upload);
}

export function cancel(upload) {
  if (upload.state === "done") return;
  upload.state = "cancelled";
  upload.xhr?.abort();
  uploads.splice(uploads.indexOf(upload), 1);
  remove(upload);
  next();
}

export function dismissAll() {
  for (const upload of uploads.splice(0)) remove(upload);
  draw(uploads);
}

function next() {
  const active = uploads.filter((upload) => upload.state === "sending").length;
  const waiting = uploads.filter((upload) => upload.state === "waiting");
  for (const upload of waiting.slice(0, AT_ONCE - active)) send(upload);
  draw(uploads);
  const idle = !uploads.some((upload) => upload.state === "sending" || upload.state === "waiting");
  if (idle && mustRefresh) {
    mustRefresh = false;
    refresh();
  }
}

// --- Where it goes. At the top there are only folders: a loose photo goes into "Photos". ---
const made = new Map();

function ensureTop(name) {
  if (!made.has(name)) {
    const asked = api("/api/v1/folders", { method: "POST", json: { name, if_exists: "reuse" } });
    made.set(name, asked.then((answer) => answer.id));
    asked.catch(() => made.delete(name));
  }
  return made.get(name);
}

async function destination(upload) {
  if (upload.here) return { id: upload.here, name: upload.path };
  const [first, ...others] = upload.path.split("/");
  if (!others.length) return { id: await ensureTop("Photos"), name: first };
  return { id: await ensureTop(first), name: others.join("/") };
}

async function send(upload) {
  upload.state = "sending";
  upload.tries += 1;
  const limit = Number(root().dataset.maxBytes);
  if (upload.file.size > limit) {
    return end(upload, "refused", `The file is larger than ${limit / 1e6} MB, the most allowed.`);
  }
  let to;
  try {
    to = await destination(upload);
  } catch (error) {
    return end(upload, error.status === 0 || error.status >= 500 ? "failed" : "refused", error.message);
  }
  if (upload.state === "cancelled") return undefined;
  const form = new FormData();
  form.append("files", upload.file, to.name);
  const xhr = new XMLHttpRequest();
  upload.xhr = xhr;
  xhr.open("POST", `/api/v1/folders/${to.id}/images${upload.keep ? "?duplicates=keep" : ""}`);
  xhr.setRequestHeader("X-CSRFToken", csrf());
  xhr.setRequestHeader("Accept", "application/json");
  xhr.upload.addEventListener("progress", (event) => {
    upload.sent = event.lengthComputable ? event.loaded / event.total : 0;
    draw(uploads);
  });
  xhr.addEventListener("load", () => answered(upload, xhr));
  xhr.addEventListener("error", () => again(upload, sentence(0)));
  xhr.send(form);
  return undefined;
}

function answered(upload, xhr) {
  let body = {};
  try {
    body = JSON.parse(xhr.responseText);
  } catch {
    // not ours: a proxy's error page
  }
  if (xhr.status === 201 && body.items?.length) return kept(upload, body.items[0]);
  const why = body.rejected?.[0]?.message ?? (envelope(xhr.responseText).message || sentence(xhr.status));
  if (xhr.status === 429 || (xhr.status >= 500 && xhr.status !== 507)) return again(upload, why);
  return end(upload, xhr.status === 507 ? "failed" : "refused", why);
}

function kept(upload, image) {
  const twin = image.duplicate_of && !upload.keep;
  const nested = !upload.here || upload.path.includes("/");
  if (!twin && nested) mustRefresh = true;
  if (!twin && !nested && upload.here === folder()) addTile(image);
  if (twin) return end(upload, "duplicate", `Already here as ${image.name}; not added again.`);
  return end(upload, "done", image.name === upload.path.split("/").pop() ? "" : `Kept as ${image.name}.`);
}

function again(upload, why) {
  if (upload.tries >= TRIES) return end(upload, "failed", why);
  upload.state = "pausing";
  upload.note = "Trying again…";
  draw(uploads);
  setTimeout(() => {
    if (upload.state !== "pausing") return;
    upload.state = "waiting";
    next();
  }, 1000 * 2 ** upload.tries);
  return next();
}

function end(upload, state, note) {
  if (upload.state === "cancelled") return;
  Object.assign(upload, { state, note, sent: 1, xhr: null });
  queueMicrotask(next); // not from within: a thousand refusals in a row would be a thousand calls deep
}

window.addEventListener("beforeunload", (event) => {
  if (uploads.some((upload) => ["waiting", "sending", "pausing"].includes(upload.state))) event.preventDefault();
});
