// Where uploads come from: the buttons, and a drop anywhere on the page.
import { toast } from "../js/toasts.js";
import { fromDrop, fromFiles } from "./entries.js";
import { enqueue } from "./upload.js";

const veil = document.getElementById("drop-veil");

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-choose]");
  if (button) document.getElementById(`choose-${button.dataset.choose}`).click();
});

for (const id of ["choose-files", "choose-directory"]) {
  const field = document.getElementById(id);
  field.addEventListener("change", () => {
    enqueue(fromFiles(field.files));
    field.value = ""; // so that the same file can be chosen again
  });
}

const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

document.addEventListener("dragenter", (event) => {
  if (hasFiles(event)) veil.hidden = false;
});
document.addEventListener("dragover", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "copy";
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) veil.hidden = true; // out of the window
});
document.addEventListener("drop", async (event) => {
  veil.hidden = true;
  if (!hasFiles(event)) return;
  event.preventDefault();
  const found = await fromDrop(event.dataTransfer).catch(() => null);
  if (found === null) toast("The browser could not read what was dropped. Choose the files with the button instead.", "bad");
  else if (!found.length) toast("There was no file in it.", "warn");
  else enqueue(found);
});
