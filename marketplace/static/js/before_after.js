// <before-after> with two images: the second covers the first, right of a line that can be dragged by mouse, by
// touch, and moved with the arrow keys. Without this module both images simply show one under the other.
const STEP = 2;
const BIG_STEP = 10;

class BeforeAfter extends HTMLElement {
  #at = 50;
  #handle;

  connectedCallback() {
    if (this.#handle) return;
    this.classList.add("is-ready");
    this.#handle = document.createElement("div");
    this.#handle.className = "before-after__handle";
    this.#handle.tabIndex = 0;
    for (const [name, value] of Object.entries({
      role: "slider",
      "aria-label": "Line between before and after",
      "aria-valuemin": 0,
      "aria-valuemax": 100,
      "aria-orientation": "horizontal",
    })) this.#handle.setAttribute(name, value);
    this.append(this.#handle);
    this.addEventListener("pointerdown", (event) => this.#grab(event));
    this.addEventListener("pointermove", (event) => this.hasPointerCapture(event.pointerId) && this.#follow(event));
    this.addEventListener("keydown", (event) => this.#key(event));
    this.addEventListener("dragstart", (event) => event.preventDefault());
    this.at = Number(this.getAttribute("at") ?? 50);
  }

  get at() {
    return this.#at;
  }

  /** How much of the width shows the photo before, 0 to 100. */
  set at(percent) {
    this.#at = Math.min(100, Math.max(0, percent));
    this.style.setProperty("--at", `${this.#at}%`);
    this.#handle?.setAttribute("aria-valuenow", Math.round(this.#at));
    this.#handle?.setAttribute("aria-valuetext", `${Math.round(this.#at)} % before, ${Math.round(100 - this.#at)} % after`);
  }

  #grab(event) {
    if (event.button !== 0) return;
    this.setPointerCapture(event.pointerId);
    this.#handle.focus({ preventScroll: true });
    this.#follow(event);
  }

  #follow(event) {
    const box = this.getBoundingClientRect();
    this.at = (100 * (event.clientX - box.left)) / box.width;
  }

  #key(event) {
    const step = event.shiftKey ? BIG_STEP : STEP;
    const to = { ArrowLeft: this.at - step, ArrowRight: this.at + step, Home: 0, End: 100 }[event.key];
    if (to === undefined) return;
    this.at = to;
    event.preventDefault();
    event.stopPropagation();
  }
}

customElements.define("before-after", BeforeAfter);
