// What a screen reader is told: new messages, and replies that come to another state. Never each step of a progress.

const LETTERS = 300, KEPT = 3;

function controls(items) {
  return items.flatMap((item) => [
    item.custom_id ?? [],
    ...controls([...(item.components ?? []), ...(item.accessory ? [item.accessory] : [])]),
  ]).flat();
}

// A message is in another state when what can be done with it is another, or when it thinks no more.
function stateOf({ message }) {
  const ids = controls(message.components);
  return JSON.stringify([message.flags & 128, ids.length ? ids : message.content]);
}

export const isNews = (before, now) => !before || stateOf(before) !== stateOf(now);

function spoken(item) {
  const copy = item.cloneNode(true);
  for (const part of copy.querySelectorAll(".row, .apps, .avatar, .when, .tag, figcaption, [hidden]")) part.remove();
  for (const veil of copy.querySelectorAll(".veiled, .spoiler[aria-expanded=false]")) veil.replaceWith("Spoiler ");
  for (const image of copy.querySelectorAll("img")) image.replaceWith(`${image.alt} `);
  for (const part of copy.querySelectorAll("div, blockquote, .small, .by, .used")) part.append(" ");
  return copy.textContent.replace(/\s+/g, " ").trim().slice(0, LETTERS);
}

export function announce(item) {
  const news = document.getElementById("news");
  const line = document.createElement("p");
  line.textContent = spoken(item);
  news.append(line);
  while (news.children.length > KEPT) news.firstElementChild.remove();
}
