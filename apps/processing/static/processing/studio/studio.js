// The studio page: joins the photo, the options, the preview and the run bar. Each has a module of its own;
// this one holds what they share and keeps the address of the page in step.
import "../../js/before_after.js";
import { copy } from "../../js/copy.js";
import { SchemaForm } from "../../js/schema_form.js";
import { jobCall, previewCall } from "./curl.js";
import { FilmStrip } from "./film_strip.js";
import { OwnOptions } from "./own_options.js";
import { Preview } from "./preview.js";
import { RunBar } from "./run_bar.js";

const $ = (selector) => document.querySelector(selector);
const config = JSON.parse($("#studio-config").textContent);

const state = {
  photo: config.image, // {id, name, width, height, thumbnail, content} or {file, name, content}
  folder: config.folder,
  folderOptions: {}, // what differs from the defaults, for every photo without options of its own
  atOpening: {}, // folderOptions when the photo was opened
};

const form = new SchemaForm($("[data-options]"), changed);
const preview = new Preview(config, (fields) => form.showErrors(fields));
const own = new OwnOptions(config.app, { open: openById, changed: ownChanged });
const strip = new FilmStrip({ open, hasOwn: (id) => own.has(id) });
const bar = new RunBar(config, () => ({ params: state.folderOptions, image_params: own.params() }));

let silent = false; // while the form is filled in by the page itself

function changed() {
  if (silent) return;
  const values = form.changed;
  if (own.has(state.photo?.id)) own.set(state.photo, values);
  else state.folderOptions = values;
  refresh();
}

function fill(values) {
  silent = true;
  form.set(values);
  silent = false;
}

function open(photo) {
  state.photo = photo;
  state.atOpening = state.folderOptions;
  fill(own.get(photo.id) ?? state.folderOptions);
  preview.open(photo);
  refresh();
}

function openById(id) {
  strip.openById(id);
}

function ownChanged() {
  strip.mark();
  refresh();
}

function refresh() {
  preview.show(form.changed);
  own.render(state.photo, strip.has(state.photo?.id));
  bar.refresh(state.folder);
  keepAddress();
}

function keepAddress() {
  const query = new URLSearchParams();
  if (state.photo?.id) query.set("image", state.photo.id);
  if (state.folder) query.set("folder", state.folder);
  for (const link of document.querySelectorAll("[data-app-link]")) {
    link.href = `${link.pathname}?${query}`;
  }
  if (Object.keys(state.folderOptions).length) query.set("options", JSON.stringify(state.folderOptions));
  history.replaceState(null, "", `?${query}`);
}

async function chooseFolder(id) {
  state.folder = id;
  own.folder(id);
  const first = await strip.load(id);
  if (first && state.photo?.folder !== id) open(first);
  else refresh();
}

$("[data-folder]").addEventListener("change", (event) => chooseFolder(event.target.value));
$("[data-reset]").addEventListener("click", () => form.set({}));
$("[data-own-set]").addEventListener("click", () => {
  own.set(state.photo, form.changed);
  // What was tried on this photo alone does not change the rest of the folder.
  state.folderOptions = state.atOpening;
  ownChanged();
});
$("[data-own-remove]").addEventListener("click", () => {
  own.remove(state.photo.id);
  fill(state.folderOptions);
  ownChanged();
});
for (const button of document.querySelectorAll("[data-curl]")) {
  button.addEventListener("click", () => {
    const call = button.dataset.curl === "preview"
      ? previewCall(config, state.photo, form.changed)
      : jobCall(bar.body());
    copy(call, "Copied. Put your API token where it says TOKEN.");
  });
}

function tryFile(file) {
  if (!file) return;
  strip.select(null);
  if (state.photo?.file) URL.revokeObjectURL(state.photo.content);
  open({ file, name: file.name, content: URL.createObjectURL(file) });
}

$("[data-file]").addEventListener("change", (event) => {
  tryFile(event.target.files[0]);
  event.target.value = "";
});
const area = $("[data-area]");
for (const name of ["dragenter", "dragover"]) {
  area.addEventListener(name, (event) => {
    event.preventDefault();
    area.classList.add("is-drop");
  });
}
for (const name of ["dragleave", "drop"]) area.addEventListener(name, () => area.classList.remove("is-drop"));
area.addEventListener("drop", (event) => {
  event.preventDefault();
  tryFile(event.dataTransfer.files[0]);
});

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, textarea, before-after, [contenteditable]") || event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === "j" || event.key === "ArrowRight") strip.step(1);
  if (event.key === "k" || event.key === "ArrowLeft") strip.step(-1);
});

// The form comes filled in by the server: with the options of the address.
state.folderOptions = form.changed;
own.folder(state.folder);
if (state.photo) open(state.photo);
else {
  preview.open(null);
  refresh();
}
if (state.folder) strip.load(state.folder, state.photo?.id).then(refresh);
