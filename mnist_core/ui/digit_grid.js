// Digits on one canvas. It holds digits and marks only; rings and tooltip are elements above it, so
// that moving over 500 digits repaints nothing.

const GAP = 8; // CSS pixels between digits: room for the rings
const LARGEST = 16e6; // pixels that every browser gives a canvas
const SIGNS = { right: "M4 10l4 4 8-9", wrong: "M5 5l10 10M15 5L5 15" }; // in a square of 20

/** A border and a corner badge, its sign drawn as lines: not every font has it. */
function drawMark(context, mark, colour, on, [x, y, side, dots]) {
  const size = Math.min(Math.max(side * 0.26, 14 * dots), 28 * dots);
  context.lineWidth = 2 * dots;
  context.strokeStyle = context.fillStyle = colour;
  context.strokeRect(x + dots, y + dots, side - 2 * dots, side - 2 * dots);
  context.fillRect(x + side - size, y, size, size);
  context.save();
  context.translate(x + side - size, y);
  context.scale(size / 20, size / 20);
  context.lineWidth = 3;
  context.strokeStyle = on;
  context.stroke(new Path2D(SIGNS[mark]));
  context.restore();
}

function create(root) {
  const find = (name) => root.querySelector(name);
  const [sheet, canvas, tip] = [".sheet", "canvas", ".tip"].map(find);
  let [data, pixels, report, sent] = [{ count: 0 }, null, null, {}];
  let [cell, columns, width, version, painted, swallow] = [0, 1, 0, 0, "", false];
  let [hovered, focused, selected, anchor] = [null, 0, null, 0];

  const pitch = () => cell + GAP;
  const place = (i) => [(i % columns) * pitch(), Math.floor(i / columns) * pitch()];
  const range = (a, b) =>
    Array.from({ length: Math.abs(a - b) + 1 }, (_, step) => Math.min(a, b) + step);
  const layout = { place, cell: () => cell, covering };
  const chosen = createSelecting(find(".chosen"), find(".band"), layout);

  function draw() {
    width = sheet.clientWidth;
    if (!width || !data.token) return; // in a hidden tab: the observer calls again
    columns = data.columns ?? Math.max(1, Math.floor((width + GAP) / (data.cell + GAP)));
    cell = Math.max(1, Math.min(data.cell, (width + GAP) / columns - GAP));
    const rows = Math.ceil(data.count / columns);
    const down = Math.max(0, rows * pitch() - GAP);
    sheet.style.height = `${down}px`;
    canvas.hidden = !down;
    if (down) paint(Math.min(columns, data.count) * pitch() - GAP, down);
    const aria = { ariaLabel: data.label, ariaRowCount: rows, ariaColCount: columns };
    Object.assign(sheet, aria, { tabIndex: down ? 0 : -1 });
    chosen.show();
    showRings();
    root.dataset.token = data.token; // tells a browser test what is drawn
  }

  function paint(across, down) {
    const css = (name) => getComputedStyle(root).getPropertyValue(`--st-${name}`);
    const dots = Math.min(devicePixelRatio, Math.sqrt(LARGEST / (across * down)), 3e4 / down);
    const inks = ["text-color", "secondary-background-color"].map(css);
    const now = JSON.stringify([data.token, data.marks, across, down, dots, inks]);
    if (now === painted) return; // a selection changes only what lies above
    painted = now;
    [canvas.width, canvas.height] = [Math.round(across * dots), Math.round(down * dots)];
    [canvas.style.width, canvas.style.height] = [`${across}px`, `${down}px`];
    const atlas = atlasOf(pixels, data.count, inks[0]);
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    const side = Math.round(cell * dots);
    const colours = { right: css("green-color"), wrong: css("red-color") };
    const [paper, on] = [inks[1], css("background-color")];
    for (let i = 0; i < data.count; i++) {
      const [x, y] = place(i).map((size) => Math.round(size * dots));
      const from = [(i % ATLAS) * SIDE, Math.floor(i / ATLAS) * SIDE, SIDE, SIDE];
      context.fillStyle = paper;
      context.fillRect(x, y, side, side);
      context.drawImage(atlas, ...from, x, y, side, side);
      const mark = data.marks?.[i];
      if (mark) drawMark(context, mark, colours[mark], on, [x, y, side, dots]);
    }
  }

  function showRings() {
    for (const [name, i] of Object.entries({ hover: hovered, selected, focus: focused })) {
      const ring = find(`.${name}`);
      ring.hidden = i === null || i >= data.count;
      if (ring.hidden) continue;
      const [x, y] = place(i);
      ring.style.transform = `translate(${x}px, ${y}px)`;
      ring.style.width = ring.style.height = `${cell}px`;
    }
    showTip(hovered ?? (sheet.matches(":focus-visible") ? focused : null));
    const active = find("#active");
    active.ariaRowIndex = Math.floor(focused / columns) + 1;
    active.ariaColIndex = (focused % columns) + 1;
    active.ariaSelected = data.chosen ? chosen.has(focused) : focused === selected;
    const caption = data.captions?.[focused] || `${focused + 1} of ${data.count}`;
    const taken = data.chosen && chosen.has(focused) ? "selected" : null;
    active.textContent = [caption, data.marks?.[focused], taken].filter(Boolean).join(", ");
  }

  function showTip(i) {
    tip.hidden = i === null || !data.captions?.[i];
    if (tip.hidden) return;
    tip.textContent = data.captions[i];
    const [x, y] = place(i);
    const top = y + cell + GAP;
    const over = top + tip.offsetHeight > sheet.clientHeight && y > tip.offsetHeight + GAP;
    tip.style.top = `${over ? y - tip.offsetHeight - GAP : top}px`;
    tip.style.left = `${Math.max(0, Math.min(x, width - tip.offsetWidth))}px`;
  }

  function digitAt(event) {
    const box = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const [column, row] = [Math.floor(x / pitch()), Math.floor(y / pitch())];
    const i = row * columns + column;
    const inside = x >= 0 && y >= 0 && column < columns && i < data.count;
    return inside && x % pitch() <= cell && y % pitch() <= cell ? i : null;
  }

  function hover(i) {
    hovered = i;
    showRings();
  }

  function tell(what, value) {
    sent[what] = Date.now();
    report(what, { ...value, token: data.token, at: sent[what] });
  }

  function say(what = "") {
    showRings();
    find(".live").textContent = find("#active").textContent + what;
  }

  /** Move to a digit; with `picks` open it. */
  function go(i, picks) {
    [focused, selected] = [i, picks ? i : selected];
    if (!picks) return say();
    anchor = i;
    say(", opened");
    tell("selected", { index: i });
  }

  /** Take digits into the selection, or out of it. */
  function choose(indices, add) {
    chosen.change(indices, add);
    say();
    tell("chosen", { indices: chosen.all() });
  }

  /** The digits that a rectangle touches. */
  function covering(from, to) {
    const [[left, right], [top, bottom]] = [0, 1].map((axis) =>
      [from[axis], to[axis]].sort((a, b) => a - b),
    );
    const touches = ([x, y]) => x <= right && x + cell >= left && y <= bottom && y + cell >= top;
    return Array.from({ length: data.count }, (_, i) => i).filter((i) => touches(place(i)));
  }

  function clicked(event) {
    if (swallow) return (swallow = false);
    const i = digitAt(event);
    hover(i);
    if (i === null) return;
    const toggles = event.ctrlKey || event.metaKey || data.tapping;
    if (!data.chosen || !(event.shiftKey || toggles)) return go(i, true);
    focused = i;
    if (event.shiftKey) choose(range(anchor, i), true);
    else choose([i], !chosen.has(i));
    anchor = i;
  }

  /** A mouse drawn over digits selects them; begun on a selected digit, it deselects. */
  function pressed(event) {
    swallow = false;
    if (!data.chosen || event.button !== 0 || event.pointerType === "touch") return;
    const first = digitAt(event);
    const add = first === null || !chosen.has(first);
    chosen.follow(sheet, canvas, event, add, (covered) => {
      swallow = true; // the click that follows would open a digit
      focused = anchor = covered.at(-1) ?? focused;
      choose(covered, add);
    });
  }

  function onKey(event) {
    const row = Math.floor(focused / columns) * columns;
    const last = data.count - 1;
    const goals = {
      ArrowLeft: focused - 1,
      ArrowRight: focused + 1,
      ArrowUp: focused - columns,
      ArrowDown: focused + columns,
      Home: event.ctrlKey ? 0 : row,
      End: event.ctrlKey ? last : Math.min(row + columns - 1, last),
      Enter: focused,
      " ": focused,
    };
    const goal = goals[event.key];
    const all = data.chosen && event.key === "a" && (event.ctrlKey || event.metaKey);
    const none = data.chosen && event.key === "Escape";
    if (!data.count || (goal === undefined && !all && !none)) return;
    event.preventDefault();
    event.stopPropagation();
    hovered = null;
    if (all || none) return choose(range(0, last), Boolean(all));
    const next = goal >= 0 && goal <= last ? goal : focused;
    if (data.chosen && event.key === " ") choose([focused], !chosen.has(focused));
    else if (data.chosen && event.shiftKey && event.key !== "Enter") {
      const before = focused;
      focused = next;
      choose(range(before, next), true);
    } else go(next, event.key === "Enter" || event.key === " ");
    find(".focus").scrollIntoView({ block: "nearest" });
  }

  /** Scroll the grid, and never the page, to a digit that was opened elsewhere. */
  function bringIntoView(i) {
    const top = place(i)[1];
    const [first, last] = [root.scrollTop, root.scrollTop + root.clientHeight - 2 * GAP];
    if (top < first) root.scrollTop = top;
    else if (top + cell > last) root.scrollTop += top + cell - last;
  }

  async function update(next, setStateValue) {
    let moved = false;
    report = setStateValue;
    const mine = ++version;
    const fresh = next.token !== data.token;
    const images = !fresh ? pixels : next.count ? await inflate(next.images) : null;
    if (mine !== version) return; // newer images came while these were unpacked
    [data, pixels] = [next, images];
    if (fresh) hovered = null;
    focused = Math.max(0, Math.min(focused, data.count - 1));
    // A rerun that has not yet heard of the last pick must not undo it.
    const heard = (what) => fresh || !sent[what] || next.heard[what] === sent[what];
    if (heard("selected") && next.selected !== selected) {
      selected = next.selected;
      focused = anchor = selected ?? focused;
      moved = selected !== null;
    }
    if (heard("chosen")) chosen.reset(next.chosen ?? []);
    sheet.ariaMultiSelectable = Boolean(next.chosen);
    root.style.height = data.height ? `${data.height}px` : "";
    root.classList.toggle("scrolls", Boolean(data.height));
    draw();
    if (moved) bringIntoView(selected);
  }

  const isNews = (event) => digitAt(event) !== hovered;
  sheet.addEventListener("pointermove", (event) => isNews(event) && hover(digitAt(event)));
  sheet.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hover(null));
  sheet.addEventListener("click", clicked);
  sheet.addEventListener("pointerdown", pressed);
  sheet.addEventListener("keydown", onKey);
  sheet.addEventListener("focus", showRings);
  sheet.addEventListener("blur", () => hover(null));
  // The sheet's height follows from its width; zooming the page changes only the pixel ratio.
  const observer = new ResizeObserver(() => sheet.clientWidth !== width && draw());
  observer.observe(sheet);
  window.addEventListener("resize", draw);

  function destroy() {
    observer.disconnect();
    window.removeEventListener("resize", draw);
  }
  return { update, destroy };
}

export default function ({ parentElement, data, setStateValue }) {
  const root = parentElement.querySelector(".grid");
  const grid = (root.grid ??= create(root));
  grid.update(data, setStateValue);
  // See chart.js: a cleanup also comes while the grid is still on the page.
  return () => setTimeout(() => root.isConnected || grid.destroy());
}
