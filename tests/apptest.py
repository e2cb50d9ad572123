"""What tests of pages share: start the app as a link does, and read what is on the page."""

import base64
import json
import time
import zlib

import numpy as np
from streamlit.testing.v1 import AppTest

from mnist_core.evaluation import Evaluation
from mnist_core.ui.data_store import data_store


def run_whole_app(path):
    """Run app.py as a browser's session does.

    AppTest forgets before every run that the app declares its pages itself, and would run a page
    of pages/ alone, without the frame.
    """
    with open(path, encoding="utf-8") as file:
        exec(compile(file.read(), path, "exec"), {"__name__": "__main__"})


def start(page="home", session=None, /, **query):
    """Open a page as a link with this query does, and return it as an AppTest."""
    at = AppTest.from_file("../app.py", default_timeout=15)
    for name, value in query.items():
        at.query_params[name] = value
    for name, value in (session or {}).items():
        at.session_state[name] = value
    if page != "home":
        at.switch_page(f"pages/{page}.py")
    at.run()
    assert not at.exception
    return at


def go(at, page):
    at.switch_page(f"pages/{page}.py").run()
    assert not at.exception
    return at


def components(at, name):
    """Return key -> data of the page's components of this name."""
    return {
        element.key: json.loads(element.proto.json or "null")
        for element in at.get("bidi_component")
        if element.proto.component_name == f"mnist_lab.{name}"
    }


def figure(at, key):
    return json.loads(components(at, "chart")[key]["figure"])


def grid(at, key):
    return components(at, "digit_grid")[key]


def array(value):
    """Return an array of a figure or a grid: plotly and digit_grid each pack them their own way."""
    if isinstance(value, dict):
        flat = np.frombuffer(base64.b64decode(value["bdata"]), np.dtype(value["dtype"]))
        shape = str(value.get("shape", flat.size))
        return flat.reshape([int(side) for side in shape.split(",")])
    return np.array([np.nan if entry is None else entry for entry in value], float)


def drawn_digits(at, key):
    """Return the images that a grid shows, uint8 (N, 28, 28)."""
    raw = zlib.decompress(base64.b64decode(grid(at, key)["images"]))
    return np.frombuffer(raw, np.uint8).reshape(-1, 28, 28)


def cursor(at):
    (bar,) = components(at, "epoch_cursor").values()
    return bar["labels"][bar["index"]]


def pick(at, key, index):
    """Select an image of a grid, as a click does."""
    token = grid(at, key)["token"]
    at.session_state[key] = {"selected": {"index": index, "token": token, "at": time.time()}}
    return at.run()


def url(at):
    """Return the URL's query."""
    return {
        name: value if isinstance(value, str) else value[-1]
        for name, value in at.query_params.items()
    }


def words(at):
    """Return all that is written on the page."""
    kinds = "title header subheader markdown caption info warning error success text".split()
    return "\n".join(str(element.value) for kind in kinds for element in at.get(kind))


def popovers(at):
    return [block.proto.popover.label for block in at.get("popover")]


def button(at, label):
    (found,) = (button for button in at.button if button.label == label)
    return found


def evaluation(run, dataset, moment=None):
    return Evaluation(
        dataset.test.labels, run.logits(run.moments[-1] if moment is None else moment)
    )


def wait_for_download(at):
    store = data_store()
    ends = time.monotonic() + 10
    while store.downloading and time.monotonic() < ends:
        time.sleep(0.01)
    assert not store.downloading
    at.run()
