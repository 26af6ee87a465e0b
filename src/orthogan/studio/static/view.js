// The frame loads once its page is made; until then a line says so, and for how long already.
const frame = document.getElementById("view");
const wait = document.getElementById("wait");
const words = wait.textContent;
const began = Date.now();
const tick = setInterval(() => {
  wait.textContent = `${words} ${Math.round((Date.now() - began) / 1000)} s so far.`;
}, 5000);
frame.addEventListener("load", () => {
  clearInterval(tick);
  wait.hidden = true;
});
