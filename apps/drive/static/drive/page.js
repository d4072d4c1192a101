// What the parts of the drive page share: where we are, how it is drawn again, and toasts that undo.
import { api } from "../js/http.js";
import { toast } from "../js/toasts.js";

export const root = () => document.getElementById("drive");
export const folder = () => root().dataset.folder;
export const plural = (count, what) => `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;

/** Draw folders, photos and counts again from the server. */
export async function refresh() {
  const look = document.getElementById("found")?.dataset.look;
  await window.htmx.ajax("GET", location.pathname + (look ? `?${look}` : ""), { target: "#drive", select: "#drive", swap: "outerHTML" });
  setCount(Number(root().dataset.count));
  document.dispatchEvent(new Event("drive:changed"));
}

/** The folder has `count` photos now. */
export function setCount(count) {
  root().dataset.count = count;
  const words = document.getElementById("photo-count");
  if (words) words.textContent = plural(count, "photo");
  const process = document.getElementById("process-folder");
  if (process) process.hidden = count === 0;
}

/** Run it; if it fails, say why and answer undefined. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    if (error.name !== "AbortError") toast(error.message, "bad");
    return undefined;
  }
}

const OFFERED = 15; // seconds: time to read it and to reach the button

/** A message with a button in it. It stays while the pointer or the focus is on it. */
export function offer(text, label, act) {
  const node = toast(text, "offer");
  const expire = () => (node.matches(":hover, :focus-within") ? setTimeout(expire, 2000) : node.remove());
  setTimeout(expire, OFFERED * 1000);
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn btn--small";
  button.textContent = label;
  button.addEventListener("click", () => {
    node.remove();
    act();
  });
  node.querySelector(".toast__close").before(button);
}

/** Move things to the trash and offer to undo it. `chosen`: {folders, images, images_in?}. Answers what moved. */
export async function trash(chosen, said, afterUndo = refresh) {
  const moved = await attempt(() => api("/api/v1/trash", { method: "POST", json: chosen }));
  if (!moved) return undefined;
  offer(said(moved.folders.length + moved.images.length), "Undo", () =>
    attempt(async () => {
      await api("/api/v1/trash/restore", { method: "POST", json: moved });
      await afterUndo(moved);
    }),
  );
  return moved;
}
