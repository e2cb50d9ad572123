// A Plotly figure that stays mounted: every rerun calls Plotly.react on the same node.

// Safari has no idle moments to ask for.
const whenIdle = window.requestIdleCallback ?? ((go) => setTimeout(go, 50));
const CONFIG = { displayModeBar: false, displaylogo: false, doubleClick: "reset" };

/** The promise of plotly.js; whoever comes first makes it (plotly_loader.js has the same lines). */
function plotly() {
  if (!window.__mnistLabPlotly) {
    let settle;
    const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));
    window.__mnistLabPlotly = Object.assign(promise, settle);
  }
  return window.__mnistLabPlotly;
}

/** A figure with every "var(--name)" replaced by what the stylesheet says now. */
function resolve(value, style) {
  if (typeof value === "string") {
    const [, name, otherwise] = /^var\((--[\w-]+)(?:,\s*(.*))?\)$/.exec(value) ?? [];
    return name ? style.getPropertyValue(name).trim() || otherwise : value;
  }
  if (Array.isArray(value)) return value.map((item) => resolve(item, style));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, resolve(v, style)]));
}

/** Streamlit's theme as a Plotly template: whatever a figure says itself goes before it. */
function theme(style, selectable) {
  const css = (name) => style.getPropertyValue(`--st-${name}`).trim();
  const list = (name) => css(name).split(/,(?![^(]*\))/);
  const scale = (colours) => colours.map((colour, i) => [i / (colours.length - 1), colour]);
  const line = css("border-color");
  const font = { color: css("text-color"), family: css("font"), size: 14 };
  const axis = { gridcolor: line, zerolinecolor: line, linecolor: line, automargin: true };
  const clear = "rgba(0, 0, 0, 0)";
  const layout = {
    font,
    title: { x: 0, font: { size: 16 } },
    paper_bgcolor: clear,
    plot_bgcolor: clear,
    margin: { l: 56, r: 16, t: 44, b: 48 },
    xaxis: axis,
    yaxis: axis,
    colorway: list("chart-categorical-colors"),
    colorscale: {
      sequential: scale(list("chart-sequential-colors")),
      sequentialminus: scale(list("chart-sequential-colors").reverse()),
      diverging: scale(list("chart-diverging-colors")),
    },
    legend: { bgcolor: clear },
    hoverlabel: { bgcolor: css("background-color"), bordercolor: line, font, align: "left" },
    modebar: { bgcolor: clear, color: line, activecolor: css("primary-color") },
    // A finger that scrolls the page must not draw a box.
    dragmode: matchMedia("(pointer: coarse)").matches ? false : selectable ? "lasso" : "zoom",
  };
  const colorbar = { outlinewidth: 0, thickness: 14 };
  return { layout, data: { heatmap: [{ colorscale: layout.colorscale.sequential, colorbar }] } };
}

function describe(point, event) {
  const plain = (value) => (ArrayBuffer.isView(value) ? Array.from(value) : value ?? null);
  return {
    x: plain(point.x),
    y: plain(point.y),
    customdata: plain(point.customdata),
    curve: point.curveNumber,
    add: Boolean(event.shiftKey || event.ctrlKey || event.metaKey),
    at: Date.now(), // makes two clicks on one cell two different reports
  };
}

function create(box) {
  const node = box.querySelector(".mnist-chart-plot");
  const note = box.querySelector(".mnist-chart-note");
  const saves = box.querySelector(".mnist-chart-save");
  const points = createPoints(box, node, () => box.isConnected && draw());
  let [data, report] = [null, null];
  let drawn = ""; // what the node shows: the same again need not be drawn again
  let width = box.clientWidth;
  let Plotly = null;
  let touched = 0;

  function clicked({ points, event, xPixel, yPixel }) {
    // A tap comes twice, as a touch and as the mouse press that browsers make of it.
    const touch = event.type.startsWith("touch");
    if (!touch && Date.now() - touched < 1000) return;
    if (touch) touched = Date.now();
    const { left, top } = node.getBoundingClientRect();
    const off = Math.hypot(event.clientX - left - xPixel, event.clientY - top - yPixel);
    const send = ([point]) => point && report("click", describe(point, event));
    // Plotly looks for the point under the pointer at most every 50 ms, so that a quick click comes
    // with the point of a moment ago: then wait for the right one.
    if (off < 2) send(points);
    else setTimeout(() => send(node._hoverdata ?? points), 60);
  }

  function update(next, setStateValue) {
    [data, report] = [next, setStateValue];
    box.style.height = `${data.height}px`;
    saves.hidden = !data.save;
    points.update(next, setStateValue);
    return draw();
  }

  /** Save the chart as it looks, on the page's background. */
  function save({ target }) {
    if (!Plotly || !target.dataset.format) return;
    const paper_bgcolor = getComputedStyle(box).getPropertyValue("--st-background-color").trim();
    const figure = { data: node.data, layout: { ...node.layout, paper_bgcolor } };
    const { width, height } = node.layout;
    const { format } = target.dataset;
    Plotly.downloadImage(figure, { format, filename: data.save, width, height, scale: 2 });
  }

  /** Whether the chart is above or below what the window shows: then it may wait for the others. */
  function outOfSight() {
    const { top, bottom } = box.getBoundingClientRect();
    return bottom < 0 || top > innerHeight;
  }

  async function draw() {
    try {
      Plotly ??= await plotly();
      if (outOfSight()) await new Promise((go) => whenIdle(go, { timeout: 500 }));
      width = box.clientWidth;
      if (!width) return; // in a hidden tab: the observer calls again
      const { figure, height, config, clickable } = data;
      const style = getComputedStyle(box);
      const background = style.getPropertyValue("--st-background-color");
      const layers = JSON.stringify([points.layout(), config]);
      const wanted = [figure, width, height, background, clickable, layers].join("|");
      if (wanted === drawn) return;
      const { data: traces = [], layout = {} } = resolve(JSON.parse(figure), style);
      const own = { template: theme(style, data.selectable), ...points.layout(), width, height };
      const themed = { uirevision: "kept", ...layout, ...own };
      await Plotly.react(node, drawable(traces), themed, { ...CONFIG, ...config });
      // A changed config makes Plotly forget its listeners: set ours again every time.
      node.removeListener("plotly_click", clicked);
      if (clickable) node.on("plotly_click", clicked);
      points.listen();
      box.classList.toggle("clickable", clickable);
      note.textContent = "";
      box.classList.add("drawn");
      drawn = wanted;
    } catch (error) {
      console.error(error);
      note.textContent = `The chart could not be drawn: ${error.message}`;
    }
  }

  function destroy() {
    observer.disconnect();
    Plotly?.purge(node);
  }

  // The box has a fixed height, so only its width can change, and never because of the drawing.
  const observer = new ResizeObserver(() => box.clientWidth !== width && draw());
  observer.observe(box);
  saves.addEventListener("click", save);
  return { update, destroy };
}

export default function ({ parentElement, data, setStateValue }) {
  const box = parentElement.querySelector(".mnist-chart");
  const chart = (box.chart ??= create(box));
  chart.update(data, setStateValue);
  // Streamlit also runs the cleanup of a call that a quicker rerun overtook, with the chart still
  // on the page: only a box that has left the page is cleared.
  return () => setTimeout(() => box.isConnected || chart.destroy());
}
