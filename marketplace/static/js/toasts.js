// Short messages. From code: toast("Saved", "good"). From the server: Django messages, or an htmx answer with
// the header HX-Trigger: {"toast": {"text": "Saved", "level": "good"}}.
const SECONDS = { good: 5, info: 6, warn: 10 };

const region = () => document.getElementById("toasts");

export function toast(text, level = "info") {
  const node = document.getElementById("toast-template").content.firstElementChild.cloneNode(true);
  node.className = `toast toast--${level}`;
  node.querySelector("p").textContent = text;
  if (level === "bad") node.setAttribute("role", "alert");
  // The same words twice say nothing new.
  for (const other of region().children) {
    if (other.textContent.trim() === node.textContent.trim()) other.remove();
  }
  region().append(node);
  expire(node, level);
  return node;
}

// What went wrong stays until it is dismissed; the rest leaves by itself, but not from under a pointer.
function expire(node, level) {
  const seconds = SECONDS[level];
  if (!seconds) return;
  setTimeout(() => {
    if (node.matches(":hover, :focus-within")) expire(node, level);
    else node.remove();
  }, seconds * 1000);
}

document.addEventListener("click", (event) => {
  event.target.closest(".toast__close")?.closest(".toast").remove();
});

document.addEventListener("toast", (event) => toast(event.detail.text ?? event.detail.value, event.detail.level));

for (const node of region()?.children ?? []) {
  if (node.matches(".toast--success, .toast--good")) expire(node, "good");
  else if (node.matches(".toast--info, .toast--debug")) expire(node, "info");
}
