// Options of single photos, which replace the folder's for them. Kept for the tab, by app and folder, so that a
// reload loses nothing.
const $ = (selector) => document.querySelector(selector);

export class OwnOptions {
  #key = "";
  #entries = new Map(); // image id -> {name, params}

  constructor(app, { open, changed }) {
    this.app = app;
    this.changed = changed;
    $("[data-own-items]").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      if (button.dataset.open) open(button.dataset.open);
      else {
        this.remove(button.dataset.remove);
        changed();
      }
    });
  }

  folder(id) {
    this.#key = id ? `studio:${this.app}:${id}` : "";
    this.#entries = new Map(read(this.#key));
  }

  has(id) {
    return this.#entries.has(id);
  }

  get(id) {
    return this.#entries.get(id)?.params;
  }

  set(photo, params) {
    this.#entries.set(photo.id, { name: photo.name, params });
    this.#save();
  }

  remove(id) {
    this.#entries.delete(id);
    this.#save();
  }

  /** {image id: options}, as a job takes them. */
  params() {
    return Object.fromEntries([...this.#entries].map(([id, { params }]) => [id, params]));
  }

  /** `inFolder`: only photos of the open folder can have options of their own. */
  render(photo, inFolder) {
    const own = this.has(photo?.id);
    $("[data-own]").hidden = !own;
    $("[data-own-set]").hidden = own;
    $("[data-own-set]").disabled = !photo?.id || !inFolder;
    $("[data-own-list]").hidden = this.#entries.size === 0;
    $("[data-own-items]").replaceChildren(...[...this.#entries].map(([id, { name }]) => item(id, name)));
  }

  #save() {
    try {
      if (this.#key) sessionStorage.setItem(this.#key, JSON.stringify([...this.#entries]));
    } catch {
      // Storage is full or refused: they hold until the page is left.
    }
  }
}

function item(id, name) {
  const li = document.createElement("li");
  const open = document.createElement("button");
  open.type = "button";
  open.className = "truncate";
  open.dataset.open = id;
  open.textContent = name;
  const remove = document.createElement("button");
  remove.type = "button";
  remove.className = "btn btn--quiet btn--small";
  remove.dataset.remove = id;
  remove.textContent = "Remove";
  remove.setAttribute("aria-label", `Remove the own options of ${name}`);
  li.append(open, remove);
  return li;
}

function read(key) {
  try {
    return JSON.parse((key && sessionStorage.getItem(key)) || "[]");
  } catch {
    return [];
  }
}
