// What the panel shows: one row for each upload that is under way or ended badly, and the whole as a bar.
import { cancel, dismissAll, keepBoth, retry, uploads } from "./upload.js";

const MOST_ROWS = 100; // of those that went well; the others all stay to be read
const panel = document.getElementById("uploads");
const list = document.getElementById("uploads-list");
const rows = new Map();
let drawing = 0;

const ENDED = new Set(["done", "duplicate", "refused", "failed"]);

/** Draw at most once a frame, however often progress comes in. */
export function draw() {
  drawing ||= requestAnimationFrame(() => {
    drawing = 0;
    drawNow();
  });
}

export function remove(upload) {
  rows.get(upload)?.remove();
  rows.delete(upload);
}

function drawNow() {
  panel.hidden = uploads.length === 0;
  for (const upload of uploads) if (upload.state !== "waiting" || rows.has(upload)) drawRow(upload);
  trim();
  const count = (...states) => uploads.filter((upload) => states.includes(upload.state)).length;
  const open = count("waiting", "sending", "pausing");
  const bad = count("refused", "failed");
  const same = count("duplicate");
  const total = uploads.length;
  const good = count("done");
  const parts = open ? [`Uploading ${total - open + 1} of ${total}`] : [`${good} uploaded`];
  if (same) parts.push(`${same} already here`);
  if (bad) parts.push(`${bad} not kept`);
  const title = document.getElementById("uploads-title");
  if (title.textContent !== parts.join(" · ")) title.textContent = parts.join(" · ");
  const bar = document.getElementById("uploads-bar");
  bar.max = Math.max(1, uploads.reduce((sum, upload) => sum + upload.file.size, 0));
  bar.value = uploads.reduce((sum, upload) => sum + upload.file.size * upload.sent, 0);
  bar.hidden = !open;
  document.getElementById("uploads-cancel").hidden = !open;
  document.getElementById("uploads-close").hidden = Boolean(open);
  document.getElementById("uploads-retry").hidden = count("failed") < 2;
}

function drawRow(upload) {
  let row = rows.get(upload);
  if (!row) {
    row = document.getElementById("upload-row").content.firstElementChild.cloneNode(true);
    row.querySelector(".upload__name").textContent = upload.path;
    row.querySelector(".upload__name").title = upload.path;
    row.querySelector("progress").setAttribute("aria-label", upload.path);
    row.addEventListener("click", (event) => {
      const act = event.target.closest("[data-act]")?.dataset.act;
      if (act) ({ cancel, retry, keep: keepBoth })[act](upload);
    });
    rows.set(upload, row);
    list.prepend(row);
  }
  const ended = ENDED.has(upload.state);
  row.classList.toggle("is-ended", ended);
  row.classList.toggle("is-bad", upload.state === "refused" || upload.state === "failed");
  row.querySelector("progress").value = upload.sent;
  const note = upload.state === "done" ? upload.note || "Uploaded" : upload.note;
  const text = upload.state === "sending" && upload.sent === 1 ? "Checking…" : note;
  const place = row.querySelector(".upload__note");
  if (place.textContent !== text) place.textContent = text;
  row.querySelector("[data-act=cancel]").hidden = ended;
  row.querySelector("[data-act=retry]").hidden = upload.state !== "failed";
  row.querySelector("[data-act=keep]").hidden = upload.state !== "duplicate";
}

function trim() {
  const good = [...rows.keys()].filter((upload) => upload.state === "done");
  for (const upload of good.slice(0, Math.max(0, good.length - MOST_ROWS))) {
    rows.get(upload).remove();
    rows.set(upload, document.createElement("li")); // never drawn again
  }
}

document.getElementById("uploads-close").addEventListener("click", dismissAll);
document.getElementById("uploads-cancel").addEventListener("click", () => {
  for (const upload of [...uploads]) if (!ENDED.has(upload.state)) cancel(upload);
});
document.getElementById("uploads-retry").addEventListener("click", () => {
  for (const upload of uploads) if (upload.state === "failed") retry(upload);
});
