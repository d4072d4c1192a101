// The nodes are fetched anew every two seconds, but not under somebody's hands: not while a question is open, a
// weight is being typed or the page is in the background. (htmx gives a button that had the focus its focus back.)

const inUse = () =>
  document.hidden ||
  document.querySelector("dialog[open]") ||
  document.activeElement?.matches("#cluster-live input");

document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt.id === "cluster-live" && inUse()) event.preventDefault();
});
