// The page's state and its way to the stand-in. Everything shown is set as text, never as markup.
import { messageItem } from "/cards.js";
import { Composer } from "/command.js";
import { openDialog } from "/dialog.js";
import { keepingFocus, opening, toComposer } from "/focus.js";
import { announce, isNews } from "/live.js";
import { closeMenu } from "/menus.js";

const find = (id) => document.getElementById(id);
export const state = {
  person: null, people: [], guilds: [], channel: null, channels: [], commands: {}, menus: {}, messages: new Map(),
};
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
// What Discord shows for <@id>, <#id> and <@&id>.
export function nameOf(sign, id) {
  if (sign === "#") return state.channels.find((one) => one.id === id)?.name;
  if (sign === "@") return state.people.find((one) => one.id === id)?.display;
  return state.guilds.flatMap((one) => one.roles).find((one) => one.id === id)?.name;
}
export const localeOf = () => state.people.find((one) => one.id === state.person)?.locale ?? "en-US";
export const local = (thing, what) => thing[`${what}_localizations`]?.[localeOf()] ?? thing[what];

const guildHere = () => {
  const guild = state.channels.find((one) => one.id === state.channel)?.guild;
  return state.guilds.find((one) => one.id === guild) ?? { members: [], roles: [] };
};

// The people, channels or roles of here, for an option of type 6 to 9; each list is told apart by its group.
export function pickable(kind, channelTypes) {
  const guild = guildHere();
  const members = guild.members.map((one) => ({ label: one.name, value: one.id, group: "Members" }));
  const roles = guild.roles.map((one) => ({ label: one.name, value: one.id, group: "Roles" }));
  if (kind === 7) {
    const fits = (one) => one.guild === guild.id && (!channelTypes?.length || channelTypes.includes(one.type));
    return state.channels.filter(fits).map((one) => ({ label: `#${one.name}`, value: one.id, group: "Channels" }));
  }
  return kind === 6 ? members : kind === 8 ? roles : [...members, ...roles];
}

const OF_SELECT = { 5: 6, 6: 8, 7: 9, 8: 7 };

// A select for a component of types 3, 5 to 8, 21 or 22; the first choice is none where one may be chosen.
export function pickList(item) {
  const kind = OF_SELECT[item.type];
  return choosing(kind ? pickable(kind, item.channel_types) : item.options, {
    many: (item.max_values ?? (item.type === 22 ? item.options.length : 1)) > 1,
    none: item.placeholder ?? "Choose",
  });
}

export function choosing(choices, { many = false, none = "Choose" } = {}) {
  const select = document.createElement("select");
  select.multiple = many;
  if (!many) select.append(new Option(none, ""));
  const groups = [...new Set(choices.map((one) => one.group ?? ""))];
  for (const group of groups) {
    const place = groups.length > 1 ? document.createElement("optgroup") : select;
    if (place !== select) {
      place.label = group;
      select.append(place);
    }
    const own = choices.filter((one) => (one.group ?? "") === group);
    place.append(...own.map((one) => new Option(one.label, one.value, one.default, one.default)));
  }
  return select;
}

async function click(message, item, values = []) {
  notice("");
  try {
    const answer = await call("click", { message: message.id, custom_id: item.custom_id, values });
    if (!answer.acknowledged) notice("This interaction failed");
  } catch (fault) {
    notice(fault.message);
  }
}

// Show a message, new or changed. Redrawing what is known says nothing to a screen reader.
function put(entry, { quiet = false } = {}) {
  const { message } = entry, before = state.messages.get(message.id);
  state.messages.set(message.id, entry);
  if (message.channel_id !== state.channel) return;
  const list = find("messages");
  const item = messageItem(entry, { me: state.person, click, view });
  const old = list.querySelector(`[data-id="${message.id}"]`);
  if (!old) list.append(item);
  else keepingFocus(() => {
    keepChoice(old, item);
    old.replaceWith(item);
  });
  if (!quiet && message.author.id !== state.person && isNews(before, entry)) announce(item);
  stick();
}

// What is being chosen in a list is not lost when its message changes.
function keepChoice(old, item) {
  const select = document.activeElement;
  if (select.tagName !== "SELECT" || !old.contains(select)) return;
  const anew = item.querySelector(`select[data-key="${CSS.escape(select.dataset.key)}"]`);
  const chosen = [...select.selectedOptions].map((one) => one.value);
  const options = [...(anew?.options ?? [])];
  if (!options.some((one) => chosen.includes(one.value))) return;
  for (const option of options) option.selected = chosen.includes(option.value);
}

