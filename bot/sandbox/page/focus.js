// Where the keyboard is, kept while messages are drawn anew: by a control's key, else by its words, else the message.

const messages = () => document.getElementById("messages");

export const toComposer = () => document.querySelector("#composer input, #composer button, #composer select")?.focus();

// The place of an element in a message; null where it stands in none.
export function placeOf(element) {
  const message = element?.closest(".message");
  return message && { id: message.dataset.id, key: element.dataset.key, words: element.textContent, tag: element.tagName };
}

export function comeBack(place) {
  const message = place && messages().querySelector(`[data-id="${CSS.escape(place.id)}"]`);
  if (!message) return toComposer();
  const controls = [...message.querySelectorAll("button, select, a, video, audio")];
  const same = controls.find((one) => place.key && one.dataset.key === place.key);
  const alike = controls.find((one) => one.tagName === place.tag && one.textContent && one.textContent === place.words);
  (same ?? alike ?? message).focus({ preventScroll: true });
}

// Draw something anew; whatever had the focus and is drawn anew has it again.
export function keepingFocus(draw) {
  const active = document.activeElement, place = placeOf(active);
  draw();
  if (place && !active.isConnected) comeBack(place);
}

// Let a dialog give the focus back to where it was opened, even if that was drawn anew meanwhile.
export function opening(dialog) {
  const opener = document.activeElement, place = placeOf(opener);
  dialog.addEventListener("close", () => {
    if (opener.isConnected && opener !== document.body) opener.focus({ preventScroll: true });
    else comeBack(place);
  }, { once: true });
  dialog.showModal();
}
