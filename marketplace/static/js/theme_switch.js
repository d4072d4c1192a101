// The button that goes round: as the system -> light -> dark.
const ORDER = ["system", "light", "dark"];
const LABEL = { system: "as the system", light: "light", dark: "dark" };

function stored() {
  try {
    return localStorage.getItem("theme") || "system";
  } catch {
    return "system";
  }
}

function store(theme) {
  try {
    if (theme === "system") localStorage.removeItem("theme");
    else localStorage.setItem("theme", theme);
  } catch {
    // Holds for this page only.
  }
}

function show(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  for (const button of document.querySelectorAll("[data-theme-switch]")) {
    button.setAttribute("aria-label", `Colours: ${LABEL[theme]}`);
    button.title = `Colours: ${LABEL[theme]}`;
    for (const icon of button.querySelectorAll("[data-theme-icon]")) {
      icon.hidden = icon.dataset.themeIcon !== theme;
    }
  }
}

let theme = ORDER.includes(stored()) ? stored() : "system";
show(theme);

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-theme-switch]")) return;
  theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
  store(theme);
  show(theme);
});
