// One photo through the app, again whenever an option changes: waits until the hand rests, drops the answer to a
// question that is no longer asked, and tries again when all preview servers are busy or were asleep.
import { ApiError, request } from "../../js/http.js";
import { TOO_LONG, WAKING, Waking } from "../../js/waking.js";
import { Findings } from "./findings.js";
import { offerTopup } from "./topup.js";

const REST_MS = 150;
const TRIES = 6;

const $ = (selector) => document.querySelector(selector);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Preview {
  #timer;
  #abort;
  #key = "";
  #blob = "";
  #waking = new Waking();
  #offered; // what the button that costs would ask
  #keys = new Map(); // a question -> its Idempotency-Key: asked again, it is charged once

  /** `showErrors` gets {option: [texts]} and returns those that belong to no option. */
  constructor(config, showErrors) {
    this.config = config;
    this.showErrors = showErrors;
    this.findings = new Findings(config);
    this.rich = config.outputs.some((output) => output !== "image");
    $("[data-pay-button]")?.addEventListener("click", () => this.#paid());
    $("[data-again]").addEventListener("click", () => this.show(this.params));
    $("[data-views]").hidden = $("[data-views]").querySelectorAll("input").length < 2;
    $("[data-views]").addEventListener("change", () => {
      this.#tab();
      this.show(this.params);
    });
  }

  open(photo) {
    this.photo = photo;
    this.#key = "";
    this.findings.clear();
    $("[data-empty]").hidden = this.#ready;
    $("[data-photo-name]").textContent = photo?.name ?? "";
    $("[data-facts]").textContent = "";
    this.#tab();
    if (!photo) return;
    if (this.config.price) this.findings.photo(photo);
    if ($("[data-probe]")) $("[data-probe]").src = photo.content;
    const [before, after] = [$("[data-before]"), $("[data-after]")];
    after.removeAttribute("src");
    after.alt = `${photo.name}, after`;
    if (!before) return;
    before.src = photo.content;
    before.alt = `${photo.name}, before`;
    if (photo.width) this.#ratio(photo.width, photo.height);
    else before.onload = () => this.#ratio(before.naturalWidth, before.naturalHeight);
    // A format that the browser can't show: the result alone.
    before.onerror = () => before.removeAttribute("src");
  }

  /** An app that makes pictures from noise needs no photo. */
  get #ready() {
    return Boolean(this.photo) || !this.config.takes_photo;
  }

  get #view() {
    return $("[data-views] input:checked").value;
  }

  /** Show the photo with these options, soon. The same question twice is asked once. */
  show(params) {
    this.params = params;
    if (!this.#ready || !params) return;
    const asked = this.findings.asked(params, this.#view);
    const key = JSON.stringify([this.photo?.id ?? this.photo?.content, asked]);
    if (key === this.#key) {
      this.findings.filter(params);
      return;
    }
    const first = this.#key === "";
    this.#key = key;
    this.#abort?.abort();
    clearTimeout(this.#timer);
    $("[data-area]").classList.add("is-stale");
    if (this.config.price) {
      // Every preview costs: none is made that was not asked for.
      this.#offered = asked;
      $("[data-busy]").hidden = true;
      $("[data-pay]").hidden = false;
      return;
    }
    this.#timer = setTimeout(() => this.#run(asked), first ? 0 : REST_MS);
  }

  #paid() {
    $("[data-pay]").hidden = true;
    this.#run(this.#offered);
  }

  async #run(params) {
    const abort = (this.#abort = new AbortController());
    $("[data-busy]").hidden = false;
    this.#error("");
    try {
      const began = performance.now();
      const answer = await this.#ask(params, abort.signal);
      await this.#result(answer, began);
      this.showErrors({});
    } catch (error) {
      if (error.name === "AbortError") return;
      this.#failed(error);
    }
    if (abort === this.#abort) {
      this.#asleep(false);
      $("[data-busy]").hidden = true;
      $("[data-area]").classList.remove("is-stale");
    }
  }

  async #ask(params, signal) {
    const form = new FormData();
    if (!this.photo) form.set("file", await nothing(), "none.png");
    else if (this.photo.file) form.set("file", this.photo.file);
    else form.set("image", this.photo.id);
    form.set("params", JSON.stringify(params));
    const headers = this.#headers(params);
    if (this.config.price) form.set("price", this.config.price);
    const accept = this.rich ? "application/json" : "image/*";
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await request(`/api/v1/apps/${this.config.app}/preview`, { method: "POST", form, headers, accept, signal });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.code === "waking_up") {
          await this.#wake(error, signal);
          attempt = 0;
          continue;
        }
        if (error.status !== 429 || attempt === TRIES) throw error;
        $("[data-facts]").textContent = "Busy, trying again";
        // Growing, and with chance in it: not everyone comes back at the same moment.
        const wait = Math.max(error.retryAfter * 500, 200 * 2 ** attempt) * (0.5 + Math.random());
        await sleep(Math.min(wait, 5000));
        if (signal.aborted) throw new DOMException("", "AbortError");
      }
    }
  }

  /** Say that the servers are waking up, and wait until it is time to ask again. */
  async #wake(error, signal) {
    const wait = this.#waking.again(error.retryAfter);
    if (wait === null) throw new ApiError(error.status, { code: error.code, message: TOO_LONG });
    this.#asleep(true);
    await sleep(wait);
    if (signal.aborted) throw new DOMException("", "AbortError");
  }

  #asleep(asleep) {
    if (!asleep) this.#waking.over();
    $("[data-waking]").hidden = !asleep;
    const text = asleep ? WAKING : "";
    // Written only when it changes: it is read out each time.
    if ($("[data-waking-text]").textContent !== text) $("[data-waking-text]").textContent = text;
  }

  #headers(params) {
    if (!this.config.price) return {};
    const question = JSON.stringify([this.photo?.id ?? this.photo?.content, params]);
    if (!this.#keys.has(question)) this.#keys.set(question, [...crypto.getRandomValues(new Uint32Array(4))].join("-"));
    return { "Idempotency-Key": this.#keys.get(question) };
  }

  async #result(response, began) {
    let blob;
    let timings;
    if (this.rich) {
      const data = await response.json();
      timings = data.timings;
      if (data.image) blob = decoded(data.image);
      this.#texts(data);
      if (this.photo) await $("[data-probe]")?.decode().catch(() => {});
      this.findings.show(data.data, this.photo, this.params);
    } else {
      blob = await response.blob();
      timings = fromHeader(response.headers.get("Server-Timing"));
    }
    const all = performance.now() - began;
    if (blob) await this.#image(blob);
    this.#facts(timings ?? {}, all, blob);
  }

  async #image(blob) {
    const url = URL.createObjectURL(blob);
    const after = $("[data-after]");
    after.src = url;
    await after.decode();
    if (this.#blob) URL.revokeObjectURL(this.#blob);
    this.#blob = url;
    // Few pixels shown large should stay pixels.
    after.style.imageRendering = after.naturalWidth * 1.5 < after.clientWidth ? "pixelated" : "auto";
    if (!$("[data-before]")?.getAttribute("src")) this.#ratio(after.naturalWidth, after.naturalHeight);
  }

  #texts({ text, html }) {
    const pre = $("[data-text]");
    pre.textContent = text ?? "";
    // As large as fits: a monospaced letter is about 0.6 em wide.
    const columns = Math.max(1, ...(text ?? "").split("\n", 400).map((line) => line.length));
    pre.style.setProperty("--fit", `clamp(4px, ${(($("[data-area]").clientWidth - 40) / columns / 0.605).toFixed(2)}px, 1rem)`);
    // sandbox="" on the frame: no script in it runs, and it can reach nothing.
    $("[data-html]").srcdoc = html ?? "";
  }

  #facts(timings, all, blob) {
    const parts = Object.entries(timings).map(([name, ms]) => [name.replace(/_ms$/, ""), `${ms.toFixed(1)} ms`]);
    parts.push(["in all", `${all.toFixed(0)} ms`]);
    if (blob) {
      const after = $("[data-after]");
      parts.push([blob.type.replace("image/", ""), `${after.naturalWidth} × ${after.naturalHeight}, ${size(blob.size)}`]);
    }
    $("[data-facts]").replaceChildren(...parts.map(([name, value]) => {
      const fact = document.createElement("span");
      const number = document.createElement("b");
      number.textContent = value;
      fact.append(`${name} `, number);
      return fact;
    }));
  }

  #failed(error) {
    const fields = error.fields ?? {};
    // Amounts of a refusal about money stand in its sentence.
    const rest = error.status === 409 ? {} : this.showErrors(fields);
    $("[data-facts]").textContent = "";
    const others = Object.entries(rest).map(([name, texts]) => `${name}: ${texts.join(" ")}`);
    // What stands at a field need not be said twice.
    const placed = error.status !== 409 && Object.keys(fields).length > Object.keys(rest).length;
    if (!placed || others.length) this.#error([error.message, ...others].join(" "));
    offerTopup($("[data-error] [data-topup]"), error);
    $("[data-again]").hidden = error.status < 500 || Boolean(this.config.price);
    if (!$("[data-again]").hidden) $("[data-error]").scrollIntoView({ block: "nearest", behavior: "smooth" });
    this.#key = "failed";
    if (this.config.price) $("[data-pay]").hidden = false;
  }

  #error(text) {
    $("[data-error]").hidden = !text;
    $("[data-error-text]").textContent = text;
  }

  #ratio(width, height) {
    $("[data-pair]")?.style.setProperty("--ratio", width / height || 1.5);
  }

  #tab() {
    const view = this.#view;
    for (const node of document.querySelectorAll("[data-view]")) {
      node.hidden = !this.#ready || node.dataset.view !== view;
    }
  }
}

/** A photo for apps that look at none: the API takes one with every preview. */
function nothing() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 64;
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function decoded({ content_type: type, base64 }) {
  return new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], { type });
}

/** `read;dur=3.1, process;dur=40` -> {read: 3.1, process: 40} */
function fromHeader(text) {
  const found = {};
  for (const part of (text ?? "").split(",")) {
    const match = part.match(/^\s*([\w-]+).*?;\s*dur=([\d.]+)/);
    if (match) found[match[1]] = Number(match[2]);
  }
  return found;
}

function size(bytes) {
  if (bytes < 1e3) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
