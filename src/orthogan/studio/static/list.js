import { fill, stream } from "./stream.js";

const list = document.getElementById("runs");
const head = document.getElementById("head");
let known = null;

stream("/events", (parts) => {
  for (const [key, markup] of Object.entries(parts)) {
    if (key === "head") fill(head, markup);
    else showRun(key, markup);
  }
});

function showRun(key, markup) {
  const made = document.createElement("template");
  fill(made, markup);
  const item = made.content.firstElementChild;
  const shown = document.getElementById(`run-${key}`);
  if (!shown) list.prepend(item);
  else if (shown.querySelector("input") && item.querySelector("input")) {
    shown.querySelector(".card").replaceWith(item.querySelector(".card")); // a tick stays
  } else shown.replaceWith(item);
}
