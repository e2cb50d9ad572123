// What one can do with the points of a chart that stand for digits: see the digit under the
// pointer, select several with box or lasso, walk from point to point with the arrow keys.
// A point's customdata is its place among the digits of the store.

const TOWARDS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function createPoints(box, node, redraw) {
  const tip = box.querySelector(".mnist-chart-tip");
  const [picture, words] = [tip.querySelector("canvas"), tip.querySelector("span")];
  let [digits, token, report, current, adds, select] = [null, null, null, null, false, false];
  let drawn = 0; // outlines so far

  /** Every point that can be pointed at: where it is on the screen, and its digit. */
  function all() {
    const { xaxis, yaxis } = node._fullLayout;
    return node._fullData.flatMap((trace) =>
      trace.hoverinfo === "skip" || !trace.customdata || trace.visible !== true
        ? []
        : Array.from(trace.customdata, (digit, i) => ({
            digit,
            x: xaxis._offset + xaxis.d2p(trace.x[i]),
            y: yaxis._offset + yaxis.d2p(trace.y[i]),
          })),
    );
  }

  function show(point) {
    tip.hidden = !point || !digits;
    if (tip.hidden) return;
    const ink = getComputedStyle(box).getPropertyValue("--st-text-color");
    const one = digits.pixels.subarray(point.digit * SIDE ** 2, (point.digit + 1) * SIDE ** 2);
    const context = picture.getContext("2d");
    context.clearRect(0, 0, SIDE, SIDE);
    context.drawImage(atlasOf(one, 1, ink), 0, 0);
    words.textContent = digits.captions[point.digit];
    tip.dataset.digit = point.digit;
    const right = point.x + 16 + tip.offsetWidth < box.clientWidth;
    tip.style.left = `${Math.max(0, right ? point.x + 16 : point.x - 16 - tip.offsetWidth)}px`;
    const top = point.y - tip.offsetHeight / 2;
    tip.style.top = `${Math.max(0, Math.min(top, box.clientHeight - tip.offsetHeight))}px`;
  }

  function hovered({ points: [point] }) {
    if (point.customdata === undefined) return;
    const { xaxis, yaxis, x, y } = point;
    current = {
      digit: point.customdata,
      x: xaxis._offset + xaxis.d2p(x),
      y: yaxis._offset + yaxis.d2p(y),
    };
    show(current);
  }

  function selected(event) {
    if (!event?.range && !event?.lassoPoints) return; // a click opens and selects nothing
    drawn += 1;
    const points = event.points.map((point) => point.customdata).filter((i) => i !== undefined);
    report("select", { points, add: adds, at: Date.now() });
    setTimeout(redraw, 1000); // no new figure comes when the same, or nothing, is selected again
  }

  function onKey(event) {
    const towards = TOWARDS[event.key];
    if (towards) {
      event.preventDefault();
      const points = all();
      const from = current ?? { x: box.clientWidth / 2, y: box.clientHeight / 2 };
      let [nearest, least] = [current, Infinity];
      for (const point of points) {
        const [x, y] = [point.x - from.x, point.y - from.y];
        const ahead = x * towards[0] + y * towards[1];
        const aside = Math.abs(x * towards[1] + y * towards[0]);
        // What lies aside counts twice, so that a row of keys keeps its direction.
        if (ahead > 0.5 && ahead >= aside && ahead + 2 * aside < least)
          [nearest, least] = [point, ahead + 2 * aside];
      }
      current = nearest;
      show(current);
    } else if (current && event.key === "Enter") {
      report("click", { x: null, y: null, curve: null, customdata: current.digit, add: false, at: Date.now() });
    } else if (current && event.key === " ") {
      event.preventDefault();
      report("select", { points: [current.digit], add: true, at: Date.now() });
    } else if (event.key === "Escape") {
      show((current = null));
    }
  }

  const leave = () => (tip.hidden = true);
  node.addEventListener("pointerdown", (event) => (adds = event.shiftKey), { capture: true });
  node.addEventListener("keydown", (event) => select && onKey(event));
  node.addEventListener("blur", leave);
  node.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && leave());

  const listeners = {
    plotly_hover: hovered,
    plotly_unhover: leave,
    plotly_selected: selected,
  };

  return {
    // What is selected comes with the figure: after each outline Plotly forgets its own idea of it.
    layout: () => (select ? { selectionrevision: drawn } : {}),
    update(next, setStateValue) {
      [report, select] = [setStateValue, next.selectable];
      node.tabIndex = select ? 0 : -1;
      if (select) node.setAttribute("aria-label", next.label);
      if (next.digits !== token) digits = null;
      token = next.digits;
      if (token && !digits) waitForDigits(token).then((found) => (digits = found));
    },
    listen() {
      for (const [name, hear] of Object.entries(listeners)) {
        node.removeListener(name, hear);
        if (select) node.on(name, hear);
      }
    },
  };
}

/** The digits of a token, however late digit_store.js brings them. */
async function waitForDigits(token) {
  for (let tries = 0; tries < 200; tries++) {
    const found = window.__mnistLabDigits?.get(token);
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return null;
}

/** Traces for WebGL drawn without it, where the machine has none. */
function drawable(traces) {
  if (!traces.some(({ type }) => type === "scattergl")) return traces;
  const canvas = document.createElement("canvas");
  if (canvas.getContext("webgl2") || canvas.getContext("webgl")) return traces;
  return traces.map((trace) => ({
    ...trace,
    type: trace.type === "scattergl" ? "scatter" : trace.type,
  }));
}
