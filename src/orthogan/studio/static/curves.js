// Curves that grow: one plot of uPlot for each chart, in the colours of the style sheet.
const HEIGHT = 200;
const dark = matchMedia("(prefers-color-scheme: dark)");
const shown = new Map(); // key of a chart -> its figure, plot and shape

export function draw(place, charts) {
  for (const chart of charts) {
    const shape = JSON.stringify([chart.names, chart.roles, chart.log]);
    const old = shown.get(chart.key);
    if (old && old.shape === shape) {
      old.chart = chart;
      old.plot.setData(chart.data);
    } else {
      old?.plot.destroy();
      const figure = old?.figure ?? framed(place, chart);
      shown.set(chart.key, { figure, shape, chart, plot: plotted(figure, chart) });
    }
  }
}

function framed(place, chart) {
  const figure = document.createElement("figure");
  const title = document.createElement("h3");
  const plot = document.createElement("div");
  const caption = document.createElement("figcaption");
  title.textContent = chart.title;
  plot.className = "plot";
  caption.textContent = chart.caption;
  figure.append(title, plot, caption);
  place.append(figure);
  return figure;
}

function plotted(figure, chart) {
  const place = figure.querySelector(".plot");
  const colour = (role) => getComputedStyle(place).getPropertyValue(`--${role}`).trim();
  const axis = {
    stroke: colour("soft"), font: "12px system-ui, sans-serif",
    grid: { stroke: colour("line"), width: 1 }, ticks: { show: false },
  };
  const lines = chart.names.map((name, i) => ({
    label: name, stroke: colour(chart.roles[i]), width: 2, spanGaps: true, points: { show: false },
    dash: name === "real images" && chart.key === "distance" ? [6, 4] : undefined,
    value: shownValue,
  }));
  const plot = new uPlot({
    width: place.clientWidth, height: HEIGHT,
    scales: { x: { time: false }, y: { distr: chart.log ? 3 : 1 } },
    axes: [
      { ...axis, values: (_, ticks) => ticks.map(number) },
      { ...axis, size: 62, values: (_, ticks) => ticks.map((tick) => (tick == null ? "" : number(tick))) },
    ],
    legend: { markers: { width: 0, fill: (_, i) => (i ? colour(chart.roles[i - 1]) : "transparent") } },
    cursor: { sync: { key: "seen" } },
    series: [{ label: chart.unit, value: shownValue }, ...lines],
  }, chart.data, place);
  return plot;
}

// Where the pointer is; elsewhere the latest value.
function shownValue(plot, value, row) {
  const found = value ?? plot.data[row].findLast((each) => each != null);
  return found == null ? "-" : number(found);
}

function number(value) {
  const size = Math.abs(value);
  if (size && (size < 1e-3 || size >= 1e7)) return value.toExponential(1).replace(".0e", "e");
  return value.toLocaleString("en", { maximumSignificantDigits: size >= 1000 ? 9 : 4 });
}

new ResizeObserver(() => {
  for (const { figure, plot } of shown.values()) {
    const width = figure.querySelector(".plot").clientWidth;
    if (width && width !== plot.width) plot.setSize({ width, height: HEIGHT });
  }
}).observe(document.documentElement);

dark.addEventListener("change", () => {
  for (const one of shown.values()) {
    one.plot.destroy();
    one.plot = plotted(one.figure, one.chart);
  }
});
