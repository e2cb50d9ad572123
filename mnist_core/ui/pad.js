// A pad to draw on: strokes in black ink on a transparent canvas, reported as a PNG on white paper.
//
// What is drawn is kept in the browser's tab, and is there again after a page switch or a reload.

const TOOLS = { pen: "Pen", eraser: "Eraser" };
const WIDTHS = { free: [8, 40, 20], pixels: [1, 4, 1] }; // least, most, first; in pixels of the pad
const THROTTLE = 150; // ms between two reports while a stroke is drawn
const PATIENCE = 4000; // ms to wait for an answer before the next such report
const MOST_ACTIONS = 3000;

function create(root) {
  const canvas = root.querySelector("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const cross = root.querySelector(".cross");
  const [thick, ink] = ["thick", "ink"].map((name) => root.querySelector(`input.${name}`));
  const buttons = Object.fromEntries(
    [...root.querySelectorAll("button")].map((button) => [button.dataset.does, button]),
  );
  let [data, report] = [null, null];
  let [actions, undone, base] = [[], [], null];
  let [tool, stroke] = ["pen", null];
  let [sent, sentAt, timer] = [null, 0, 0];
  let held = null; // the pointer that draws; the keyboard's strokes have none
  let at = null; // where the keyboard's pen is, in pixels of the pad
  const pixels = () => data.side === 28;
  const memory = () => `mnist-lab.pad.${data.token}`;

  // ---- drawing ----

  function dab(x, y, action) {
    // Pixels are set one by one, to exactly the chosen ink.
    const [size, level] = [action.width, action.tool === "eraser" ? 0 : action.ink];
    const [left, top] = [x, y].map((place) => Math.floor(place - (size - 1) / 2));
    context.clearRect(left, top, size, size);
    context.fillStyle = `rgba(0, 0, 0, ${level})`;
    context.fillRect(left, top, size, size);
  }

  function segment(action, from, to) {
    if (pixels()) {
      const steps = Math.max(1, Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) * 2));
      for (let i = 0; i <= steps; i++) {
        const share = i / steps;
        dab(from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share, action);
      }
      return;
    }
    context.globalCompositeOperation = action.tool === "eraser" ? "destination-out" : "source-over";
    context.strokeStyle = "#000";
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = action.width * to[2];
    context.beginPath();
    context.moveTo(from[0], from[1]);
    // A dot is a line of no length, which some browsers leave out.
    context.lineTo(to[0] + (from[0] === to[0] && from[1] === to[1] ? 0.01 : 0), to[1]);
    context.stroke();
    context.globalCompositeOperation = "source-over";
  }

  function redraw() {
    context.clearRect(0, 0, canvas.width, canvas.height);
    const cleared = actions.findLastIndex((action) => action.tool === "clear");
    if (base && cleared < 0) context.putImageData(base, 0, 0);
    for (const action of actions.slice(cleared + 1)) {
      action.points.forEach((point, i) => segment(action, action.points[Math.max(0, i - 1)], point));
    }
  }

  // ---- what the server hears ----

  function png() {
    const paper = Object.assign(document.createElement("canvas"), {
      width: canvas.width,
      height: canvas.height,
    });
    const on = paper.getContext("2d");
    on.fillStyle = "#fff";
    on.fillRect(0, 0, paper.width, paper.height);
    on.drawImage(canvas, 0, 0);
    return paper.toDataURL("image/png").split(",")[1];
  }

  function send() {
    clearTimeout(timer);
    [sent, sentAt, timer] = [Date.now(), performance.now(), 0];
    report("drawing", { png: png(), token: data.token, at: sent });
  }

  /** Report while drawing, but never into an answer that is still to come. */
  function sendSoon() {
    if (timer || !data.eager) return;
    const look = () => {
      timer = 0;
      const waited = performance.now() - sentAt;
      const ready = data.heard === sent || waited > PATIENCE;
      if (stroke && waited >= THROTTLE && ready) send();
      else if (stroke) timer = setTimeout(look, 30);
    };
    timer = setTimeout(look, 30);
  }

  function remember() {
    try {
      sessionStorage.setItem(memory(), JSON.stringify({ actions, undone: [] }));
    } catch {
      // Storage is full or switched off: then the drawing lasts as long as the page.
    }
  }

  function changed() {
    buttons.undo.disabled = !actions.length;
    buttons.redo.disabled = !undone.length;
    buttons.clear.disabled = !actions.length && !base;
    remember();
    send();
  }

  // ---- pen, finger, mouse ----

  function place(event) {
    const box = canvas.getBoundingClientRect();
    const round = (value) => Math.round(value * 100) / 100;
    const x = round(((event.clientX - box.left) / box.width) * canvas.width);
    const y = round(((event.clientY - box.top) / box.height) * canvas.height);
    // Only pens measure how hard they are pressed.
    const pressed = event.pointerType === "pen" && event.pressure > 0;
    return [x, y, pressed ? round(0.5 + event.pressure) : 1];
  }

  function begin(point) {
    // What was cleared away long ago is forgotten; a fuller sheet takes no more.
    const cleared = actions.findLastIndex((action) => action.tool === "clear");
    if (actions.length >= MOST_ACTIONS && cleared > 0) actions = actions.slice(cleared);
    if (actions.length >= MOST_ACTIONS) return;
    stroke = { tool, width: Number(thick.value), ink: Number(ink.value) / 100, points: [point] };
    actions.push(stroke);
    undone = [];
    segment(stroke, point, point);
  }

  function go(point) {
    const last = stroke.points.at(-1);
    if (last[0] === point[0] && last[1] === point[1]) return;
    stroke.points.push(point);
    segment(stroke, last, point);
    sendSoon();
  }

  function end() {
    held = null;
    if (!stroke) return;
    stroke = null;
    changed();
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || event.button > 0) return;
    event.preventDefault();
    if (held !== null) {
      // A palm beside a pen: the pen goes on, or takes over from the palm.
      if (event.pointerType !== "pen") return;
      undo();
    }
    end();
    held = event.pointerId;
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    cross.hidden = true;
    begin(place(event));
    sendSoon();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!stroke || event.pointerId !== held) return;
    const all = event.getCoalescedEvents?.() ?? [];
    for (const each of all.length ? all : [event]) go(place(each));
  });
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
    canvas.addEventListener(name, (event) => event.pointerId === held && end());
  }

  // ---- keyboard ----

  const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  function showCross() {
    cross.hidden = false;
    cross.classList.toggle("down", stroke !== null);
    cross.style.left = `${(100 * at[0]) / canvas.width}%`;
    cross.style.top = `${(100 * at[1]) / canvas.height}%`;
  }

  root.addEventListener("keydown", (event) => {
    const control = event.ctrlKey || event.metaKey;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const onPaper = event.target === canvas; // the tools have arrows and Space of their own
    const move = onPaper && MOVES[key];
    if (move && !control) {
      const step = (canvas.width / 28) * (event.shiftKey ? 3 : 1);
      at ??= [canvas.width / 2, canvas.height / 2, 1];
      const inside = (value) => Math.min(canvas.width - 0.5, Math.max(0.5, value));
      at = [inside(at[0] + step * move[0]), inside(at[1] + step * move[1]), 1];
      if (stroke) go(at);
      showCross();
    } else if (onPaper && (key === " " || key === "Enter")) {
      at ??= [canvas.width / 2, canvas.height / 2, 1];
      if (stroke) end();
      else begin(at);
      showCross();
    } else if (control && (key === "y" || (key === "z" && event.shiftKey))) redo();
    else if (control && key === "z") undo();
    else if (key === "Delete" || key === "Backspace") clear();
    else return;
    event.preventDefault();
    event.stopPropagation(); // the app has shortcuts of its own
  });
  canvas.addEventListener("blur", () => {
    end();
    cross.hidden = true;
  });

  // ---- buttons ----

  function undo() {
    end();
    if (!actions.length) return;
    undone.push(actions.pop());
    redraw();
    changed();
  }
  function redo() {
    end();
    if (!undone.length) return;
    actions.push(undone.pop());
    redraw();
    changed();
  }
  function clear() {
    end();
    if (!actions.length && !base) return;
    actions.push({ tool: "clear", points: [] });
    undone = [];
    redraw();
    changed();
  }
  function choose(name) {
    tool = name;
    for (const each of Object.keys(TOOLS)) {
      buttons[each].setAttribute("aria-pressed", each === tool);
    }
  }
  const does = { undo, redo, clear, pen: () => choose("pen"), eraser: () => choose("eraser") };
  for (const [name, button] of Object.entries(buttons)) {
    button.addEventListener("click", does[name]);
  }

  // ---- what the server says ----

  /** Read a picture, dark ink on white, as ink on nothing. */
  async function inkOf(encoded) {
    const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const sheet = Object.assign(document.createElement("canvas"), {
      width: canvas.width,
      height: canvas.height,
    });
    const on = sheet.getContext("2d", { willReadFrequently: true });
    on.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    const image = on.getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < image.data.length; i += 4) {
      image.data[i + 3] = 255 - image.data[i];
      image.data.fill(0, i, i + 3);
    }
    return image;
  }

  async function load() {
    canvas.width = canvas.height = data.side;
    const kind = pixels() ? "pixels" : "free";
    [thick.min, thick.max, thick.value] = WIDTHS[kind];
    ink.closest("label").hidden = !pixels();
    root.classList.toggle("pixels", pixels());
    canvas.setAttribute("aria-label", data.label);
    [actions, undone, base, stroke, at] = [[], [], null, null, null];
    const token = data.token;
    try {
      ({ actions = [], undone = [] } = JSON.parse(sessionStorage.getItem(memory())) ?? {});
    } catch {
      // what is stored there is not ours
    }
    if (data.base) base = await inkOf(data.base).catch(() => null);
    if (token !== data.token) return; // another picture has come meanwhile
    redraw();
    changed();
  }

  let loaded = null;
  function update(next, setStateValue) {
    [data, report] = [next, setStateValue];
    const [red, green, blue] = getComputedStyle(root).color.match(/[\d.]+/g).map(Number);
    root.classList.toggle("dark", red + green + blue > 384); // light letters
    if (data.token !== loaded) {
      loaded = data.token;
      load();
    }
  }

  choose("pen");
  return { update };
}

export default function ({ parentElement, data, setStateValue }) {
  const root = parentElement.querySelector(".pad");
  (root.pad ??= create(root)).update(data, setStateValue);
}
