// The results of a job: the search over many classes, what the slider says, and filters that start closed on a
// small screen. Filtering itself is htmx; without scripts it is a form with a button.
const $ = (selector) => document.querySelector(selector);

const slider = $("[data-least]");
function say() {
  const text = `${Math.round(100 * slider.value)} %`;
  $("[data-least-text]").textContent = text;
  slider.setAttribute("aria-valuetext", text);
  slider.style.setProperty("--fill", text.replace(" ", ""));
}
if (slider) {
  slider.addEventListener("input", say);
  say();
}

$("[data-class-search]")?.addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  for (const row of document.querySelectorAll("[data-classes] .bars__row:not(.bars__row--all)")) {
    row.hidden = !row.querySelector("input").value.toLowerCase().includes(wanted);
  }
});
// It is no filter: it must not send the form.
for (const name of ["change", "keydown"]) {
  $("[data-class-search]")?.addEventListener(name, (event) => {
    event.stopPropagation();
    if (event.key === "Enter") event.preventDefault();
  });
}

const facets = $("[data-facets]");
if (facets && matchMedia("(max-width: 62rem)").matches) facets.open = false;
