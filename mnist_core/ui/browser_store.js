// Keeps a value in this browser; no server has it longer than a session.

export default function ({ parentElement, data, setStateValue }) {
  const box = parentElement.querySelector(".store");
  const name = `mnist-lab.${data.name}`;
  try {
    if (data.value !== null) {
      const text = JSON.stringify(data.value);
      if (text !== box.kept) localStorage.setItem(name, text);
      box.kept = text;
    } else if (!box.told) {
      box.told = true;
      setStateValue("found", { value: JSON.parse(localStorage.getItem(name) ?? "null") });
    }
  } catch {
    // Storage is full or switched off: then it is kept as long as the page.
  }
}
