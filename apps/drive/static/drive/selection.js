// Selecting folders and photos: checks, clicks with Shift and Ctrl, keys; and what is done with a selection.
import { api } from "../js/http.js";
import { toast } from "../js/toasts.js";
import { attempt, folder, plural, refresh, root, setCount, trash } from "./page.js";
import { renameTile } from "./rename.js";
import { chooseFolder } from "./dialogs.js";

const bar = document.getElementById("selection-bar");
const rest = document.getElementById("select-rest");
let wholeFolder = false; // every photo of the folder, also those that are not loaded yet
let anchor = null; // where a range begins

const tiles = () => [...root().querySelectorAll("li[data-kind]")];
const box = (tile) => tile.querySelector("input[type=checkbox]");
const chosenTiles = () => tiles().filter((tile) => box(tile).checked);
const total = () => Number(root().dataset.count);

export function selection() {
  const ids = (kind) => chosenTiles().filter((tile) => tile.dataset.kind === kind).map((tile) => tile.dataset.id);
  const chosen = { folders: ids("folder"), images: wholeFolder ? [] : ids("image") };
  return wholeFolder ? { ...chosen, images_in: folder() } : chosen;
}

export const isSelected = (tile) => box(tile).checked;

export function clear() {
  for (const tile of tiles()) box(tile).checked = false;
  wholeFolder = false;
  anchor = null;
  update();
}

function update() {
  const chosen = chosenTiles();
  const images = chosen.filter((tile) => tile.dataset.kind === "image");
  const folders = chosen.length - images.length;
  const count = wholeFolder ? total() : images.length;
  const words = [];
  if (folders) words.push(plural(folders, "folder"));
  if (count) words.push(plural(count, "photo"));
  document.getElementById("selection-text").textContent = words.length ? `${words.join(", ")} selected` : "";
  bar.hidden = chosen.length === 0;
  root().classList.toggle("is-selecting", chosen.length > 0);
  const allLoaded = images.length > 0 && images.length === root().querySelectorAll("li[data-kind=image]").length;
  // While a search leaves some out, "all" would take those, too.
  const searching = Boolean(new URLSearchParams(document.getElementById("found")?.dataset.look).get("q"));
  rest.hidden = wholeFolder || searching || !allLoaded || total() <= images.length;
  rest.textContent = `Select all ${total().toLocaleString("en")}`;
  const one = chosen.length === 1 && !wholeFolder ? chosen[0] : null;
  document.getElementById("rename-selected").hidden = !one;
  const studio = document.getElementById("open-in-studio");
  studio.hidden = !one;
  if (one) studio.href = `${studio.pathname}?${one.dataset.kind}=${one.dataset.id}`;
}

function toggle(tile, on = !box(tile).checked) {
  box(tile).checked = on;
  if (!on && tile.dataset.kind === "image") wholeFolder = false;
}

function range(from, to) {
  const all = tiles();
  const [low, high] = [all.indexOf(from), all.indexOf(to)].sort((a, b) => a - b);
  for (const tile of all.slice(Math.max(low, 0), high + 1)) toggle(tile, true);
}

function selectAll() {
  const images = tiles().filter((tile) => tile.dataset.kind === "image");
  for (const tile of images.length ? images : tiles()) toggle(tile, true);
  update();
}

// --- Pointer ---
document.addEventListener("click", (event) => {
  const tile = event.target.closest("#drive li[data-kind]");
  if (!tile || event.target.closest(".inline-rename")) return;
  const onBox = event.target === box(tile);
  const onCheck = Boolean(event.target.closest(".tile-check"));
  if (event.shiftKey && anchor?.isConnected) {
    if (!onBox) event.preventDefault();
    range(anchor, tile);
  } else if (onBox) {
    toggle(tile, box(tile).checked);
    anchor = tile;
  } else if (onCheck) {
    return; // the label passes it on to its box
  } else if (event.ctrlKey || event.metaKey || chosenTiles().length) {
    event.preventDefault();
    toggle(tile);
    anchor = tile;
  } else {
    return; // the link opens it
  }
  update();
});

