// Keeps a running job's page up to date: the server's events say that something changed, the page's live part is
// fetched and swapped. Without events (a proxy that holds them back, a browser without them) it polls.
import { ApiError, api, request } from "../js/http.js";

const LEAST_MS = 250; // between two fetches
const POLL_MS = 1000;
const SILENCE_MS = 6000; // no event for so long: poll as well
const SAID = {
  queued: "The job is queued.",
  running: "The job is running.",
  succeeded: "The job has succeeded.",
  failed: "The job has failed.",
  cancelled: "The job was cancelled.",
};

const $ = (selector) => document.querySelector(selector);

class Live {
  #source;
  #timer;
  #fetching = false;
  #again = false;
  #heard = performance.now();
  #said = "";

  start() {
    this.#listen();
    this.#timer = setInterval(() => {
      if (performance.now() - this.#heard > SILENCE_MS || !this.#source || this.#source.readyState === EventSource.CLOSED) this.update();
    }, POLL_MS);
    // A page that comes back from the browser's own cache, or from the background, is out of date.
    window.addEventListener("pageshow", () => this.update());
    document.addEventListener("visibilitychange", () => document.hidden || this.update());
  }

  #listen() {
    if (!window.EventSource) return;
    this.#source = new EventSource(`/api/v1/jobs/${$("#job").dataset.job}/events`);
    for (const name of ["progress", "state"]) {
      this.#source.addEventListener(name, () => {
        this.#heard = performance.now();
        this.update();
      });
    }
  }

  stop() {
    clearInterval(this.#timer);
    this.#source?.close();
  }

  async update() {
    if (this.#fetching) {
      this.#again = true;
      return;
    }
    this.#fetching = true;
    try {
      await this.#fetch();
    } catch (error) {
      // The next event or poll tries again; only a job that is gone ends it.
      if (error instanceof ApiError && [401, 403, 404].includes(error.status)) this.stop();
    }
    setTimeout(() => {
      this.#fetching = false;
      if (this.#again) {
        this.#again = false;
        this.update();
      }
    }, LEAST_MS);
  }

  async #fetch() {
    const response = await request(`/jobs/${$("#job").dataset.job}/live/`, { accept: "text/html" });
    const status = response.headers.get("X-Job-Status");
    const html = await response.text();
    if (status !== $("#job").dataset.status) {
      await this.#whole();
      return;
    }
    $("#live").outerHTML = html;
    this.#announce();
  }

  // Another state is another page: pictures, other buttons. Only its main part is exchanged.
  async #whole() {
    const text = await (await request(location.href, { accept: "text/html" })).text();
    const next = new DOMParser().parseFromString(text, "text/html").querySelector("#main");
    $("#main").replaceChildren(...next.childNodes);
    document.dispatchEvent(new CustomEvent("job:changed"));
    const { status, active } = $("#job").dataset;
    $("[data-announce]").textContent = SAID[status];
    if (active === "no") this.stop();
  }

  // Said aloud at each quarter, not at each photo.
  #announce() {
    const { done, total } = $("#live").dataset;
    const quarter = Math.floor((4 * done) / total);
    const words = quarter ? `${quarter * 25} % done` : "";
    if (words && words !== this.#said) $("[data-announce]").textContent = this.#said = words;
  }
}

if ($("#job").dataset.active === "yes") new Live().start();

// --- Share the output folder ---------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  const share = event.target.closest("[data-share]");
  const dialog = $("#share-dialog");
  if (share) {
    dialog.dataset.folder = share.dataset.share;
    dialog.querySelector("[data-share-result]").hidden = true;
    dialog.querySelector("[data-share-error]").textContent = "";
    dialog.showModal();
  }
  if (event.target.closest("[data-share-close]")) dialog.close();
});

document.addEventListener("submit", async (event) => {
  if (!event.target.matches("[data-share-form]")) return;
  event.preventDefault();
  const dialog = $("#share-dialog");
  const expires = dialog.querySelector("[name=expires_in]").value;
  try {
    const json = expires ? { expires_in: Number(expires) } : {};
    const made = await api(`/api/v1/folders/${dialog.dataset.folder}/share`, { method: "POST", json });
    dialog.querySelector("#share-url").value = made.url;
    dialog.querySelector("[data-share-result]").hidden = false;
    dialog.querySelector("#share-url").select();
  } catch (error) {
    dialog.querySelector("[data-share-error]").textContent = error.message;
  }
});
