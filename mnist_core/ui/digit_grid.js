// Digits on one canvas. It holds digits and marks only; rings and tooltip are elements above it, so
// that moving over 500 digits repaints nothing.

const GAP = 8; // CSS pixels between digits: room for the rings
const LARGEST = 16e6; // pixels that every browser gives a canvas
const SIGNS = {
  // in a square of 20
  right: "M4 10l4 4 8-9",
  wrong: "M5 5l10 10M15 5L5 15",
  unclear: "M6 7a4 4 0 1 1 5 4q-1 .5-1 2M10 16v1",
};

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
  // The sheet is a row of slots: digits, and before each group of digits a tile with its name.
  let [slots, slotOf] = [[], []];

  const pitch = () => cell + GAP;
  const placeOf = (slot) => [(slot % columns) * pitch(), Math.floor(slot / columns) * pitch()];
  const place = (i) => placeOf(slotOf[i]);
  const range = (a, b) =>
    Array.from({ length: Math.abs(a - b) + 1 }, (_, step) => Math.min(a, b) + step);
  const layout = { place, cell: () => cell, covering };
  const chosen = createSelecting(find(".chosen"), find(".band"), layout);

  function arrange() {
    const tiles = new Map((data.groups ?? []).map(({ start, lines }) => [start, { lines }]));
    [slots, slotOf] = [[], []];
    for (let i = 0; i < data.count; i++) {
      if (tiles.has(i)) slots.push(tiles.get(i));
      slotOf.push(slots.push(i) - 1);
    }
  }

  function draw() {
    width = sheet.clientWidth;
    if (!width || !data.token) return; // in a hidden tab: the observer calls again
    columns = data.columns ?? Math.max(1, Math.floor((width + GAP) / (data.cell + GAP)));
    cell = Math.max(1, Math.min(data.cell, (width + GAP) / columns - GAP));
    const rows = Math.ceil(slots.length / columns);
    const down = Math.max(0, rows * pitch() - GAP);
    sheet.style.height = `${down}px`;
    canvas.hidden = !down;
    if (down) paint(Math.min(columns, slots.length) * pitch() - GAP, down);
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
    const now = JSON.stringify([data.token, data.marks, data.groups, across, down, dots, inks]);
    if (now === painted) return; // a selection changes only what lies above
    painted = now;
    [canvas.width, canvas.height] = [Math.round(across * dots), Math.round(down * dots)];
    [canvas.style.width, canvas.style.height] = [`${across}px`, `${down}px`];
    const atlas = atlasOf(pixels, data.count, inks[0]);
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    const side = Math.round(cell * dots);
    const colours = {
      right: css("green-color"),
      wrong: css("red-color"),
      unclear: css("gray-color"),
    };
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
    slots.forEach((entry, slot) => {
      if (typeof entry === "number") return;
      const [x, y] = placeOf(slot).map((size) => size * dots);
      context.fillStyle = inks[0];
      context.textAlign = "center";
      entry.lines.forEach((line, number) => {
        const size = cell * dots * (number ? 0.24 : 0.34);
        context.font = `${number ? 400 : 700} ${size}px ${css("font")}`;
        context.fillText(line, x + side / 2, y + side * (number ? 0.82 : 0.5));
      });
    });
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
    active.ariaRowIndex = Math.floor((slotOf[focused] ?? 0) / columns) + 1;
    active.ariaColIndex = ((slotOf[focused] ?? 0) % columns) + 1;
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
    const i = column < columns ? slots[row * columns + column] : null;
    const inside = x >= 0 && y >= 0 && typeof i === "number";
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

  /** The digit in a slot, or the next one in a direction where a tile is; -1 where none is. */
  function digitIn(slot, step) {
    while (slot in slots && typeof slots[slot] !== "number") slot += step;
    return slots[slot] ?? -1;
  }

  function onKey(event) {
    const at = slotOf[focused] ?? 0;
    const row = Math.floor(at / columns) * columns;
    const last = data.count - 1;
    const goals = {
      ArrowLeft: focused - 1,
      ArrowRight: focused + 1,
      ArrowUp: digitIn(at - columns, 1),
      ArrowDown: digitIn(at + columns, 1),
      Home: event.ctrlKey ? 0 : digitIn(row, 1),
      End: event.ctrlKey ? last : digitIn(Math.min(row + columns, slots.length) - 1, -1),
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
    arrange();
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
