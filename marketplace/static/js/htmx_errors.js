// Says what went wrong with an htmx request. A 422 with HTML is a form with its errors: it is swapped in.
import { envelope, sentence } from "./http.js";
import { toast } from "./toasts.js";

const isHtml = (xhr) => (xhr.getResponseHeader("Content-Type") || "").startsWith("text/html");

document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status === 422 && isHtml(event.detail.xhr)) {
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  }
});

document.addEventListener("htmx:responseError", (event) => {
  // A poll that fails once is not worth a word: the next one comes soon.
  if (event.detail.requestConfig?.elt?.hasAttribute("data-quiet")) return;
  const { status, responseText } = event.detail.xhr;
  toast(envelope(responseText).message || sentence(status), "bad");
});

for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => {
    if (event.detail.requestConfig?.elt?.hasAttribute("data-quiet")) return;
    toast(sentence(0), "bad");
  });
}

window.addEventListener("offline", () => toast("You are offline. What you see is kept; changes need a connection.", "warn"));
