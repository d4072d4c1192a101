// Trying a listing: a file and a photo of the drive exclude each other, and the result is shown against the photo
// it was made from. While the preview servers wake up, it asks again by itself. Without this module the result
// stands by itself.
import "../js/before_after.js";
import { TOO_LONG, Waking } from "../js/waking.js";

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

const waking = new Waking();
let timer;

/** Asks again while the servers wake up; in the end says that they don't, and offers a button. */
function wake() {
  const note = result.querySelector("[data-waking]");
  if (!note) {
    waking.over();
    return;
  }
  const wait = waking.again(Number(note.dataset.waking));
  if (wait !== null) {
    timer = setTimeout(() => form.requestSubmit(), wait);
    return;
  }
  waking.over();
  note.classList.add("alert--bad");
  note.role = "alert";
  const again = document.createElement("button");
  again.type = "button";
  again.className = "btn btn--small";
  again.textContent = "Try again";
  again.addEventListener("click", () => form.requestSubmit());
  const [all, text, act] = ["div", "p", "p"].map((tag) => document.createElement(tag));
  all.className = "stack stack--tight";
  text.append(TOO_LONG);
  act.append(again);
  all.append(text, act);
  note.replaceChildren(all);
}

if (form) {
  const file = form.querySelector("[data-file]");
  file.addEventListener("change", () => {
    for (const choice of form.querySelectorAll("[name=image]")) choice.checked = false;
  });
  form.addEventListener("change", (event) => {
    if (event.target.name === "image") file.value = "";
  });
  form.addEventListener("submit", () => clearTimeout(timer));
  result.addEventListener("htmx:afterSwap", () => {
    pair(source());
    wake();
  });
}
