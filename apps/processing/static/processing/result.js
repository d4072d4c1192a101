// One result: left and right go to the photo before and the next one; boxes over the photo where there are any.
import "../js/before_after.js";
import { Finder } from "./finder.js";

const data = document.querySelector("#finder-data");
if (data) {
  const label = new URLSearchParams(location.search).get("label") ?? "";
  new Finder(document.querySelector("[data-finder]")).show(JSON.parse(data.textContent), { label });
}

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, textarea, pre, before-after") || event.altKey || event.ctrlKey || event.metaKey) return;
  document.querySelector(`a[data-key="${event.key}"]`)?.click();
});
