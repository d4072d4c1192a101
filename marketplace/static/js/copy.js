// <button data-copy="text"> or <button data-copy-from="#id">: puts the text on the clipboard.
import { toast } from "./toasts.js";

export async function copy(text, said = "Copied") {
  try {
    await navigator.clipboard.writeText(text);
    toast(said, "good");
  } catch {
    toast("The browser did not allow copying. Select the text and copy it by hand.", "warn");
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const from = button.dataset.copyFrom && document.querySelector(button.dataset.copyFrom);
  copy(from ? (from.value ?? from.textContent) : button.dataset.copy);
});
