// The photos of the open folder in a row: loaded in stretches as they come into sight, chosen by click, by arrow
// keys, or by the buttons before and next.
import { api } from "../../js/http.js";
import { toast } from "../../js/toasts.js";

const $ = (selector) => document.querySelector(selector);

export class FilmStrip {
  #folder = "";
  #photos = new Map(); // place in the folder -> photo
  #total = 0;
  #selected = null; // place
  #loading = new Map();

  constructor({ open, hasOwn }) {
    this.open = open;
    this.hasOwn = hasOwn;
    this.node = $("[data-strip]");
    this.node.addEventListener("click", (event) => {
      const button = event.target.closest("[data-place]");
      if (button) this.#choose(Number(button.dataset.place));
    });
    this.node.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      this.step(step).then(() => this.node.querySelector("[aria-selected=true]")?.focus());
    });
    this.node.addEventListener("scroll", () => this.#more(), { passive: true });
    $("[data-previous]").addEventListener("click", () => this.step(-1));
    $("[data-next]").addEventListener("click", () => this.step(1));
  }

  /** Show a folder, at the photo `image` if given. Answers its first photo of the stretch, or null. */
  async load(folder, image = "") {
    this.#folder = folder;
    this.#photos.clear();
    this.#loading.clear();
    this.#total = 0;
    this.#selected = null;
    this.node.replaceChildren();
    if (!folder) {
      this.#place();
      return null;
    }
    const photos = await this.#fetch(image ? `image=${image}` : "offset=0");
    if (image) {
      const found = [...this.#photos].find(([, photo]) => photo.id === image);
      if (found) this.select(found[0]);
    } else if (photos.length) this.select(0);
    this.#place();
    return photos[0] ?? null;
  }

  /** One photo on (1) or back (-1). */
  async step(by) {
    const place = this.#selected === null ? 0 : this.#selected + by;
    if (place < 0 || place >= this.#total) return;
    await this.#choose(place);
  }

  async openById(id) {
    const found = [...this.#photos].find(([, photo]) => photo.id === id);
    if (found) return this.#choose(found[0]);
    await this.#fetch(`image=${id}`);
    const place = [...this.#photos].find(([, photo]) => photo.id === id)?.[0];
    if (place === undefined) toast("This photo is not in the folder any more.", "warn");
    else await this.#choose(place);
  }

  select(place) {
    this.#selected = place;
    for (const button of this.node.children) {
      const on = Number(button.dataset.place) === place;
      button.setAttribute("aria-selected", on);
      button.tabIndex = on ? 0 : -1;
      // Not scrollIntoView: that would move the page as well.
      if (on) this.node.scrollLeft = button.offsetLeft - this.node.offsetLeft - (this.node.clientWidth - button.clientWidth) / 2;
    }
    this.#place();
  }

  has(id) {
    return [...this.#photos.values()].some((photo) => photo.id === id);
  }

  /** Mark the photos that have options of their own. */
  mark() {
    for (const button of this.node.children) button.classList.toggle("has-own", this.hasOwn(button.dataset.id));
  }

  async #choose(place) {
    if (!this.#photos.has(place)) await this.#fetch(`offset=${place - (place % 60)}`);
    const photo = this.#photos.get(place);
    if (!photo) return;
    this.select(place);
    this.open({ ...photo, folder: this.#folder });
  }

  #fetch(query) {
    const folder = this.#folder;
    const key = `${folder}?${query}`;
    if (!this.#loading.has(key)) {
      this.#loading.set(key, this.#get(folder, query).catch((error) => {
        this.#loading.delete(key);
        toast(error.message, "bad");
        return [];
      }));
    }
    return this.#loading.get(key);
  }

  async #get(folder, query) {
    const { items, offset, total } = await api(`/studio/photos/${folder}/?${query}`);
    if (folder !== this.#folder) return [];
    this.#total = total;
    items.forEach((photo, i) => this.#photos.set(offset + i, { ...photo, folder }));
    this.#render();
    return items;
  }

  #render() {
    const keep = this.node.scrollLeft;
    const places = [...this.#photos.keys()].sort((a, b) => a - b);
    const there = new Map([...this.node.children].map((button) => [Number(button.dataset.place), button]));
    this.node.replaceChildren(...places.map((place) => there.get(place) ?? this.#button(place, this.#photos.get(place))));
    this.node.scrollLeft = keep;
    this.mark();
    if (this.#selected !== null) this.select(this.#selected);
  }

  #button(place, photo) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "strip__photo";
    button.dataset.place = place;
    button.dataset.id = photo.id;
    button.tabIndex = -1;
    button.title = photo.name;
    button.setAttribute("role", "option");
    button.setAttribute("aria-label", photo.name);
    const image = new Image();
    image.loading = "lazy";
    image.alt = "";
    image.src = photo.thumbnail;
    button.append(image);
    return button;
  }

  #more() {
    const { scrollLeft, clientWidth, scrollWidth } = this.node;
    if (scrollWidth - scrollLeft - clientWidth > clientWidth) return;
    const next = Math.max(...this.#photos.keys()) + 1;
    if (next < this.#total) this.#fetch(`offset=${next}`);
  }

  #place() {
    const known = this.#selected !== null && this.#total > 0;
    $("[data-photo-place]").textContent = known ? `${this.#selected + 1} / ${this.#total}` : "";
    $("[data-previous]").disabled = !known || this.#selected === 0;
    $("[data-next]").disabled = this.#total === 0 || (known && this.#selected === this.#total - 1);
  }
}
