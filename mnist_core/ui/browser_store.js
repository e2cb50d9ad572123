// A list kept in this browser, which several tabs and sessions may add to.

const NAME = "mnist-lab.drawings";
const DONE = `${NAME}.done`; // the last change that this tab has carried out

let unsaved = null; // the list, where this browser saves nothing

function read() {
  if (unsaved) return unsaved;
  try {
    const list = JSON.parse(localStorage.getItem(NAME));
    return Array.isArray(list) ? list : [];
  } catch {
    return []; // storage is switched off, or what is there is not ours
  }
}

function change(list, { keep }) {
  try {
    localStorage.setItem(NAME, JSON.stringify(list));
    sessionStorage.setItem(DONE, keep);
  } catch {
    unsaved = list; // storage is full or switched off: then it is kept as long as the page
  }
}

export default function ({ parentElement, data, setStateValue }) {
  const box = parentElement.querySelector(".store");
  const { session, asked, most } = data;
  let done = box.done;
  try {
    done ??= sessionStorage.getItem(DONE);
  } catch {
    // see above
  }
  const isNew = asked !== null && asked.id !== done;
  if (isNew) {
    box.done = asked.id;
    change(asked.keep ? [asked.keep, ...read()].slice(0, most) : [], { keep: asked.id });
  }
  // Another session, as after the server's restart, has not heard of the list.
  if (isNew || box.told !== session) {
    box.told = session;
    setStateValue("found", { value: read(), at: Date.now() });
  }
}
