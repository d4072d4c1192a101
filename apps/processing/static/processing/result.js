// One result: left and right go to the photo before and the next one.
import "../js/before_after.js";

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, textarea, pre, before-after") || event.altKey || event.ctrlKey || event.metaKey) return;
  document.querySelector(`a[data-key="${event.key}"]`)?.click();
});
