// Names are changed where they stand: Enter keeps the new one, Escape the old one.
import { api, ApiError } from "../js/http.js";
import { toast } from "../js/toasts.js";
import { root } from "./page.js";

const WHERE = { image: "images", folder: "folders" };

/** Turn the text of `label` into a field; `save(name)` answers the name as it was stored. */
export function renameInPlace(label, save) {
  if (!label || label.querySelector("input")) return;
  const old = label.textContent;
  const field = document.createElement("input");
  field.className = "inline-rename";
  field.value = old;
  field.maxLength = 200;
  field.setAttribute("aria-label", "New name");
  label.replaceChildren(field);
  field.focus();
  const dot = old.lastIndexOf(".");
  field.setSelectionRange(0, dot > 0 ? dot : old.length);
  let ended = false;

  async function end(keep) {
    if (ended) return;
    const name = field.value.trim();
    if (!keep || !name || name === old) {
      ended = true;
      label.textContent = old;
      return;
    }
    ended = true;
    try {
      label.textContent = await save(name);
    } catch (error) {
      toast(error instanceof ApiError ? error.message : String(error), "bad");
      label.textContent = old;
    }
  }

  field.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") {
      event.preventDefault();
      end(true);
      label.closest("li, h1")?.querySelector("a")?.focus();
    } else if (event.key === "Escape") {
      event.preventDefault();
      end(false);
      label.closest("li")?.querySelector("a")?.focus();
    }
  });
  field.addEventListener("click", (event) => {
    event.preventDefault(); // the name of a folder lies within its link
    event.stopPropagation();
  });
  field.addEventListener("blur", () => end(true));
}

export const store = async (kind, id, name) =>
  (await api(`/api/v1/${WHERE[kind]}/${id}`, { method: "PATCH", json: { name } })).name;

export function renameTile(tile) {
  renameInPlace(tile?.querySelector("[data-label]"), async (name) => {
    const stored = await store(tile.dataset.kind, tile.dataset.id, name);
    tile.dataset.name = stored;
    tile.querySelector("[data-label]").title = stored;
    if (tile.dataset.kind === "image") tile.querySelector("a").setAttribute("aria-label", stored);
    tile.querySelector("input[type=checkbox]")?.setAttribute("aria-label", `Select ${stored}`);
    return stored;
  });
}

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-rename-folder]")) return;
  renameInPlace(document.getElementById("folder-name"), async (name) => {
    const stored = await store("folder", root().dataset.folder, name);
    root().dataset.name = stored;
    document.title = `${stored} · Pixelyard`;
    return stored;
  });
});

document.addEventListener("dblclick", (event) => {
  const label = event.target.closest(".photo [data-label]");
  if (label) renameTile(label.closest("li"));
});
