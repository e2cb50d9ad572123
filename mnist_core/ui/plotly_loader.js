// Receives plotly.js once, as gzipped bytes, and starts it for all charts of this window.

/** The promise that charts await; whoever comes first makes it (chart.js has the same lines). */
function plotly() {
  if (!window.__mnistLabPlotly) {
    let settle;
    const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));
    window.__mnistLabPlotly = Object.assign(promise, settle);
  }
  return window.__mnistLabPlotly;
}

async function evaluate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const source = await new Response(stream).blob();
  const script = document.createElement("script");
  // A classic script, not a module: the bundle then leaves its library in window.Plotly.
  script.src = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const done = new Promise((resolve, reject) => {
    script.onload = resolve;
    script.onerror = () => reject(new Error("plotly.js did not start"));
  });
  document.head.append(script);
  await done;
  URL.revokeObjectURL(script.src);
  script.remove();
  return window.Plotly;
}

export default function ({ data, setStateValue }) {
  const shared = plotly();
  if (shared.started) return;
  if (!data) {
    // The server believes that this window has it. The time makes each report a new one.
    setStateValue("missing", Date.now());
    return;
  }
  shared.started = true;
  evaluate(data).then(shared.resolve, shared.reject);
}
