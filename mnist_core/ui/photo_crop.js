// A picture with a frame around its digit, to be dragged by its corners or as a whole.

const LEAST = 0.04; // share of a side that a frame keeps
const STEP = 0.02; // share of a side that an arrow key moves

function create(root) {
  const [picture, frame] = [root.querySelector("img"), root.querySelector(".frame")];
  let [report, token, box, held] = [null, null, [0, 0, 1, 1], null]; // left, top, right, bottom
  const between = (low, value, high) => Math.min(Math.max(value, low), high);

  function show() {
    const [left, top, right, bottom] = box.map((share) => 100 * share);
    Object.assign(frame.style, {
      left: `${left}%`, top: `${top}%`, width: `${right - left}%`, height: `${bottom - top}%`,
    });
    const [down, across] = [`${Math.round(top)} to ${Math.round(bottom)}`,
      `${Math.round(left)} to ${Math.round(right)}`];
    const where = `${across} per cent across, ${down} per cent down`;
    frame.setAttribute("aria-label", `Frame around the digit, ${where}; arrows move it, with Shift `
      + "they change its size");
  }

  const isWhole = () => box[2] - box[0] > 0.99 && box[3] - box[1] > 0.99;

  function tell() {
    report("frame", { box, token, at: Date.now() });
  }

  function moved([left, top, right, bottom], dx, dy) {
    [dx, dy] = [between(-left, dx, 1 - right), between(-top, dy, 1 - bottom)];
    return [left + dx, top + dy, right + dx, bottom + dy];
  }

  function place(event) {
    const bounds = picture.getBoundingClientRect();
    return [
      between(0, (event.clientX - bounds.left) / bounds.width, 1),
      between(0, (event.clientY - bounds.top) / bounds.height, 1),
    ];
  }

  root.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || event.button > 0) return;
    event.preventDefault();
    frame.focus({ preventScroll: true });
    root.setPointerCapture(event.pointerId);
    const [x, y] = place(event);
    const corner = event.target.dataset?.corner;
    if (corner) held = { corner: corner.split(" ").map(Number) };
    else if (event.target === frame && !isWhole()) held = { from: [x, y], box: [...box] };
    else {
      // Beside the frame, or where it holds all, a new one begins.
      box = [x, y, x, y];
      held = { corner: [2, 3], fresh: [x, y] };
    }
  });
  root.addEventListener("pointermove", (event) => {
    if (!held || !event.isPrimary) return;
    const [x, y] = place(event);
    if (held.from) box = moved(held.box, x - held.from[0], y - held.from[1]);
    else if (held.fresh) {
      const [fx, fy] = held.fresh;
      box = [Math.min(x, fx), Math.min(y, fy), Math.max(x, fx), Math.max(y, fy)];
    } else {
      const [h, v] = held.corner;
      box[h] = h === 0 ? between(0, x, box[2] - LEAST) : between(box[0] + LEAST, x, 1);
      box[v] = v === 1 ? between(0, y, box[3] - LEAST) : between(box[1] + LEAST, y, 1);
    }
    show();
  });
  for (const name of ["pointerup", "pointercancel"]) {
    root.addEventListener(name, (event) => {
      if (!held || !event.isPrimary) return;
      held = null;
      if (box[2] - box[0] < LEAST || box[3] - box[1] < LEAST) box = [0, 0, 1, 1]; // a mere click
      show();
      tell();
    });
  }
  frame.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    const [dx, dy] = move.map((by) => by * STEP);
    if (event.shiftKey) {
      box[2] = between(box[0] + LEAST, box[2] + dx, 1);
      box[3] = between(box[1] + LEAST, box[3] + dy, 1);
    } else box = moved(box, dx, dy);
    show();
    tell();
  });

  function update(data, setStateValue) {
    report = setStateValue;
    if (data.token === token) return;
    token = data.token;
    picture.src = `data:image/jpeg;base64,${data.picture}`;
    box = [...data.box];
    show();
  }
  return { update };
}

export default function ({ parentElement, data, setStateValue }) {
  const root = parentElement.querySelector(".photo");
  (root.photo ??= create(root)).update(data, setStateValue);
}
