// A transport bar over the recorded moments of a run: play, pause, drag.

const PACE = 160; // milliseconds from moment to moment while playing, at least
const DRAG = 125; // at least, between two reports
const LOOK = 10; // between two looks at whether the page is ready for the next report
const PATIENCE = 10000; // without an answer, playing ends
const LOOP = "M7 7h10v3l4-4-4-4v3H5v6h2zM17 17H7v-3l-4 4 4 4v-3h12v-6h-2z";
const ICONS = { Play: "M6 4v16l14-8z", Pause: "M5 4h5v16H5zM14 4h5v16h-5z" };

/** Whether the page has drawn all of the last rerun, and not only this bar at its top. */
function pageIsIdle() {
  const state = document.querySelector("[data-test-script-state]")?.dataset.testScriptState;
  return state === undefined || state === "notRunning";
}

function create(root) {
  const parts = ["button.play", "button.loop", "input", "output"];
  const [button, loop, slider, output] = parts.map((name) => root.querySelector(name));
  let data = { labels: [], index: 0 };
  let [report, sent, reported, sentAt] = [null, null, 0, 0];
  let [playing, looping, timer] = [false, false, 0];

  loop.querySelector("path").setAttribute("d", LOOP);
  const last = () => data.labels.length - 1;
  const shown = () => Number(slider.value);
  const answered = () => sent === null || data.heard === sent;

  function caption(i) {
    const values = { label: data.labels[i], last: data.labels.at(-1) };
    return data.caption.replace(/\{(label|last)\}/g, (_, name) => values[name]);
  }

  function show(i) {
    slider.value = i;
    slider.style.setProperty("--done", `${last() > 0 ? (100 * shown()) / last() : 0}%`);
    output.textContent = caption(shown());
    slider.setAttribute("aria-valuetext", output.textContent);
    const name = playing ? "Pause" : "Play";
    button.setAttribute("aria-label", name);
    button.title = name;
    button.querySelector("path").setAttribute("d", ICONS[name]);
  }

  function send() {
    [sent, sentAt, reported] = [Date.now(), performance.now(), shown()];
    report("moved", { index: reported, at: sent });
  }

  /** Runs while there is something to report; each report waits until the page has kept up. */
  function tick() {
    clearTimeout(timer);
    const waited = performance.now() - sentAt;
    const ready = answered() && pageIsIdle();
    if (shown() !== reported) {
      // A report into a page that is still being drawn would interrupt it; parts of it would stay
      // behind, and Streamlit can lose messages. The last position is reported when it is done.
      if (waited >= DRAG && (ready || waited > PATIENCE)) send();
    } else if (playing && ready && waited >= PACE) {
      if (shown() < last() || looping) {
        show(shown() < last() ? shown() + 1 : 0);
        send();
      }
      if (shown() >= last() && !looping) stop();
    } else if (playing && waited > PATIENCE) stop();
    if (playing || shown() !== reported) timer = setTimeout(tick, LOOK);
  }

  function stop() {
    playing = false;
    show(shown());
  }

  function update(next, setStateValue) {
    report = setStateValue;
    data = next;
    const busy = !answered() || playing || shown() !== reported;
    slider.max = Math.max(0, last());
    slider.disabled = button.disabled = loop.disabled = last() < 1;
    // As wide as the longest caption, so that the slider keeps its length.
    const captions = data.labels.map((_, i) => caption(i));
    output.textContent = captions.sort((a, b) => b.length - a.length)[0] ?? "";
    output.style.minWidth = "";
    output.style.minWidth = `${output.offsetWidth}px`;
    if (!busy) reported = data.index;
    show(busy ? shown() : data.index);
  }

  button.addEventListener("click", () => {
    playing = !playing;
    sentAt = performance.now();
    if (playing && shown() >= last()) show(0);
    else show(shown());
    tick();
  });
  loop.addEventListener("click", () => {
    looping = !looping;
    loop.setAttribute("aria-pressed", looping);
  });
  slider.addEventListener("input", () => {
    playing = false;
    show(shown());
    tick();
  });
  const destroy = () => clearTimeout(timer);
  return { update, destroy };
}

export default function ({ parentElement, data, setStateValue }) {
  const root = parentElement.querySelector(".cursor");
  const cursor = (root.cursor ??= create(root));
  cursor.update(data, setStateValue);
  // See chart.js: a cleanup also comes while the bar is still on the page.
  return () => setTimeout(() => root.isConnected || cursor.destroy());
}
