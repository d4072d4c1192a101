// New folder, move, share; and what the folder's own menu does.
import { api, request } from "../js/http.js";
import { attempt, folder, offer, refresh, root } from "./page.js";

document.addEventListener("click", (event) => {
  const open = event.target.closest("[data-open]");
  if (open) {
    const dialog = document.getElementById(open.dataset.open);
    dialog.querySelector("form[data-new-folder]")?.reset();
    dialog.showModal();
  }
  event.target.closest("[data-close]")?.closest("dialog").close();
});

// --- New folder ---
const newFolder = document.querySelector("[data-new-folder]");
newFolder.addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = newFolder.elements.name;
  const error = document.getElementById("new-folder-error");
  error.textContent = "";
  field.removeAttribute("aria-invalid");
  try {
    await api("/api/v1/folders", { method: "POST", json: { name: field.value, parent: folder() || null } });
  } catch (problem) {
    error.textContent = problem.fields?.name?.[0] ?? problem.message;
    field.setAttribute("aria-invalid", "true");
    field.focus();
    return;
  }
  newFolder.closest("dialog").close();
  await refresh();
});

// --- Choose a folder ---
const move = document.getElementById("move");
const choices = document.getElementById("move-choices");
const filter = document.getElementById("move-filter");
let chosen = null;

/** Ask for a folder and call `then` with its id (null: the top). `not`: folders that are left out. */
export async function chooseFolder({ not = [], top = false, here = folder(), then }) {
  const query = new URLSearchParams([...not.map((id) => ["not", id]), ["here", here], ...(top ? [["top", "1"]] : [])]);
  const answer = await attempt(() => request(`/drive/tree/?${query}`, { accept: "text/html" }));
  if (!answer) return;
  choices.innerHTML = await answer.text(); // made by our own server
  document.getElementById("move-error").textContent = "";
  filter.value = "";
  chosen = then;
  move.showModal();
}

filter.addEventListener("input", () => {
  const wanted = filter.value.trim().toLowerCase();
  for (const row of choices.querySelectorAll("label")) {
    row.hidden = wanted !== "" && !(row.dataset.path ?? "").toLowerCase().includes(wanted);
  }
});

move.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const radio = choices.querySelector("input:checked");
  if (!radio) {
    document.getElementById("move-error").textContent = "Choose a folder first.";
    return;
  }
  move.close();
  await chosen(radio.value || null);
});

// --- The folder itself ---
document.addEventListener("click", async (event) => {
  if (event.target.closest("[data-move-folder]")) {
    const { folder: id, parent } = root().dataset;
    const then = (to) =>
      attempt(async () => {
        await api(`/api/v1/folders/${id}`, { method: "PATCH", json: { parent: to } });
        location.reload();
      });
    await chooseFolder({ not: [id], top: true, here: parent, then });
  }
  if (event.target.closest("[data-trash-folder]")) {
    const { folder: id, parent } = root().dataset;
    const moved = await attempt(() => api("/api/v1/trash", { method: "POST", json: { folders: [id] } }));
    if (!moved) return;
    sessionStorage.setItem("drive-trashed", JSON.stringify({ moved, name: root().dataset.name, back: location.pathname }));
    location.assign(parent ? `/drive/${parent}/` : "/drive/");
  }
});

// The page that was left for its parent after it was moved to the trash: offer to undo that here.
const left = sessionStorage.getItem("drive-trashed");
if (left) {
  sessionStorage.removeItem("drive-trashed");
  const { moved, name, back } = JSON.parse(left);
  offer(`Moved “${name}” to the trash`, "Undo", () =>
    attempt(async () => {
      await api("/api/v1/trash/restore", { method: "POST", json: moved });
      if (back.includes("/photo/")) await refresh();
      else location.assign(back);
    }),
  );
}
