import { MESSAGE, USER, menuButton } from "/menus.js";
import { nameOf, pickList } from "/page.js";

// Messages as elements. Text goes in as text nodes; the only links are to the sandbox's own files.


const MARKS = [
  ["**", "strong"],
  ["__", "u"],
  ["~~", "s"],
  ["`", "code"],
  ["||", "spoiler"],
  ["*", "em"],
  ["_", "em"],
];

function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function spoiler(children) {
  const veil = element("button", "spoiler", ...children);
  veil.type = "button";
  veil.setAttribute("aria-expanded", "false");
  veil.setAttribute("aria-label", "Spoiler");
  veil.addEventListener("click", () => {
    veil.setAttribute("aria-expanded", "true");
    veil.removeAttribute("aria-label");
  });
  return veil;
}

// One line of Discord's markup: bold, underline, strike, code, spoiler, emphasis, and backslash escapes.
export function inline(text) {
  const parts = [];
  let plain = "";
  const flush = () => {
    if (plain) parts.push(document.createTextNode(plain));
    plain = "";
  };
  for (let at = 0; at < text.length; ) {
    if (text[at] === "\\" && at + 1 < text.length && /[^A-Za-z0-9\s]/.test(text[at + 1])) {
      plain += text[at + 1];
      at += 2;
      continue;
    }
    const found = /^<(?:t:(\d+)(?::[tTdDfFR])?|(#|@&?)(\d+))>/.exec(text.slice(at));
    if (found) {
      flush();
      parts.push(element("span", "mention", found[1] ? moment(Number(found[1])) : `${found[2][0]}${nameOf(found[2], found[3]) ?? found[3]}`));
      at += found[0].length;
      continue;
    }
    const mark = MARKS.find(([sign]) => text.startsWith(sign, at));
    const end = mark ? closing(text, mark[0], at + mark[0].length) : -1;
    if (end > 0) {
      const inside = text.slice(at + mark[0].length, end);
      flush();
      const children = mark[1] === "code" ? [document.createTextNode(inside)] : inline(inside);
      parts.push(mark[1] === "spoiler" ? spoiler(children) : element(mark[1], "", ...children));
      at = end + mark[0].length;
    } else {
      plain += text[at];
      at += 1;
    }
  }
  flush();
  return parts;
}

// A moment as Discord shows it, without counting on.
function moment(seconds) {
  return new Date(seconds * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

function closing(text, sign, from) {
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === "\\" && sign !== "`") at += 1;
    else if (text.startsWith(sign, at)) return at > from ? at : -1;
  }
  return -1;
}

function lines(content) {
  return content.split("\n").map((line) => {
    if (line.startsWith("> ")) {
      const quoted = line.slice(2);
      const small = quoted.startsWith("-# ");
      const inside = element("span", small ? "small" : "", ...inline(small ? quoted.slice(3) : quoted));
      return element("blockquote", "", inside);
    }
    if (line.startsWith("-# ")) return element("span", "small", ...inline(line.slice(3)));
    return element("div", "", ...inline(line));
  });
}

// What was revealed stays so when its message changes: addresses of files, ids of boxes.
const revealed = new Set();

function picture(attachment, view) {
  const image = document.createElement("img");
  image.src = attachment.url;
  image.alt = attachment.description ?? attachment.filename;
  if (attachment.width) {
    image.width = attachment.width;
    image.height = attachment.height;
    image.style.height = "auto";
  }
  const button = element("button", "picture", image);
  button.type = "button";
  if (attachment.filename.startsWith("SPOILER_") && !revealed.has(attachment.url)) {
    button.classList.add("veiled");
    button.setAttribute("aria-label", "Spoiler: show the picture");
  }
  button.addEventListener("click", () => {
    if (!button.classList.contains("veiled")) return view(attachment);
    revealed.add(attachment.url);
    button.classList.remove("veiled");
    button.removeAttribute("aria-label");
  });
  const caption = element("figcaption", "", attachment.description ? `ALT  ${attachment.description}` : "");
  return element("figure", "", button, caption);
}

const MOVING = { video: /\.(mp4|webm|mov|m4v)$/i, audio: /\.(mp3|wav|flac|ogg|opus)$/i };

function media(attachment, view) {
  const name = attachment.url.split("/").at(-1);
  const kind = Object.keys(MOVING).find((one) => MOVING[one].test(name));
  if (!kind) return picture(attachment, view);
  const player = element(kind, "");
  player.src = attachment.url;
  player.controls = true;
  player.setAttribute("aria-label", attachment.description ?? attachment.filename);
  return element("figure", "", player);
}

function file(attachment, view) {
  if ((attachment.content_type ?? "").startsWith("image/")) return picture(attachment, view);
  const link = element("a", "file", `${attachment.filename} (${Math.ceil(attachment.size / 1024)} kB)`);
  link.href = attachment.url;
  link.download = attachment.filename;
  return link;
}

// A button that is off can be reached all the same: the focus is not lost when one is switched off under it.
function pressable(message, item, click) {
  const button = element("button", `s${item.style}`, item.label ?? "", item.emoji?.name ?? "");
  button.type = "button";
  button.dataset.key = item.custom_id ?? "";
  if (item.disabled) button.setAttribute("aria-disabled", "true");
  button.addEventListener("click", async () => {
    if (button.hasAttribute("aria-disabled")) return;
    button.setAttribute("aria-disabled", "true");
    await click(message, item);
    button.removeAttribute("aria-disabled");
  });
  return button;
}

// By mouse a choice is sent at once; by keyboard, where every arrow is a choice, with Enter or the button.
function chooser(message, item, click) {
  const select = pickList(item);
  select.disabled = Boolean(item.disabled);
  select.dataset.key = item.custom_id ?? "";
  select.setAttribute("aria-label", item.placeholder ?? "Choose");
  const send = () => {
    const values = [...select.selectedOptions].map((one) => one.value).filter((one) => one !== "");
    if (values.length) click(message, item, values);
  };
  let pointed = false;
  select.addEventListener("pointerdown", () => { pointed = true; });
  select.addEventListener("keydown", (event) => {
    pointed = false;
    if (event.key !== "Enter") return;
    event.preventDefault();
    send();
  });
  select.addEventListener("change", () => pointed && !select.multiple && send());
  const done = element("button", "s2", "Choose");
  done.type = "button";
  done.disabled = select.disabled;
  done.dataset.key = `choose-${item.custom_id}`;
  done.addEventListener("click", send);
  return element("span", "many", select, done);
}

// Components v1 (rows) and the containers of v2, as far as bots of this sandbox use them.
function component(message, item, context) {
  if (item.type === 1) return element("div", "row", ...item.components.map((one) => (one.type === 2 ? pressable : chooser)(message, one, context.click)));
  if (item.type === 10) return element("div", "", ...lines(item.content));
  if (item.type === 12) return element("div", item.items.length > 1 ? "files grid" : "files", ...item.items.map((one) => media(galleryFile(one), context.view)));
  if (item.type === 11) return element("div", "files thumb", picture(galleryFile(item), context.view));
  if (item.type === 13) return veiledBox(message, item, element("div", "files", file(named(item), context.view)));
  if (item.type === 14) return element("hr", "");
  if (item.type === 9 || item.type === 17) {
    const parts = item.components.map((one) => component(message, one, context));
    const box = element("div", item.type === 17 ? "embed" : "", ...parts);
    if (item.accent_color) box.style.borderLeftColor = `#${item.accent_color.toString(16).padStart(6, "0")}`;
    if (item.accessory) return element("div", "section", box, accessory(message, item.accessory, context));
    return veiledBox(message, item, box);
  }
  return element("span", "");
}

function accessory(message, item, context) {
  return component(message, item.type === 2 ? { type: 1, components: [item] } : item, context);
}

function veiledBox(message, item, box) {
  const key = `${message.id}-${item.id}`;
  if (!item.spoiler || revealed.has(key)) return box;
  const reveal = element("button", "more", "Spoiler: show");
  reveal.type = "button";
  box.hidden = true;
  box.tabIndex = -1;
  reveal.addEventListener("click", () => {
    revealed.add(key);
    box.hidden = false;
    box.focus();
    reveal.remove();
  });
  return element("div", "", reveal, box);
}

function named(item) {
  const { url, content_type } = item.file;
  return { url, content_type, filename: item.name ?? "file", size: item.size ?? 0 };
}

function galleryFile(item) {
  const { url, width, height } = item.media;
  return { url, width, height, description: item.description, filename: item.spoiler ? "SPOILER_" : "picture" };
}

function embed(item) {
  const box = element("div", "embed");
  if (item.title) box.append(element("strong", "", ...inline(item.title)));
  if (item.description) box.append(...lines(item.description));
  if (item.color) box.style.borderLeftColor = `#${item.color.toString(16).padStart(6, "0")}`;
  return box;
}

// A person's name; where the menu has commands for people, it opens it.
function who(person, name, className, key) {
  const button = menuButton(USER, person.id, name, className);
  if (button) button.dataset.key = key;
  return button ?? element("span", className, name);
}

export function messageItem({ message, ephemeral, pings }, context) {
  const item = element("li", "message");
  item.dataset.id = message.id;
  item.tabIndex = -1;
  if (ephemeral) item.classList.add("ephemeral");
  if (pings.includes("everyone") || pings.includes(context.me)) item.classList.add("pinged");
  const name = message.author.global_name ?? message.author.username;
  const avatar = element("span", "avatar", name[0]);
  avatar.setAttribute("aria-hidden", "true");
  const head = element("div", "", who(message.author, name, "by", "author"));
  if (message.author.bot) head.append(element("span", "tag", "APP"));
  head.append(element("time", "when", new Date(message.timestamp).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })));
  item.append(avatar);
  const user = message.interaction_metadata?.user;
  if (user) {
    const by = who(user, user.global_name ?? user.username, "name", "user");
    item.append(element("div", "used", by, ` used ${message.type === 19 ? "a button" : "a command"}`));
  }
  item.append(head);
  const apps = menuButton(MESSAGE, message.id, "⋯", "apps");
  if (apps) {
    apps.setAttribute("aria-label", "Apps");
    apps.dataset.key = "apps";
    item.append(apps);
  }
  if (message.flags & 128) item.append(element("div", "thinking", `${name} is thinking`));
  else item.append(...lines(message.content));
  item.append(...message.embeds.map(embed));
  const layout = message.flags & 32768; // components v2: files are shown where the layout names them
  if (message.attachments.length && !layout) item.append(element("div", "files", ...message.attachments.map((one) => file(one, context.view))));
  item.append(...message.components.map((one) => component(message, one, context)));
  if (ephemeral) item.append(element("div", "only", "👁 Only you can see this"));
  item.querySelectorAll(".picture, .file, .spoiler, .more, video, audio").forEach((one, at) => { one.dataset.key = `at-${at}`; });
  return item;
}
