// Photos and folders can be dragged onto a folder, in the grid or in the breadcrumb.
import { clear, isSelected, moveTo, selection } from "./selection.js";

const KIND = "application/x-pixelyard";
let dragged = null;

document.addEventListener("dragstart", (event) => {
  const tile = event.target.closest?.("#drive li[data-kind]");
  if (!tile) return;
  if (!isSelected(tile)) clear();
  const alone = { folders: [], images: [] };
  alone[tile.dataset.kind === "image" ? "images" : "folders"].push(tile.dataset.id);
  dragged = isSelected(tile) ? selection() : alone;
  event.dataTransfer.setData(KIND, tile.dataset.id);
  event.dataTransfer.effectAllowed = "move";
  tile.classList.add("is-dragged");
});

document.addEventListener("dragend", () => {
  dragged = null;
  for (const tile of document.querySelectorAll(".is-dragged, .is-drop-target")) {
    tile.classList.remove("is-dragged", "is-drop-target");
  }
});

function target(event) {
  const place = dragged && event.target.closest?.("[data-drop-folder]");
  if (!place || dragged.folders.includes(place.dataset.dropFolder)) return null;
  const hasPhotos = dragged.images.length || dragged.images_in;
  return place.dataset.dropFolder === "" && hasPhotos ? null : place; // photos lie in folders
}

document.addEventListener("dragover", (event) => {
  const place = target(event);
  for (const other of document.querySelectorAll(".is-drop-target")) {
    if (other !== place) other.classList.remove("is-drop-target");
  }
  if (!place) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "move";
  place.classList.add("is-drop-target");
});

document.addEventListener("drop", (event) => {
  const place = target(event);
  if (!place) return;
  event.preventDefault();
  moveTo(dragged, place.dataset.dropFolder || null);
});
