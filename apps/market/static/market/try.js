// Trying a listing: a file and a photo of the drive exclude each other, and the result is shown against the photo
// it was made from. Without this module the result stands by itself.
import "../js/before_after.js";

const form = document.querySelector("[data-try]");
const result = document.querySelector("#try-result");

function source() {
  const file = form.querySelector("[data-file]").files[0];
  if (file) return URL.createObjectURL(file);
  return form.querySelector("[name=image]:checked")?.dataset.view;
}

function pair(url) {
  const after = result.querySelector("[data-after]");
  if (!after || !url) return;
  const before = new Image();
  before.alt = "Your photo";
  before.addEventListener("load", () => {
    const near = (a, b) => Math.abs(a / b - 1) < 0.02;
    // What an app makes need not have the photo's shape; then they can't lie on each other.
    if (!near(before.naturalWidth / before.naturalHeight, after.naturalWidth / after.naturalHeight)) return;
    const both = document.createElement("before-after");
    both.style.setProperty("--ratio", before.naturalWidth / before.naturalHeight);
    for (const name of ["Before", "After"]) {
      const label = document.createElement("span");
      label.className = "before-after__label";
      label.textContent = name;
      both.append(label);
    }
    after.replaceWith(both);
    both.prepend(before, after);
  });
  before.src = url;
}

if (form) {
  const file = form.querySelector("[data-file]");
  file.addEventListener("change", () => {
    for (const choice of form.querySelectorAll("[name=image]")) choice.checked = false;
  });
  form.addEventListener("change", (event) => {
    if (event.target.name === "image") file.value = "";
  });
  result.addEventListener("htmx:afterSwap", () => pair(source()));
}
