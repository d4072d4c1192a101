// Reads and writes the options drawn by {% schema_form %}. One `.option` is one option; its data attributes say
// how its value is read, what its default is and when it shows.

const number = (text) => (text.trim() === "" ? null : Number(text));

const READ = {
  segments: (el) => el.querySelector("input:checked")?.value ?? null,
  select: (el) => el.querySelector("select").value || null,
  folder: (el) => el.querySelector("select").value || null,
  seed: (el) => number(el.querySelector("input").value),
  choices: (el) => [...el.querySelectorAll("[data-choice]:checked")].map((input) => input.value),
  integer: (el) => number(el.querySelector("[type=number]").value),
  number: (el) => number(el.querySelector("[type=number]").value),
  numbers: (el) => [...el.querySelectorAll("[type=number]")].map((input) => number(input.value)),
  switch: (el) => el.querySelector("input").checked,
  text: (el) => (el.querySelector("input").value === "" && "nullable" in el.dataset ? null : el.querySelector("input").value),
  color: (el) => el.querySelector("input").value,
  colors: (el) => [...el.querySelectorAll(".option__color > input")].map((input) => input.value),
  json: (el) => parse(el.querySelector("textarea").value),
};

const WRITE = {
  segments: (el, value) => el.querySelectorAll("input").forEach((input) => (input.checked = input.value === String(value))),
  select: (el, value) => (el.querySelector("select").value = value ?? ""),
  folder: (el, value) => (el.querySelector("select").value = value ?? ""),
  seed: (el, value) => (el.querySelector("input").value = value ?? ""),
  choices: (el, values) => el.querySelectorAll("[data-choice]").forEach((input) => (input.checked = (values ?? []).includes(input.value))),
  integer: (el, value) => el.querySelectorAll("input").forEach((input) => (input.value = value ?? "")),
  number: (el, value) => el.querySelectorAll("input").forEach((input) => (input.value = value ?? "")),
  numbers: (el, value) => el.querySelectorAll("input").forEach((input, i) => (input.value = value?.[i] ?? "")),
  switch: (el, value) => (el.querySelector("input").checked = Boolean(value)),
  text: (el, value) => (el.querySelector("input").value = value ?? ""),
  color: (el, value) => (el.querySelector("input").value = value ?? "#000000"),
  colors: writeColors,
  json: (el, value) => (el.querySelector("textarea").value = value == null ? "" : JSON.stringify(value)),
};

