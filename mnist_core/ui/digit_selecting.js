// The selected digits of a grid: elements above its canvas, and the rectangle that a mouse draws.

const FAR = 6; // CSS pixels: less is a click

/** `layout` knows where digits are: place(i), cell(), covering(from, to). */
function createSelecting(layer, band, layout) {
  let indices = new Set();
  const shown = new Map(); // digit: element

  function show(now = indices) {
    for (const [i, element] of shown) if (!now.has(i) && shown.delete(i)) element.remove();
    for (const i of now) {
      if (!shown.has(i)) shown.set(i, layer.appendChild(document.createElement("i")));
      const [x, y] = layout.place(i);
      const { style } = shown.get(i);
      style.transform = `translate(${x}px, ${y}px)`;
      style.width = style.height = `${layout.cell()}px`;
    }
  }

  function preview(from, to, covered, add) {
    const [x, y] = [0, 1].map((axis) => Math.min(from[axis], to[axis]));
    band.hidden = false;
    band.style.transform = `translate(${x}px, ${y}px)`;
    band.style.width = `${Math.abs(from[0] - to[0])}px`;
    band.style.height = `${Math.abs(from[1] - to[1])}px`;
    const now = new Set(indices);
    for (const i of covered) add ? now.add(i) : now.delete(i);
    show(now);
  }

  /** Follow a pressed mouse; `done` gets the digits in the rectangle, unless it was a click. */
  function follow(sheet, canvas, event, add, done) {
    const at = ({ clientX, clientY }) => {
      const { left, top } = canvas.getBoundingClientRect(); // moves when the grid scrolls
      return [clientX - left, clientY - top];
    };
    const from = at(event);
    let covered = null;
    const move = (next) => {
      const to = at(next);
      if (!covered && Math.hypot(to[0] - from[0], to[1] - from[1]) < FAR) return;
      if (!covered) sheet.setPointerCapture(event.pointerId);
      covered = layout.covering(from, to);
      preview(from, to, covered, add);
    };
    const end = (next) => {
      sheet.removeEventListener("pointermove", move);
      for (const name of ["pointerup", "pointercancel"]) sheet.removeEventListener(name, end);
      band.hidden = true;
      if (covered && next.type === "pointerup") done(covered);
      else show();
    };
    sheet.addEventListener("pointermove", move);
    for (const name of ["pointerup", "pointercancel"]) sheet.addEventListener(name, end);
  }

  return {
    show,
    follow,
    has: (i) => indices.has(i),
    all: () => [...indices].sort((a, b) => a - b),
    reset: (list) => (indices = new Set(list)),
    change(list, add) {
      for (const i of list) add ? indices.add(i) : indices.delete(i);
      show();
    },
  };
}