// --- Keys ---
function columns(list) {
  const items = [...list.querySelectorAll("li[data-kind]")];
  const second = items.findIndex((item) => item.offsetTop !== items[0].offsetTop); // first of the second row
  return second === -1 ? items.length : second;
}

function step(tile, key) {
  const all = tiles();
  const across = columns(tile.parentElement);
  const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }[key];
  const at = all.indexOf(tile) + by;
  return all[Math.min(Math.max(at, 0), all.length - 1)];
}

const busyElsewhere = (target) =>
  document.querySelector("dialog[open], details.menu[open]") || target.closest("input:not([type=checkbox]), textarea, select");

function onKey(event) {
  const { key, target } = event;
  if (busyElsewhere(target)) return false;
  if ((event.ctrlKey || event.metaKey) && key.toLowerCase() === "a") {
    selectAll();
    return true;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  if (key === "Escape" && !bar.hidden) {
    clear();
    return true;
  }
  if ((key === "Delete" || key === "Backspace") && !bar.hidden) {
    trashSelected();
    return true;
  }
  const tile = target.closest("#drive li[data-kind]");
  if (key === "F2" && (tile || chosenTiles().length === 1)) {
    renameTile(chosenTiles()[0] ?? tile);
    return true;
  }
  if (tile && key === " " && target !== box(tile)) {
    toggle(tile);
    anchor = tile;
    update();
    return true;
  }
  if (tile && key.startsWith("Arrow")) {
    const next = step(tile, key);
    next.querySelector("a").focus();
    if (event.shiftKey) {
      range(anchor ?? tile, next);
      anchor ??= tile;
      update();
    }
    return true;
  }
  return false;
}

document.addEventListener("keydown", (event) => {
  if (onKey(event)) event.preventDefault();
});

// --- What is done with it ---
async function trashSelected() {
  const chosen = selection();
  const moved = await trash(chosen, (count) => `Moved ${plural(count, "item")} to the trash`);
  if (!moved) return;
  clear();
  const gone = new Set([...moved.folders, ...moved.images]);
  const left = tiles().filter((tile) => !gone.has(tile.dataset.id));
  // Nothing left on this page, or a folder's count to correct: draw it again. Else take the tiles away.
  if (moved.folders.length || !left.length) return void refresh();
  for (const tile of tiles()) if (gone.has(tile.dataset.id)) tile.remove();
  setCount(total() - moved.images.length);
}

export async function moveTo(chosen, to) {
  const answer = await attempt(() => api("/api/v1/move", { method: "POST", json: { ...chosen, to } }));
  if (!answer) return;
  toast(answer.count ? `Moved ${plural(answer.count, "item")}` : "They are in this folder already", "good");
  clear();
  await refresh();
}

document.getElementById("trash-selected").addEventListener("click", trashSelected);
document.getElementById("clear-selection").addEventListener("click", clear);
document.getElementById("rename-selected").addEventListener("click", () => renameTile(chosenTiles()[0]));
document.getElementById("move-selected").addEventListener("click", () => {
  const chosen = selection();
  const onlyFolders = !chosen.images.length && !chosen.images_in;
  chooseFolder({ not: chosen.folders, top: onlyFolders, then: (to) => moveTo(chosen, to) });
});
rest.addEventListener("click", () => {
  wholeFolder = true;
  update();
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-select-all]")) selectAll();
});
bar.addEventListener("submit", () => {
  const chosen = selection();
  const fields = document.getElementById("selection-fields");
  fields.replaceChildren();
  const add = (name, value) => {
    const input = document.createElement("input");
    Object.assign(input, { type: "hidden", name, value });
    fields.append(input);
  };
  for (const id of chosen.folders) add("folder", id);
  for (const id of chosen.images) add("image", id);
  if (chosen.images_in) add("images_in", chosen.images_in);
});

document.addEventListener("drive:changed", update);
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.id === "find") clear(); // other photos come: what was selected may not be among them
});
document.addEventListener("htmx:afterSwap", () => {
  if (wholeFolder) for (const tile of tiles()) if (tile.dataset.kind === "image") box(tile).checked = true;
  update();
});
update();
