// The frame loads once its page is made; until then a line says so.
const frame = document.getElementById("view");
const wait = document.getElementById("wait");
frame.addEventListener("load", () => { wait.hidden = true; });
