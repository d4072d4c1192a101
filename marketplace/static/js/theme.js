// Runs before the first paint, so that a chosen theme never flashes. Not a module: modules are deferred.
(() => {
  let theme = null;
  try {
    theme = localStorage.getItem("theme");
  } catch {
    // Storage can be refused; the system's setting holds then.
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
