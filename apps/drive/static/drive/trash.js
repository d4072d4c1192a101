// The trash: put back, delete for good, empty.
import { api } from "../js/http.js";
import { confirm } from "../js/confirm.js";
import { toast } from "../js/toasts.js";

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

function gone(row) {
  const next = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  page.dataset.count -= 1;
  if (next) next.querySelector("button").focus();
  else location.reload();
}

page.addEventListener("click", async (event) => {
  const row = event.target.closest("li[data-kind]");
  if (!row) return;
  if (event.target.closest("[data-restore]") && (await send("/api/v1/trash/restore", chosen(row)))) {
    toast(`“${row.dataset.name}” is back`, "good");
    gone(row);
  }
  if (event.target.closest("[data-delete]")) {
    const yes = await confirm(`Delete “${row.dataset.name}” for good?`, { yes: "Delete", detail: "This can't be undone." });
    if (yes && (await send("/api/v1/trash/delete", chosen(row)))) gone(row);
  }
});

document.getElementById("empty-trash")?.addEventListener("click", async () => {
  const count = Number(page.dataset.count).toLocaleString("en");
  const yes = await confirm("Empty the trash?", { yes: "Delete all", detail: `${count} things are deleted for good. This can't be undone.` });
  if (yes && (await send("/api/v1/trash", undefined, "DELETE"))) location.reload();
});
