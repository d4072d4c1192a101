// One photo: keys to step through its folder; rename and trash where it is the owner's.
import { api } from "../js/http.js";
import { toast } from "../js/toasts.js";
import { renameInPlace, store } from "./rename.js";

const viewer = document.getElementById("viewer");
const { image: id, name, folder } = viewer.dataset;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  if (document.querySelector("dialog[open], details.menu[open]")) return;
  const link = { ArrowLeft: "[rel=prev]", ArrowRight: "[rel=next]", Escape: "[data-up]" }[event.key];
  const target = link && document.querySelector(link);
  if (target) {
    event.preventDefault();
    location.assign(target.href);
  }
  if (event.key === "Delete" && id) toTrash();
});

// The one after it is likely to be next.
const after = document.querySelector("[rel=next]");
if (after) document.head.append(Object.assign(document.createElement("link"), { rel: "prefetch", href: after.href }));

async function toTrash() {
  try {
    await api(`/api/v1/images/${id}`, { method: "DELETE" });
  } catch (error) {
    toast(error.message, "bad");
    return;
  }
  const moved = { folders: [], images: [id] };
  sessionStorage.setItem("drive-trashed", JSON.stringify({ moved, name, back: location.pathname }));
  location.assign(`/drive/${folder}/`);
}

document.querySelector("[data-trash-photo]")?.addEventListener("click", toTrash);
document.querySelector("[data-rename-photo]")?.addEventListener("click", () => {
  renameInPlace(document.getElementById("photo-name"), async (wanted) => {
    const stored = await store("image", id, wanted);
    document.title = `${stored} · Pixelyard`;
    return stored;
  });
});
