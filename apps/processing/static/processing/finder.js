// Boxes over a photo, the classes as a legend that switches them on and off, and a table of the same boxes. The
// markup is templates/processing/finder.html; boxes are SVG in the photo's own pixels, so they are sharp at any size.
const SVG = "http://www.w3.org/2000/svg";
const NAMES = 120; // with more boxes than this in sight, only the chosen one has its name

const percent = (share) => `${(100 * share).toFixed(0)} %`;

function element(name, { text, ...attributes } = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  node.append(...children);
  return node;
}

function rect([x, y, width, height], className) {
  const node = document.createElementNS(SVG, "rect");
  for (const [key, value] of Object.entries({ x, y, width, height, class: className })) node.setAttribute(key, value);
  return node;
}

export class Finder {
  #found = []; // the detections, the most confident first
  #hidden = new Set(); // classes switched off
  #least = 0;
  #chosen = -1;
  #size = [1, 1];

  constructor(root) {
    this.root = root;
    this.slider = this.#part("least");
    this.slider?.addEventListener("input", () => this.#draw(Number(this.slider.value)));
    this.#part("labels").addEventListener("change", () => this.#draw());
    this.#part("legend").addEventListener("click", (event) => this.#toggle(event.target.closest("button")));
    for (const name of ["boxes", "rows"]) {
      const part = this.#part(name);
      // Not pointerover: it also comes when the page scrolls below a pointer at rest, and would undo what the keys chose.
      part.addEventListener("pointermove", (event) => this.#choose(indexOf(event.target)));
      part.addEventListener("pointerleave", () => this.#choose(indexOf(document.activeElement)));
      part.addEventListener("click", (event) => this.#focus(indexOf(event.target)));
    }
    this.#part("rows").addEventListener("focusin", (event) => this.#choose(indexOf(event.target), true));
    this.#part("rows").addEventListener("focusout", () => this.#choose(-1));
    this.#part("rows").addEventListener("keydown", (event) => this.#key(event));
  }

  /** Show what was found: {width, height, detections: [{label, hue, confidence, box, rgb, ryb}]}. */
  show({ width, height, detections }, { least = Number(this.slider?.value ?? 0), label = "" } = {}) {
    this.#size = [width || 1, height || 1];
    this.#found = [...detections].sort((a, b) => b.confidence - a.confidence);
    const labels = new Set(this.#found.map((one) => one.label));
    if (label && labels.has(label)) this.#hidden = new Set([...labels].filter((one) => one !== label));
    this.#part("boxes").setAttribute("viewBox", `0 0 ${this.#size.join(" ")}`);
    this.root.style.setProperty("--ratio", this.#size[0] / this.#size[1]);
    if (this.slider) this.slider.value = least;
    this.#draw(least);
  }

  /** The least confidence of what is shown. */
  set least(value) {
    this.#draw(value);
  }

  photo(url, alt) {
    const photo = this.#part("photo");
    if (photo.getAttribute("src") !== url) photo.src = url;
    photo.alt = alt;
  }

  #part(name) {
    return this.root.querySelector(`[data-finder-${name}]`);
  }

  #draw(least = this.#least) {
    this.#least = least;
    const enough = this.#found.filter((one) => one.confidence >= least);
    const seen = enough.filter((one) => !this.#hidden.has(one.label));
    this.seen = seen;
    if (this.slider) {
      this.#part("least-text").textContent = percent(least);
      this.slider.style.setProperty("--fill", percent(least).replace(" ", ""));
      this.slider.setAttribute("aria-valuetext", percent(least));
    }
    this.#legend(enough);
    this.#boxes(seen);
    this.#rows(seen);
    this.#part("count").textContent = this.#found.length
      ? `${seen.length} of ${this.#found.length} shown`
      : "Nothing was found in this photo.";
    this.#chosen = -1;
  }

  #legend(enough) {
    const counts = new Map(this.#found.map((one) => [one.label, { hue: one.hue, n: 0 }]));
    for (const one of enough) counts.get(one.label).n += 1;
    const focused = this.root.contains(document.activeElement) ? document.activeElement.dataset.label : undefined;
    const buttons = [...counts].map(([label, { hue, n }]) => element("button", {
      type: "button",
      class: `chip class-${hue}`,
      "data-label": label,
      "aria-pressed": String(!this.#hidden.has(label)),
    }, element("span", { class: "chip-dot" }), element("span", { text: label }), element("span", { class: "muted mono", text: n })));
    this.#part("legend").replaceChildren(...buttons);
    if (focused !== undefined) buttons.find((button) => button.dataset.label === focused)?.focus();
  }

  #boxes(seen) {
    const [width, height] = this.#size;
    const named = this.#part("labels").checked && seen.length <= NAMES;
    // The most confident one lies on top.
    this.#part("boxes").replaceChildren(...seen.map((one, i) => {
      const group = document.createElementNS(SVG, "g");
      group.dataset.box = i;
      group.append(rect(one.box, "boxes__halo"), rect(one.box, `boxes__box class-${one.hue}`));
      return group;
    }).reverse());
    this.#part("names").replaceChildren(...(named ? seen : []).map((one, i) => {
      const [x, y] = one.box;
      const name = element("span", { class: `class-${one.hue}`, "data-name": i, text: `${one.label} ${percent(one.confidence)}` });
      name.style.left = `${Math.max(0, (100 * x) / width)}%`;
      name.style.top = `${Math.max(0, (100 * y) / height)}%`;
      name.style.maxWidth = `${100 - Math.max(0, (100 * x) / width)}%`;
      name.classList.toggle("is-inside", y / height < 0.05);
      return name;
    }).reverse());
  }

  #rows(seen) {
    const table = this.#part("table");
    table.hidden = seen.length === 0;
    const coloured = this.#found.some((one) => one.rgb);
    this.#part("colour").hidden = !coloured;
    const whole = (number) => Math.round(number).toLocaleString("en");
    this.#part("rows").replaceChildren(...seen.map((one, i) => {
      const [x, y, width, height] = one.box;
      const colour = element("td", {}, element("span", { class: "swatch", "data-wheel": "rgb", "data-colour": one.rgb }), ` ${one.rgb}`);
      return element("tr", { "data-row": i, tabindex: i ? -1 : 0 },
        element("td", { class: `class-${one.hue}` }, element("span", { class: "chip-dot" }), one.label),
        element("td", { class: "num", text: `${(100 * one.confidence).toFixed(1)} %` }),
        ...(coloured ? [colour] : []),
        element("td", { class: "num", text: `${whole(x)}, ${whole(y)}` }),
        element("td", { class: "num", text: `${whole(width)} × ${whole(height)}` }));
    }));
  }

  #toggle(button) {
    if (!button) return;
    const { label } = button.dataset;
    if (!this.#hidden.delete(label)) this.#hidden.add(label);
    this.#draw();
  }

  // Hovering over a box or a row, or going to a row, marks both.
  #choose(index, byKeyboard = false) {
    if (index === this.#chosen) return;
    for (const node of this.root.querySelectorAll(".is-chosen")) node.classList.remove("is-chosen");
    this.#chosen = index;
    if (index < 0) return;
    for (const name of ["box", "row", "name"]) this.root.querySelector(`[data-${name}="${index}"]`)?.classList.add("is-chosen");
    if (byKeyboard) {
      for (const row of this.#part("rows").children) row.tabIndex = Number(row.dataset.row) === index ? 0 : -1;
    }
  }

  #focus(index) {
    const row = this.root.querySelector(`[data-row="${index}"]`);
    if (!row) return;
    // The table scrolls to the row; the photo stays in sight.
    row.focus({ preventScroll: true });
    const table = this.#part("table");
    table.scrollTop = row.offsetTop - table.clientHeight / 2;
  }

  #key(event) {
    const rows = [...this.#part("rows").children];
    const at = rows.indexOf(event.target.closest("tr"));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    rows[Math.min(Math.max(to, 0), rows.length - 1)].focus();
  }
}

function indexOf(node) {
  const found = node?.closest?.("[data-box], [data-row]");
  return found ? Number(found.dataset.box ?? found.dataset.row) : -1;
}
