// "214 photos · 0 credits · about 40 s", and the button that starts the job.
import { api, ApiError } from "../../js/http.js";
import { offerTopup } from "./topup.js";

const REST_MS = 400;

const $ = (selector) => document.querySelector(selector);

export class RunBar {
  #timer;
  #abort;
  #asked = "";
  #price = null; // as it was shown; nothing else is agreed to
  #key = { body: "", value: "" };
  #folder = "";

  /** `options` answers {params, image_params} for the whole job. */
  constructor(config, options) {
    this.config = config;
    this.options = options;
    this.button = $("[data-run-button]");
    this.button.addEventListener("click", () => this.#run());
    // Back from the job's page, as the browser kept this one.
    window.addEventListener("pageshow", (event) => event.persisted && this.#ready());
    for (const name of ["[data-policy]", "[data-nodes]"]) {
      $(name).addEventListener("change", () => this.refresh(this.#folder));
    }
  }

  /** What a job of now would be, as the API takes it. */
  body() {
    const { params, image_params } = this.options();
    const body = { app: this.config.app, folder: this.#folder, params };
    if (Object.keys(image_params).length) body.image_params = image_params;
    if ($("[data-policy]").value) body.policy = $("[data-policy]").value;
    if ($("[data-nodes]").value) body.parallelism = Number($("[data-nodes]").value);
    return body;
  }

  refresh(folder) {
    this.#folder = folder;
    const text = JSON.stringify(this.body());
    if (text === this.#asked) return;
    this.#asked = text;
    this.#abort?.abort();
    clearTimeout(this.#timer);
    this.#say();
    this.#price = null;
    if (!folder) {
      this.button.disabled = true;
      $("[data-run-label]").textContent = "Run";
      $("[data-quote]").textContent = "to run this over all its photos";
      return;
    }
    const photos = this.config.folders[folder] ?? 0;
    // What costs is started at a price that was read.
    this.button.disabled = photos === 0 || this.config.price > 0;
    $("[data-run-label]").textContent = `Run on ${count(photos)}`;
    this.#timer = setTimeout(() => this.#quote(), REST_MS);
  }

  /** `after`: a refusal that stays to be read beside the new price. */
  async #quote(after) {
    const abort = (this.#abort = new AbortController());
    try {
      const quote = await api("/api/v1/quotes", { method: "POST", json: this.body(), signal: abort.signal });
      this.#price = quote.price;
      this.button.disabled = short(quote) > 0;
      $("[data-run-label]").textContent = `Run on ${count(quote.images)}`;
      show(quote);
      this.#say(short(quote) ? lacking(quote) : after);
    } catch (error) {
      if (error.name === "AbortError") return;
      $("[data-quote]").textContent = "";
      this.button.disabled = error.status === 422 || error.status === 404;
      this.#say(error);
    }
  }

  async #run() {
    if (this.config.price && this.#price === null) return this.#quote(); // the first one failed
    const body = this.#price === null ? this.body() : { ...this.body(), price: this.#price };
    this.button.setAttribute("aria-busy", "true");
    this.button.disabled = true;
    try {
      const headers = { "Idempotency-Key": this.#keyFor(body) };
      const job = await api("/api/v1/jobs", { method: "POST", json: body, headers });
      this.#key = { body: "", value: "" }; // asked for again later, it is another job
      window.location.assign(`/jobs/${job.id}/`);
    } catch (error) {
      this.#say(error);
      this.#ready();
      if (error.code === "price_changed") this.#quote(error);
    }
  }

  #ready() {
    this.button.disabled = false;
    this.button.removeAttribute("aria-busy");
  }

  // The same job asked for again after a lost answer must not start twice.
  #keyFor(body) {
    const text = JSON.stringify(body);
    if (this.#key.body !== text) this.#key = { body: text, value: random() };
    return this.#key.value;
  }

  #say(error) {
    $("[data-run-error-text]").textContent = error ? words(error) : "";
    offerTopup($("[data-run-error] [data-topup]"), error);
  }
}

// crypto.randomUUID is there in secure contexts only; this is everywhere.
function random() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const short = ({ price, balance }) => Math.max(0, price - (balance ?? price));
const credits = (n) => (n === 1 ? "1 credit" : `${n.toLocaleString("en")} credits`);

/** What the server would say to a job that costs more than the wallet holds. */
function lacking(quote) {
  const missing = short(quote);
  const message = `${credits(missing)} ${missing === 1 ? "is" : "are"} missing.`;
  return new ApiError(409, { code: "insufficient_credits", message, fields: { missing: [String(missing)] } });
}

const count = (n) => (n === 1 ? "1 photo" : `${n.toLocaleString("en")} photos`);

function show({ price, balance, eta_seconds: seconds, queue_position: position }) {
  const parts = [["", credits(price)]];
  if (balance !== null) parts.push(["wallet ", balance.toLocaleString("en")]);
  if (seconds === null) parts.push(["", "waits for a node"]);
  else parts.push(["about ", duration(seconds)]);
  if (position > 1) parts.push(["", `${position - 1} ahead`]);
  const nodes = parts.flatMap(([before, value], i) => {
    const number = document.createElement("b");
    number.textContent = value;
    return [i ? " · " : "", before, number];
  });
  $("[data-quote]").replaceChildren(...nodes);
}

function duration(seconds) {
  if (seconds < 1) return "1 s";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

function words(error) {
  if (!(error instanceof ApiError)) return "This page failed at it. Reload it and try again.";
  // The numbers of a refusal about money stand in its sentence.
  if (error.status === 409) return error.message;
  const fields = Object.entries(error.fields).map(([name, texts]) => `${name}: ${texts.join(" ")}`);
  return [error.message, ...fields].join(" ");
}
