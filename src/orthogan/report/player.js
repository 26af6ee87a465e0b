"use strict";
for (const player of document.querySelectorAll(".player")) {
  const frames = [...player.querySelectorAll("li")];
  const slider = player.querySelector("input");
  const show = () => {
    frames.forEach((frame, index) => { frame.hidden = index !== Number(slider.value); });
    slider.setAttribute("aria-valuetext", frames[slider.value].querySelector("figcaption").textContent);
  };
  player.classList.add("playing");
  slider.addEventListener("input", show);
  show();
}
