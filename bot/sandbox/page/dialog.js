// Dialogs (modals): labels, text, selects, files, boxes. Enter sends from a single line, Escape closes.
import { opening } from "/focus.js";
import { call, notice, pickList, upload } from "/page.js";

const TEXT_INPUT = 4, TEXT = 10, FILES = 19, RADIO = 21, CHECKBOX = 23;
const find = (id) => document.getElementById(id);

function made(name, text = "", className = "") {
  const element = document.createElement(name);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

function textInput(field) {
  const input = document.createElement(field.style === 2 ? "textarea" : "input");
  if (field.style !== 2) input.type = "text";
  input.value = field.value ?? "";
  input.maxLength = field.max_length ?? 4000;
  if (field.min_length) input.minLength = field.min_length;
  input.placeholder = field.placeholder ?? "";
  return { input, value: async () => input.value };
}

function fileInput(field) {
  const input = document.createElement("input");
  input.type = "file";
  input.multiple = (field.max_values ?? 1) > 1;
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // it would send the dialog
    input.click();
  });
  return { input, value: () => Promise.all([...input.files].map(upload)) };
}

function checkbox(field) {
  const input = document.createElement("input");
  input.type = "checkbox";
  input.checked = Boolean(field.default);
  return { input, value: async () => input.checked };
}

function select(field) {
  const input = pickList(field);
  const chosen = () => [...input.selectedOptions].map((one) => one.value).filter((one) => one !== "");
  return { input, value: async () => (field.type === RADIO ? chosen()[0] ?? "" : chosen()) };
}

function inputFor(field) {
  if (field.type === TEXT_INPUT) return textInput(field);
  if (field.type === FILES) return fileInput(field);
  return field.type === CHECKBOX ? checkbox(field) : select(field);
}

function fieldOf(row, index) {
  if (row.type === TEXT) return { id: null, elements: [made("p", row.content)] };
  const field = row.component ?? row.components[0];
  const { input, value } = inputFor(field);
  input.id = `field-${index}`;
  input.name = field.custom_id;
  input.required = field.type !== CHECKBOX && field.required !== false;
  const label = made("label", row.label ?? field.label ?? field.custom_id, input.required ? "required" : "");
  label.htmlFor = input.id;
  const elements = [label, input];
  if (row.description) {
    const note = made("small", row.description);
    note.id = `note-${index}`;
    input.setAttribute("aria-describedby", note.id);
    elements.splice(1, 0, note);
  }
  return { id: field.custom_id, input, value, elements };
}

export function openDialog({ interaction, modal }) {
  const dialog = find("modal");
  const form = dialog.querySelector("form");
  const title = made("h2", modal.title);
  title.id = "modal-title";
  const fields = modal.components.map(fieldOf);
  const wrong = made("p", "", "wrong");
  wrong.setAttribute("role", "alert");
  const send = made("button", "Submit", "send");
  const leave = made("button", "Cancel");
  leave.type = "button";
  leave.addEventListener("click", () => dialog.close());
  form.replaceChildren(title, ...fields.flatMap((field) => field.elements), wrong, send, leave);
  form.onsubmit = async (event) => {
    event.preventDefault();
    send.disabled = true;
    try {
      await submit(interaction, fields.filter((field) => field.id !== null));
      dialog.close();
    } catch (fault) {
      wrong.textContent = fault.message;
    }
    send.disabled = false;
  };
  opening(dialog);
  (fields.find((field) => field.input)?.input ?? send).focus();
}

async function submit(interaction, fields) {
  const values = {};
  for (const field of fields) values[field.id] = await field.value();
  const answer = await call("submit", { interaction, fields: values });
  if (!answer.acknowledged) notice("This interaction failed");
}
