// A photo that was just uploaded takes its place in the grid at once, first; a reload sorts it in.
import { root, setCount } from "./page.js";

export function addTile(image) {
  const list = document.getElementById("photos");
  if (!list || list.querySelector(`[data-id="${image.id}"]`)) return;
  const tile = document.getElementById("photo-tile").content.firstElementChild.cloneNode(true);
  tile.dataset.id = image.id;
  tile.dataset.name = image.name;
  tile.classList.add("is-new");
  const link = tile.querySelector("a");
  link.href = `/drive/photo/${image.id}/`;
  link.setAttribute("aria-label", image.name);
  tile.querySelector("img").src = `/drive/photo/${image.id}/thumb`;
  const check = tile.querySelector("input");
  check.value = image.id;
  check.setAttribute("aria-label", `Select ${image.name}`);
  const label = tile.querySelector("[data-label]");
  label.textContent = image.name;
  label.title = image.name;
  list.prepend(tile);
  document.getElementById("drive-empty")?.remove();
  setCount(Number(root().dataset.count) + 1);
}
