// Asks before something that can't be taken back. `hx-confirm="Question?"` on an htmx element or
// `data-confirm="Question?"` on a form; `data-confirm-yes` names the button ("Cancel job").
let dialog;

function build() {
  dialog = document.createElement("dialog");
  dialog.className = "dialog";
  dialog.setAttribute("aria-labelledby", "confirm-question");
  dialog.innerHTML = `
    <form method="dialog">
      <h2 id="confirm-question"></h2>
      <p class="muted" data-detail></p>
      <div class="dialog__actions">
        <button class="btn" value="no">Keep as it is</button>
        <button class="btn btn--danger" value="yes"></button>
      </div>
    </form>`;
  document.body.append(dialog);
}

/** Resolves to true or false. */
export function confirm(question, { yes = "Yes", detail = "" } = {}) {
  if (!dialog) build();
  dialog.querySelector("h2").textContent = question;
  const more = dialog.querySelector("[data-detail]");
  more.textContent = detail;
  more.hidden = !detail;
  dialog.querySelector("[value=yes]").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

const wording = (element) => ({
  yes: element.dataset.confirmYes || "Yes",
  detail: element.dataset.confirmDetail || "",
});

document.addEventListener("htmx:confirm", async (event) => {
  if (!event.detail.question) return;
  event.preventDefault();
  if (await confirm(event.detail.question, wording(event.detail.elt))) event.detail.issueRequest(true);
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.confirm || form.dataset.confirmed) return;
  event.preventDefault();
  if (!(await confirm(form.dataset.confirm, wording(form)))) return;
  form.dataset.confirmed = "yes";
  form.requestSubmit(event.submitter);
  delete form.dataset.confirmed;
});
