// The trash: put back, delete for good, empty.
import { api } from "../js/http.js";
import { confirm } from "../js/confirm.js";
import { toast } from "../js/toasts.js";

const SAID = "trash-said";
const page = document.getElementById("trash");

async function send(path, json, method = "POST") {
  try {
    return await api(path, { method, json });
  } catch (error) {
    toast(error.message, "bad");
    return undefined;
  }
}

function chosen(row) {
  const { kind, id } = row.dataset;
  return { folders: kind === "folder" ? [id] : [], images: kind === "image" ? [id] : [] };
}

/** Take the row away. Answers whether others are left on this page. */
function gone(row) {
  const next = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  page.dataset.count -= 1;
  if (next) next.querySelector("button").focus();
  return Boolean(next);
}

// The last row of the page went: draw it again, and say there what was done.
function reload(said = "") {
  if (said) sessionStorage.setItem(SAID, said);
  location.reload();
}

const before = sessionStorage.getItem(SAID);
if (before) {
  sessionStorage.removeItem(SAID);
  toast(before, "good");
}

page.addEventListener("click", async (event) => {
  const row = event.target.closest("li[data-kind]");
  if (!row) return;
  if (event.target.closest("[data-restore]") && (await send("/api/v1/trash/restore", chosen(row)))) {
    const said = `“${row.dataset.name}” is back`;
    if (gone(row)) toast(said, "good");
    else reload(said);
  }
  if (event.target.closest("[data-delete]")) {
    const yes = await confirm(`Delete “${row.dataset.name}” for good?`, { yes: "Delete", detail: "This can't be undone." });
    if (yes && (await send("/api/v1/trash/delete", chosen(row))) && !gone(row)) reload();
  }
});

document.getElementById("empty-trash")?.addEventListener("click", async () => {
  const count = Number(page.dataset.count).toLocaleString("en");
  const yes = await confirm("Empty the trash?", { yes: "Delete all", detail: `${count} things are deleted for good. This can't be undone.` });
  if (yes && (await send("/api/v1/trash", undefined, "DELETE"))) location.reload();
});
