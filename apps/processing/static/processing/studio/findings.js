// What an app found in the photo: boxes of a detector, bars of a classifier, and the data as JSON.
//
// A detector is asked once for everything from a low confidence on, without a drawn picture. Its confidence slider
// then only hides and shows: boxes of a higher threshold are always among those of a lower one, because boxes that
// overlap give way to more confident ones, and the most confident are kept where there are too many.
import { hueOf } from "../classes.js";
import { Finder } from "../finder.js";

const FLOOR = 0.05;

const $ = (selector) => document.querySelector(selector);
const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)} %`;

export class Findings {
  #data = null;
  #photo = null;
  #least = 0;

  constructor(config) {
    this.config = config;
    this.detects = config.kind === "detection";
    const root = $("[data-finder]");
    this.finder = root && new Finder(root);
  }

  /** The options to ask with, so that as much as possible can be shown without asking again. */
  asked(params, view) {
    if (!this.detects) return params;
    const asked = { ...params };
    const { confidence, draw } = this.config.options;
    if (confidence) asked.confidence = Math.min(this.#threshold(params), Math.max(FLOOR, confidence.minimum ?? 0));
    if (draw) asked.draw = view === "image" && params.draw !== false;
    // The drawn picture is to hold what its options say.
    if (asked.draw) return params;
    return asked;
  }

  #threshold(params) {
    const value = params.confidence ?? this.config.options.confidence?.default;
    return typeof value === "number" ? value : 0;
  }

  show(data, photo, params) {
    this.#data = data;
    this.#photo = photo;
    this.#least = this.#threshold(params);
    this.#json();
    if (this.detects) this.#boxes();
    else if (this.config.kind === "classification") this.#bars();
  }

  /** The same data with another confidence. */
  filter(params) {
    const least = this.#threshold(params);
    if (!this.detects || least === this.#least || !this.#data) return;
    this.#least = least;
    this.finder.least = least;
    this.#json();
  }

  clear() {
    this.#data = null;
  }

  /** The photo alone, while nobody has asked for what is in it. */
  photo(photo) {
    if (this.detects) {
      this.finder.photo(photo.content, photo.name);
      this.finder.show({ width: photo.width, height: photo.height, detections: [] });
      $("[data-finder-count]").textContent = "";
    } else if (this.config.kind === "classification") {
      $("[data-class-photo]").src = photo.content;
      $("[data-class-photo]").alt = photo.name;
      $("[data-class-bars]").replaceChildren();
    }
  }

  #boxes() {
    const found = (this.#data?.detections ?? []).map((one) => ({ ...one, hue: hueOf(one.label, this.config.hues) }));
    const [width, height] = this.#size(found);
    this.finder.photo(this.#photo.content, `${this.#photo.name}, with what was found`);
    this.finder.show({ width, height, detections: found }, { least: this.#least });
  }

  // A file that was never uploaded has no size here but its own; what no browser decodes is as large as its boxes.
  #size(found) {
    if (this.#photo.width) return [this.#photo.width, this.#photo.height];
    const shown = $("[data-probe]");
    if (shown?.naturalWidth) return [shown.naturalWidth, shown.naturalHeight];
    return [
      Math.max(1, ...found.map(({ box: [x, , width] }) => x + width)),
      Math.max(1, ...found.map(({ box: [, y, , height] }) => y + height)),
    ];
  }

  #bars() {
    const photo = $("[data-class-photo]");
    photo.src = this.#photo.content;
    photo.alt = this.#photo.name;
    const rows = (this.#data?.top ?? []).map((one, i) => {
      const row = document.createElement("li");
      row.className = `bars__row class-${hueOf(one.label, this.config.hues)}${i ? "" : " is-first"}`;
      const track = span("bars__track", "");
      track.setAttribute("aria-hidden", "true");
      const bar = document.createElement("i");
      bar.style.setProperty("--share", percent(one.confidence, 2).replace(" ", ""));
      track.append(bar);
      row.append(span("bars__name truncate", one.label), track, span("bars__value mono", percent(one.confidence, 1)));
      return row;
    });
    $("[data-class-bars]").replaceChildren(...rows);
    const [whole] = this.#data?.classes ?? [];
    $("[data-class-colour]").replaceChildren(...["rgb", "ryb"].filter((wheel) => whole?.[wheel]).map((wheel) => {
      const swatch = span("swatch", "");
      Object.assign(swatch.dataset, { wheel, colour: whole[wheel] });
      const words = span("", "");
      words.append(swatch, ` ${whole[wheel]} (${wheel.toUpperCase()})`);
      return words;
    }));
  }

  // What a job with these options would store, though more was asked for.
  #json() {
    let data = this.#data;
    if (this.detects && Array.isArray(data?.detections)) {
      const detections = data.detections.filter((one) => one.confidence >= this.#least);
      const counts = {};
      for (const { label } of detections) counts[label] = (counts[label] ?? 0) + 1;
      data = { ...data, detections, counts };
    }
    $("[data-data]").textContent = data ? JSON.stringify(data, null, 2) : "";
  }
}

function span(className, text) {
  const node = document.createElement("span");
  node.className = className;
  node.textContent = text;
  return node;
}
