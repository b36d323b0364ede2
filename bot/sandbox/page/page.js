// The page's state and its way to the stand-in. Everything shown is set as text, never as markup.
import { messageItem } from "/cards.js";
import { Composer } from "/command.js";

const find = (id) => document.getElementById(id);
const state = { person: null, people: [], channel: null, channels: [], commands: {}, messages: new Map(), bot: null };
let socket = null;

export async function call(path, body) {
  const reply = await fetch(`/_ctl/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ person: state.person, channel: state.channel, ...body }),
  });
  const answer = await reply.json();
  if (!reply.ok) throw new Error(answer.words ?? "That did not work.");
  return answer;
}

export async function upload(file) {
  const form = new FormData();
  form.append("file", file);
  const reply = await fetch("/_ctl/upload", { method: "POST", body: form });
  return (await reply.json()).id;
}

export function notice(words) {
  find("notice").textContent = words;
}

export const commandsHere = () => state.commands[state.channel] ?? [];
export const localeOf = () => state.people.find((one) => one.id === state.person)?.locale ?? "en-US";

async function click(message, item, values = []) {
  notice("");
  try {
    const answer = await call("click", { message: message.id, custom_id: item.custom_id, values });
    if (!answer.acknowledged) notice("This interaction failed");
  } catch (fault) {
    notice(fault.message);
  }
}

function put(entry) {
  const { message } = entry;
  state.messages.set(message.id, entry);
  if (message.channel_id !== state.channel) return;
  const list = find("messages");
  const item = messageItem(entry, { me: state.person, click, view });
  const old = list.querySelector(`[data-id="${message.id}"]`);
  if (old) {
    const focused = old.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    old.replaceWith(item);
    if (focused) item.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  } else {
    list.append(item);
  }
  stick();
}

// The view follows the newest message, also while pictures load, unless the reader has scrolled up.
let following = true;
function stick() {
  if (following) find("messages").scrollTop = find("messages").scrollHeight;
}

function drop(id) {
  state.messages.delete(id);
  find("messages").querySelector(`[data-id="${id}"]`)?.remove();
}

function view(attachment) {
  const viewer = find("viewer");
  const picture = viewer.querySelector("img");
  picture.src = attachment.url;
  picture.alt = attachment.description ?? "";
  viewer.showModal();
}

function showChannel(id) {
  state.channel = id;
  const channel = state.channels.find((one) => one.id === id);
  find("channel-name").textContent = `# ${channel.name}`;
  find("topic").textContent = channel.topic;
  for (const button of find("channels").querySelectorAll("button")) {
    if (button.dataset.id === id) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  }
  find("messages").replaceChildren();
  following = true;
  for (const entry of state.messages.values()) put(entry);
  composer.reset();
}

function showSnapshot(data) {
  Object.assign(state, { people: data.people, channels: data.channels, commands: data.commands, bot: data.bot });
  state.person = data.person;
  sessionStorage.setItem("person", data.person);
  state.messages = new Map(data.messages.map((entry) => [entry.message.id, entry]));
  const person = find("person");
  person.replaceChildren(...data.people.map((one) => new Option(one.display, one.id, false, one.id === data.person)));
  find("channels").replaceChildren(
    ...data.channels.map((channel) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = channel.name;
      button.dataset.id = channel.id;
      button.className = channel.private ? "private" : channel.nsfw ? "nsfw" : "";
      button.addEventListener("click", () => showChannel(channel.id));
      item.append(button);
      return item;
    }),
  );
  showBot(data.online);
  showChannel(data.channels.some((one) => one.id === state.channel) ? state.channel : data.channels[0].id);
}

function showBot(online) {
  find("bot").textContent = online ? "The bot is online." : "The bot is away.";
}

function openModal({ interaction, modal }) {
  const dialog = find("modal");
  const form = dialog.querySelector("form");
  const title = document.createElement("h2");
  title.textContent = modal.title;
  const fields = modal.components.map((row) => row.component ?? row.components[0]);
  const inputs = fields.map((field, index) => {
    const label = document.createElement("label");
    label.textContent = modal.components[index].label ?? field.label ?? field.custom_id;
    const input = document.createElement(field.style === 2 ? "textarea" : "input");
    input.value = field.value ?? "";
    input.required = field.required !== false;
    input.maxLength = field.max_length ?? 4000;
    input.placeholder = field.placeholder ?? "";
    input.id = `field-${index}`;
    label.htmlFor = input.id;
    return [field.custom_id, label, input];
  });
  const send = document.createElement("button");
  send.className = "send";
  send.textContent = "Submit";
  form.replaceChildren(title, ...inputs.flatMap(([, label, input]) => [label, input]), send);
  form.onsubmit = () => {
    const values = Object.fromEntries(inputs.map(([id, , input]) => [id, input.value]));
    call("submit", { interaction, fields: values }).catch((fault) => notice(fault.message));
  };
  dialog.showModal();
}

function hear(data) {
  if (data.event === "SNAPSHOT") showSnapshot(data);
  else if (data.event === "MESSAGE_CREATE" || data.event === "MESSAGE_UPDATE") put(data);
  else if (data.event === "MESSAGE_DELETE") drop(data.id);
  else if (data.event === "COMMANDS") state.commands = data.commands;
  else if (data.event === "INTERACTION_FAILED") notice(data.words);
  else if (data.event === "MODAL") openModal(data);
  else if (data.event === "BOT") showBot(data.online);
}

function connect(person) {
  socket?.close();
  const mine = new WebSocket(`ws://${location.host}/_ctl/events?person=${encodeURIComponent(person ?? "")}`);
  socket = mine;
  mine.addEventListener("message", (event) => hear(JSON.parse(event.data)));
  mine.addEventListener("close", () => {
    if (mine !== socket) return;
    showBot(false);
    setTimeout(() => mine === socket && connect(state.person), 1000);
  });
}

const composer = new Composer(find("composer"), find("offers"));
find("messages").addEventListener("load", stick, true);
for (const sign of ["wheel", "touchmove", "keydown", "mousedown"]) {
  find("messages").addEventListener(sign, () => requestAnimationFrame(() => {
    const list = find("messages");
    following = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  }), { passive: true });
}
new ResizeObserver(stick).observe(find("messages"));
find("person").addEventListener("change", (event) => connect(event.target.value));
find("viewer").addEventListener("click", () => find("viewer").close());
connect(sessionStorage.getItem("person"));
