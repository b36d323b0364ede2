// The entry: plain talk, or a slash command with its options as chips. Everything works by keyboard.
import { call, choosing, commandsHere, local, notice, pickable, upload } from "/page.js";

const ATTACHMENT = 11, BOOLEAN = 5, PICKED = [6, 7, 8, 9];

// What is sent of a field: where a choice was taken, its value, though its name is shown.
const valueOf = ({ input, picked }) => (picked && input.value === picked.shown ? picked.value : input.value);

function combobox(input) {
  const facts = { role: "combobox", "aria-controls": "offers", "aria-autocomplete": "list", "aria-expanded": "false" };
  for (const [name, value] of Object.entries(facts)) input.setAttribute(name, value);
}

export class Composer {
  constructor(form, offers) {
    this.form = form;
    this.offers = offers;
    this.chosen = -1;
    this.asked = 0;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.command && event.target.tagName === "BUTTON") this.reset();
    });
  }

  // Begin anew; the focus comes along if it was here, or nowhere.
  reset(text = "") {
    const mine = document.activeElement === document.body || this.form.contains(document.activeElement);
    this.command = null;
    this.fields = new Map();
    this.close();
    const entry = document.createElement("input");
    entry.type = "text";
    entry.value = text;
    entry.placeholder = "Message, or / for a command";
    entry.setAttribute("aria-label", "Message, or / for a command");
    combobox(entry);
    entry.addEventListener("input", () => this.offerCommands(entry.value));
    entry.addEventListener("keydown", (event) => this.steer(event));
    this.entry = entry;
    this.form.replaceChildren(entry);
    if (mine) entry.focus();
  }

  offerCommands(typed) {
    notice("");
    if (!typed.startsWith("/") || typed.includes(":")) return this.close();
    const word = typed.slice(1).toLowerCase();
    const found = commandsHere().filter((one) => one.name.includes(word) || local(one, "name").includes(word));
    this.show(found.map((one) => ({ label: `/${local(one, "name")}`, note: local(one, "description"), take: () => this.begin(one) })));
  }

  begin(command) {
    this.command = command;
    this.fields = new Map();
    const name = document.createElement("span");
    name.className = "command";
    name.textContent = `/${local(command, "name")}`;
    this.extras = document.createElement("span");
    const send = document.createElement("button");
    send.className = "send";
    send.textContent = "Send";
    this.form.replaceChildren(name, this.extras, send);
    this.close();
    for (const option of command.options ?? []) if (option.required) this.addField(option);
    this.offerExtras();
    (this.fields.values().next().value?.input ?? send).focus();
  }

  offerExtras() {
    const rest = (this.command.options ?? []).filter((option) => !this.fields.has(option.name));
    this.extras.replaceChildren(
      ...rest.map((option) => {
        const more = document.createElement("button");
        more.type = "button";
        more.className = "more";
        more.textContent = `+ ${local(option, "name")}`;
        more.title = local(option, "description");
        more.addEventListener("click", () => {
          this.addField(option);
          this.offerExtras();
          this.fields.get(option.name).input.focus();
        });
        return more;
      }),
    );
  }

  addField(option) {
    const chip = document.createElement("label");
    chip.className = option.required ? "chip required wide" : "chip";
    chip.title = local(option, "description");
    const name = document.createElement("span");
    name.textContent = local(option, "name");
    const input = this.inputFor(option);
    input.dataset.option = option.name;
    input.addEventListener("keydown", (event) => this.steer(event, option));
    chip.append(name, input);
    this.fields.set(option.name, { option, input, chip });
    this.form.insertBefore(chip, this.extras);
  }

  inputFor(option) {
    if (option.choices?.length || option.type === BOOLEAN) {
      const choices = option.choices ?? [{ name: "True", value: "true" }, { name: "False", value: "false" }];
      const select = document.createElement("select");
      select.append(...choices.map((one) => new Option(local(one, "name"), one.value)));
      return select;
    }
    if (PICKED.includes(option.type)) return choosing(pickable(option.type, option.channel_types));
    const input = document.createElement("input");
    input.type = option.type === ATTACHMENT ? "file" : "text";
    if (option.max_length) input.maxLength = option.max_length;
    if (option.autocomplete) {
      combobox(input);
      for (const when of ["input", "focus"]) input.addEventListener(when, () => this.complete(option));
      input.addEventListener("blur", () => this.close());
    }
    return input;
  }

  async complete(option) {
    const asked = ++this.asked;
    const options = Object.fromEntries(
      [...this.fields].filter(([, field]) => field.option.type !== ATTACHMENT).map(([name, field]) => [name, valueOf(field)]),
    );
    const { choices } = await call("complete", { command: this.command.name, options, focused: option.name });
    if (asked !== this.asked || document.activeElement !== this.fields.get(option.name)?.input) return;
    const field = this.fields.get(option.name);
    const take = (one) => {
      field.picked = { shown: local(one, "name"), value: one.value };
      field.input.value = field.picked.shown;
      this.close();
    };
    this.show(choices.map((one) => ({ label: local(one, "name"), note: "", take: () => take(one) })), -1);
  }

  show(offers, chosen = 0) {
    this.list = offers;
    this.chosen = offers.length ? chosen : -1;
    this.offers.hidden = offers.length === 0;
    document.activeElement.setAttribute("aria-expanded", String(offers.length > 0));
    this.offers.replaceChildren(
      ...offers.map((offer, index) => {
        const item = document.createElement("div");
        item.setAttribute("role", "option");
        item.id = `offer-${index}`;
        item.append(offer.label);
        const note = document.createElement("small");
        note.textContent = offer.note;
        item.append(note);
        item.addEventListener("mousedown", (event) => {
          event.preventDefault();
          offer.take();
        });
        return item;
      }),
    );
    this.mark();
  }

  mark() {
    [...this.offers.children].forEach((item, index) => {
      item.setAttribute("aria-selected", String(index === this.chosen));
      if (index === this.chosen) item.scrollIntoView({ block: "nearest" });
    });
    const active = document.activeElement;
    if (this.chosen >= 0) active?.setAttribute("aria-activedescendant", `offer-${this.chosen}`);
    else active?.removeAttribute("aria-activedescendant");
  }

  close() {
    this.list = [];
    this.chosen = -1;
    this.offers.hidden = true;
    this.offers.replaceChildren();
    for (const input of this.form.querySelectorAll("[role=combobox]")) {
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
    }
  }

  steer(event, option = null) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.list.length) {
      event.preventDefault();
      this.chosen = (this.chosen + step + this.list.length) % this.list.length;
      this.mark();
    } else if ((event.key === "Enter" || event.key === "Tab") && this.chosen >= 0 && !event.isComposing) {
      event.preventDefault();
      this.list[this.chosen].take();
    } else if (event.key === "Escape") {
      if (this.list.length) this.close();
      else this.reset();
    } else if (event.key === "Backspace" && option && event.target.value === "") {
      event.preventDefault();
      this.removeField(option);
    } else if (event.key === "Enter" && event.target.type === "file" && !event.target.files.length) {
      event.preventDefault(); // first choose one, then send
      event.target.click();
    }
  }

  removeField(option) {
    if (option.required) return this.reset();
    this.fields.get(option.name).chip.remove();
    this.fields.delete(option.name);
    this.offerExtras();
    ([...this.fields.values()].at(-1)?.input ?? this.form.querySelector("button")).focus();
  }

  async send() {
    notice("");
    const text = this.entry.value;
    try {
      if (this.command) await this.sendCommand();
      else if (text.startsWith("/")) await this.sendLine(text);
      else if (text.trim()) await call("say", { content: text }).then(() => this.reset());
    } catch (fault) {
      notice(fault.message);
    }
  }

  async sendLine(line) {
    const exact = commandsHere().find((one) => `/${one.name}` === line.trim() || `/${local(one, "name")}` === line.trim());
    if (exact) return this.begin(exact);
    const sent = call("slash", { line });
    await sent;
    this.reset();
  }

  async sendCommand() {
    const options = {};
    for (const [name, field] of this.fields) {
      if (field.option.type === ATTACHMENT) {
        if (field.input.files.length) options[name] = await upload(field.input.files[0]);
      } else if (field.input.value !== "") {
        options[name] = valueOf(field);
      }
    }
    const command = this.command.name;
    const sending = call("slash", { command, options });
    await sending;
    this.reset();
  }
}
