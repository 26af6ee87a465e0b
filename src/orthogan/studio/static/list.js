import { fill, stream } from "./stream.js";

const list = document.getElementById("runs");
const head = document.getElementById("head");

stream("/events", ({ head: words, order, ...cards }) => {
  if (words !== undefined) fill(head, words);
  for (const [key, markup] of Object.entries(cards)) showRun(key, markup);
  if (order) place(order);
});

function showRun(key, markup) {
  const made = document.createElement("template");
  fill(made, markup);
  const item = made.content.firstElementChild;
  const shown = document.getElementById(`run-${key}`);
  if (!shown) list.append(item);
  else if (shown.querySelector("input") && item.querySelector("input")) {
    shown.querySelector(".card").replaceWith(item.querySelector(".card")); // a tick stays
  } else shown.replaceWith(item);
}

// As the studio orders them; a run whose folder is gone goes too.
function place(order) {
  const wanted = new Set(order.map((key) => `run-${key}`));
  for (const item of [...list.children]) if (!wanted.has(item.id)) item.remove();
  order.forEach((key, at) => {
    const item = document.getElementById(`run-${key}`);
    if (item && list.children[at] !== item) list.insertBefore(item, list.children[at] ?? null);
  });
}
