// A picture pasted anywhere into the page.

const MOST = 1600; // pixels of its longer side that are sent

function create(root) {
  let report = null;

  async function paste(event) {
    const items = [...(event.clipboardData?.items ?? [])];
    const item = items.find(({ type }) => /^image\//.test(type));
    if (!item || !root.isConnected) return;
    event.preventDefault();
    try {
      const picture = await createImageBitmap(item.getAsFile());
      const share = Math.min(1, MOST / Math.max(picture.width, picture.height));
      const small = Object.assign(document.createElement("canvas"), {
        width: Math.max(1, Math.round(picture.width * share)),
        height: Math.max(1, Math.round(picture.height * share)),
      });
      small.getContext("2d").drawImage(picture, 0, 0, small.width, small.height);
      report("pasted", { png: small.toDataURL("image/png").split(",")[1], at: Date.now() });
    } catch {
      report("pasted", { png: "", at: Date.now() }); // the server says what is wrong with it
    }
  }
  document.addEventListener("paste", paste);

  const update = (setTriggerValue) => (report = setTriggerValue);
  return { update, destroy: () => document.removeEventListener("paste", paste) };
}

// A trigger and not a state: a state, here a large one, is sent again with every rerun.
export default function ({ parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".paste");
  const listener = (root.listener ??= create(root));
  listener.update(setTriggerValue);
  // See chart.js: a cleanup also comes while the element is still on the page.
  return () => setTimeout(() => root.isConnected || listener.destroy());
}
