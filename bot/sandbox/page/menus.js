// The menu of app commands on a message or a person: arrows, Enter, Escape, or the mouse.
import { comeBack, placeOf } from "/focus.js";
import { call, local, notice, state } from "/page.js";

export const USER = 2, MESSAGE = 3;
const find = (id) => document.getElementById(id);
let opener = null, place = null;

export const menusHere = (type) => (state.menus[state.channel] ?? []).filter((one) => one.type === type);

// Make an element open the menu of what can be done with a target; null where nothing is offered.
export function menuButton(type, target, label, className) {
  if (!menusHere(type).length) return null;
  const button = document.createElement("button");
  button.type = "button";
  button.className = className;
  button.textContent = label;
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => (opener === button ? closeMenu() : openMenu(button, type, target)));
  return button;
}

function openMenu(button, type, target) {
  closeMenu();
  opener = button;
  place = placeOf(button);
  button.setAttribute("aria-expanded", "true");
  const menu = find("menu");
  menu.replaceChildren(
    ...menusHere(type).map((command) => {
      const item = document.createElement("button");
      item.type = "button";
      item.setAttribute("role", "menuitem");
      item.tabIndex = -1;
      item.textContent = local(command, "name");
      item.addEventListener("click", () => use(command, target));
      return item;
    }),
  );
  menu.hidden = false;
  const edge = button.getBoundingClientRect();
  menu.style.top = `${Math.max(0, Math.min(edge.bottom + 2, innerHeight - menu.offsetHeight - 4))}px`;
  menu.style.left = `${Math.max(0, Math.min(edge.left, innerWidth - menu.offsetWidth - 4))}px`;
  menu.firstElementChild.focus();
}

export function closeMenu({ back = false } = {}) {
  const menu = find("menu");
  menu.hidden = true;
  const last = opener;
  opener = null;
  last?.setAttribute("aria-expanded", "false");
  if (back && last) last.isConnected ? last.focus() : comeBack(place); // it may have been drawn anew meanwhile
}

async function use(command, target) {
  closeMenu({ back: true });
  notice("");
  try {
    const answer = await call("menu", { command: command.id, target });
    if (!answer.acknowledged) notice("This interaction failed");
  } catch (fault) {
    notice(fault.message);
  }
}

function steer(event) {
  const items = [...find("menu").children];
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    items.at(to % items.length).focus();
  } else if (event.key === "Escape" || event.key === "Tab") {
    event.preventDefault();
    closeMenu({ back: true });
  }
}

find("menu").addEventListener("keydown", steer);
document.addEventListener("mousedown", (event) => {
  if (opener && !find("menu").contains(event.target) && event.target !== opener) closeMenu();
});