// The view follows the newest message, also while pictures load, unless the reader has scrolled up.
let following = true;
function stick() {
  if (following) find("messages").scrollTop = find("messages").scrollHeight;
}

function drop(id) {
  state.messages.delete(id);
  const item = find("messages").querySelector(`[data-id="${id}"]`);
  const beside = item?.nextElementSibling ?? item?.previousElementSibling;
  const had = item?.contains(document.activeElement);
  item?.remove();
  if (had) beside ? beside.focus() : toComposer();
}

function view(attachment) {
  const viewer = find("viewer");
  const picture = viewer.querySelector("img");
  picture.src = attachment.url;
  picture.alt = attachment.description ?? "";
  opening(viewer);
}

function showChannel(id) {
  closeMenu();
  state.channel = id;
  const channel = state.channels.find((one) => one.id === id);
  find("channel-name").textContent = `${channel.parent ? "↳" : "#"} ${channel.name}`;
  find("topic").textContent = channel.topic;
  for (const button of find("channels").querySelectorAll("button")) {
    if (button.dataset.id === id) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  }
  following = true;
  keepingFocus(() => {
    find("messages").replaceChildren();
    for (const entry of state.messages.values()) put(entry, { quiet: true });
  });
}

// Channels under their guild, threads under their channel, direct messages last.
function showPlaces() {
  const items = [];
  const heading = (text) => {
    const item = document.createElement("li");
    item.className = "place";
    item.textContent = text;
    items.push(item);
  };
  const list = (channels) => channels.forEach((channel) => {
    items.push(channelItem(channel));
    list(state.channels.filter((one) => one.parent === channel.id));
  });
  for (const place of [...state.guilds, { id: null, name: "Direct messages" }]) {
    const own = state.channels.filter((one) => one.guild === place.id && !one.parent);
    if (own.length) heading(place.name);
    list(own);
  }
  const here = document.activeElement;
  find("channels").replaceChildren(...items);
  if (here.dataset.id && !here.isConnected) find("channels").querySelector(`[data-id="${here.dataset.id}"]`)?.focus();
}

function channelItem(channel) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = channel.name;
  button.dataset.id = channel.id;
  const kinds = { private: channel.private, nsfw: channel.nsfw, thread: channel.parent };
  button.className = Object.keys(kinds).filter((kind) => kinds[kind]).join(" ");
  button.addEventListener("click", () => {
    showChannel(channel.id);
    composer.reset();
    toComposer();
  });
  item.append(button);
  return item;
}

function showPeople() {
  const person = find("person");
  person.replaceChildren(
    ...state.guilds.map((guild) => {
      const group = document.createElement("optgroup");
      group.label = guild.name;
      const own = state.people.filter((one) => one.home === guild.id);
      group.append(...own.map((one) => new Option(one.display, one.id, false, one.id === state.person)));
      return group;
    }),
  );
}

function showSnapshot(data) {
  const { people, guilds, channels, commands, menus } = data;
  const [person, channel] = [state.person, state.channel];
  Object.assign(state, { people, guilds, channels, commands, menus, person: data.person });
  sessionStorage.setItem("person", data.person);
  document.documentElement.dataset.locale = localeOf();
  state.messages = new Map(data.messages.map((entry) => [entry.message.id, entry]));
  showPeople();
  showPlaces();
  showBot(data.online);
  showChannel(data.channels.some((one) => one.id === state.channel) ? state.channel : data.channels[0].id);
  if (person !== state.person || channel !== state.channel) composer.reset(); // else what is being typed stays
}

function showBot(online) {
  find("bot").textContent = online ? "The bot is online." : "The bot is away.";
}

function showCommands({ commands, menus }) {
  Object.assign(state, { commands, menus });
  for (const entry of state.messages.values()) put(entry, { quiet: true });
}

function hear(data) {
  if (data.event === "SNAPSHOT") showSnapshot(data);
  else if (data.event === "MESSAGE_CREATE" || data.event === "MESSAGE_UPDATE") put(data);
  else if (data.event === "MESSAGE_DELETE") drop(data.id);
  else if (data.event === "COMMANDS") showCommands(data);
  else if (data.event === "INTERACTION_FAILED") notice(data.words);
  else if (data.event === "MODAL") openDialog(data);
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
