import { draw } from "./curves.js";
import { fill, stream } from "./stream.js";

const byId = (name) => document.getElementById(name);
const live = byId("live");
const begins = live.dataset.reload === "1"; // its process is starting: this page gives way
let grids = [];

stream(live.dataset.stream, (parts) => {
  if (begins) {
    if (parts.begun || parts.starting === false) location.reload();
    return;
  }
  if ("gone" in parts && parts.gone) fill(live, "");
  if (parts.gone) byId("lost").textContent = parts.gone;
  else if (parts.begun) byId("lost").textContent = "";
  for (const name of ["live", "actions", "timeline"]) if (name in parts) fill(byId(name), parts[name]);
  if (parts.grids) showGrids(parts.grids);
  if (parts.curves) {
    byId("no-curves").hidden = parts.curves.length > 0;
    draw(byId("curves"), parts.curves);
  }
});

const when = byId("when");
when?.addEventListener("input", () => showGrid(Number(when.value)));

function showGrids(counts) {
  const followed = grids.length === 0 || Number(when.value) >= grids.length - 1;
  grids = counts;
  byId("pictures").classList.toggle("playing", counts.length > 1);
  when.max = String(Math.max(counts.length - 1, 0));
  if (!counts.length) return;
  if (followed) when.value = when.max;
  showGrid(Number(when.value));
}

function showGrid(place) {
  const seen = grids[place];
  if (seen === undefined) return;
  const picture = byId("grid");
  const address = picture.dataset.base + seen;
  if (picture.getAttribute("src") !== address) picture.src = address;
  picture.hidden = false;
  byId("grid-caption").textContent = `After ${seen.toLocaleString("en")} images.`;
}