// Text that isn't JSON goes to the server as it is: the server says what is wrong with it.
function parse(text) {
  if (text.trim() === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function writeColors(el, values) {
  el.querySelectorAll(".option__color").forEach((item) => item.remove());
  for (const value of values ?? []) addColor(el, value);
}

function addColor(el, value) {
  const item = el.querySelector("template").content.firstElementChild.cloneNode(true);
  if (value) item.querySelector("input").value = value;
  el.querySelector("template").before(item);
  return item;
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

export class SchemaForm {
  /** Calls `onchange` when a value has changed, by hand or by `set`. */
  constructor(root, onchange) {
    this.root = root;
    this.onchange = onchange;
    root.addEventListener("input", (event) => this.#input(event));
    root.addEventListener("click", (event) => this.#click(event));
    root.addEventListener("submit", (event) => event.preventDefault());
    this.#refresh();
  }

  #options() {
    return [...this.root.querySelectorAll(".option")];
  }

  #read(el) {
    const value = READ[el.dataset.control](el);
    const empty = value === null || (Array.isArray(value) && value.length === 0);
    if (!empty) return value;
    // An empty control means null where null is allowed, and otherwise the default.
    return "nullable" in el.dataset ? null : JSON.parse(el.dataset.default);
  }

  /** Every option that differs from its default. */
  get changed() {
    const values = {};
    for (const el of this.#options()) {
      const value = this.#read(el);
      if (!same(value, JSON.parse(el.dataset.default))) values[el.dataset.option] = value;
    }
    return values;
  }

  /** Set the given options, and every other one to its default. */
  set(values) {
    for (const el of this.#options()) {
      const name = el.dataset.option;
      WRITE[el.dataset.control](el, name in values ? values[name] : JSON.parse(el.dataset.default));
    }
    this.showErrors({});
    this.#refresh();
    this.onchange();
  }

  /** {option: [what is wrong]}; errors of unknown fields are returned, for someone else to show. */
  showErrors(fields) {
    const rest = { ...fields };
    for (const el of this.#options()) {
      const name = Object.keys(rest).find((key) => key === el.dataset.option || key.startsWith(`${el.dataset.option}.`)
        || key === `params.${el.dataset.option}`);
      const texts = name ? rest[name] : [];
      delete rest[name];
      el.querySelector(".field__error").textContent = texts.join(" ");
      for (const input of el.querySelectorAll("input:not([type=range]), select, textarea")) {
        if (texts.length) input.setAttribute("aria-invalid", "true");
        else input.removeAttribute("aria-invalid");
      }
      if (texts.length) {
        el.hidden = false;
        el.closest("details")?.setAttribute("open", "");
      }
    }
    return rest;
  }

  #input(event) {
    const el = event.target.closest(".option");
    if (!el) return;
    if (event.target.matches("[data-choice-search]")) {
      search(el, event.target.value);
      return;
    }
    // The slider and the number beside it are one value.
    if (event.target.type === "range") el.querySelector("[type=number]").value = event.target.value;
    this.#refresh();
    this.onchange();
  }

  #click(event) {
    const el = event.target.closest(".option");
    if (event.target.closest("[data-new-seed]")) {
      WRITE.seed(el, newSeed(el.querySelector("input")));
      this.onchange();
      return;
    }
    if (event.target.closest("[data-choice-clear]")) {
      WRITE.choices(el, []);
      this.#refresh();
      this.onchange();
      return;
    }
    const add = event.target.closest("[data-add-color]");
    const remove = event.target.closest("[data-remove-color]");
    if (!add && !remove) return;
    if (add) addColor(el).querySelector("input").focus();
    else {
      remove.closest(".option__color").remove();
      el.querySelector("[data-add-color]").focus();
    }
    this.#refresh();
    this.onchange();
  }

  #refresh() {
    const values = Object.fromEntries(this.#options().map((el) => [el.dataset.option, this.#read(el)]));
    for (const el of this.#options()) {
      const rules = Object.entries(JSON.parse(el.dataset.showIf || "{}"));
      el.hidden = !rules.every(([name, allowed]) => allowed.includes(values[name]));
      refreshRange(el);
      refreshColors(el);
      refreshChoices(el);
    }
    for (const group of this.root.querySelectorAll(".option-group")) {
      group.hidden = !group.querySelector(".option:not([hidden])");
    }
  }
}

/** A whole number between the input's bounds. */
function newSeed(input) {
  const low = Number(input.min || 0);
  const high = Number(input.max || 2 ** 32 - 1);
  const [random] = crypto.getRandomValues(new Uint32Array(1));
  return low + Math.floor((random / 2 ** 32) * (high - low + 1));
}

function search(el, text) {
  const wanted = text.trim().toLowerCase();
  for (const label of el.querySelectorAll(".option__choice-list > label")) {
    label.hidden = !label.textContent.toLowerCase().includes(wanted);
  }
}

function refreshChoices(el) {
  const count = el.querySelector("[data-choice-count]");
  if (!count) return;
  const chosen = READ.choices(el).length;
  const all = el.querySelectorAll("[data-choice]").length;
  count.textContent = chosen ? `${chosen} of ${all}` : `All ${all}`;
  el.querySelector("[data-choice-clear]").disabled = chosen === 0;
}

function refreshRange(el) {
  const range = el.querySelector("[type=range]");
  if (!range) return;
  const value = el.querySelector("[type=number]").value;
  if (value !== "" && document.activeElement !== range) range.value = value;
  const share = (range.value - range.min) / (range.max - range.min || 1);
  range.style.setProperty("--fill", `${100 * share}%`);
}

function refreshColors(el) {
  const output = el.querySelector("output");
  if (output) output.textContent = el.querySelector("input").value;
  const list = el.querySelector(".option__colors");
  if (!list) return;
  const count = list.querySelectorAll(".option__color").length;
  list.querySelector("[data-add-color]").disabled = count >= Number(list.dataset.max || Infinity);
}
