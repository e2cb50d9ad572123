"""The images people selected, kept as slices, or opened: in the session and in the URL.

URL: ?data= the dataset they belong to, selected= and slice= (several) as slices.py writes them,
images= which of them all screens are restricted to, image= the opened one, as an id.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import streamlit as st

from mnist_core import selection, slices, wording
from mnist_core.ui import resources, url

NAMES = ("data", "selected", "slice", "images", "image")
HELD = ("selected", "slices", "images", "opened")
NOTHING = {"selected": np.empty(0, np.int64), "slices": {}, "images": "", "opened": None}
SELECTION = "selection"  # the name under which the selection itself can be chosen
MOST_SLICES = 8


def arrive() -> None:
    """Take the images of the link when a session starts, or when the link's dataset has come."""
    dataset = resources.dataset()
    state = st.session_state
    if "link" not in state:
        state["link"] = {name: st.query_params.get_all(name) for name in NAMES}
        state.update(link_problems=[], images_held={}, images_of=None)
    if state["images_of"] == dataset.fingerprint:
        return
    held = state["images_held"]
    if state["images_of"] is not None:
        held[state["images_of"]] = {name: state[name] for name in HELD}
    nothing = NOTHING | {"slices": {}}
    state.update(held.get(dataset.fingerprint, nothing), images_of=dataset.fingerprint)
    link = state["link"]
    state["link_problems"] = []
    if dataset.fingerprint in held or not any(link.values()):
        return
    if link["data"] != [dataset.fingerprint[:8]]:
        whose = "other data" if link["data"] else "unknown data, as it has no “data=”"
        state["link_problems"] = [
            f"This link names images of {whose}; the app runs on {dataset.name}. They are left "
            "out, filters and order are applied."
        ]
        return
    total = len(dataset.train) + len(dataset.test)
    for name, read in (
        ("selected", _read_selected),
        ("slice", _read_slice),
        ("images", _read_images),
        ("image", _read_image),
    ):
        for text in link[name]:
            try:
                read(text, total)
            except ValueError as error:
                state["link_problems"].append(str(error))


def _read_selected(text: str, total: int) -> None:
    st.session_state["selected"] = slices.unpack(text, total)


def _read_slice(text: str, total: int) -> None:
    if len(kept()) >= MOST_SLICES:
        raise ValueError(f"A link holds {MOST_SLICES} slices; one more is left out.")
    name, found = slices.from_text(text, total, [SELECTION, *kept()])
    kept()[name] = found


def _read_images(text: str, total: int) -> None:
    if text and text not in choices():
        raise ValueError(f"The link shows the images “{text[:30]}”, which are not in it.")
    st.session_state["images"] = text


def _read_image(text: str, total: int) -> None:
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and int(text) < total):
        raise ValueError(f"The link opens image “{text[:20]}”; there are 0 to {total - 1:,}.")
    st.session_state["opened"] = int(text)


def to_url() -> None:
    """Write the images of the session into the URL, as far as they fit."""
    query = {}
    if len(ids()) and fits(ids()):
        query["selected"] = slices.pack(ids())
    query["slice"] = [slices.to_text(name, held) for name, held in kept().items()]
    lost = st.session_state["images"] == SELECTION and "selected" not in query
    query["images"] = "" if lost else st.session_state["images"]
    if (opened := st.session_state["opened"]) is not None:
        query["image"] = str(opened)
    if any(query.values()):
        query["data"] = resources.dataset().fingerprint[:8]
    for name in NAMES:
        url.write(name, query.get(name))


def fits(found: np.ndarray) -> bool:
    """Tell whether images fit into a link."""
    return len(found) <= slices.LARGEST


def opened(fingerprint: str | None = None) -> int | None:
    """Return the id of the opened image, or None; `fingerprint` None: of the app's dataset."""
    if fingerprint in (None, st.session_state["images_of"]):
        return st.session_state["opened"]
    return st.session_state["images_held"].get(fingerprint, {}).get("opened")


def opened_of(shown: selection.Subset) -> int | None:
    """Return the id of the opened image, or of the first one shown, or None."""
    first = int(shown.ids[0]) if len(shown) else None
    return first if opened() is None else opened()


def open_image(number: int | None, fingerprint: str | None = None) -> None:
    """Open an image by its id, or none; `fingerprint` None: of the dataset the app runs on."""
    number = None if number is None else int(number)
    if fingerprint in (None, st.session_state["images_of"]):
        st.session_state["opened"] = number
    else:
        held = st.session_state["images_held"].setdefault(fingerprint, NOTHING | {"slices": {}})
        held["opened"] = number


def show_problems(place) -> None:
    """Write what could not be read of the link into a container, in one box."""
    if problems := st.session_state["link_problems"]:
        place.warning("\n\n".join(map(wording.verbatim, problems)))


# The selection: ids, sorted


def ids() -> np.ndarray:
    return st.session_state["selected"]


def select(found: Iterable[int], add: bool = False) -> None:
    """Make images the selection, or add them to it."""
    found = np.asarray(list(found), np.int64)
    _set(np.union1d(ids(), found) if add else np.unique(found))


def select_among(shown: np.ndarray, positions: list[int]) -> None:
    """Of the images shown, ids (N,), make those at these positions selected, no others."""
    others = ids()[~np.isin(ids(), shown)]
    _set(np.union1d(others, shown[positions]))


def clear() -> None:
    _set(np.empty(0, np.int64))


def _set(found: np.ndarray) -> None:
    st.session_state["selected"] = found
    if not len(found) and st.session_state["images"] == SELECTION:
        st.session_state["images"] = ""


# Slices: selections with a name


def kept() -> dict[str, np.ndarray]:
    return st.session_state["slices"]


def keep(name: str) -> None:
    """Keep the selection as a slice. Raises ValueError for a bad name, or too many images."""
    if len(kept()) >= MOST_SLICES:
        raise ValueError(f"A link holds {MOST_SLICES} slices. Delete one first.")
    name = slices.checked_name(name, [SELECTION, *kept()])
    slices.pack(ids())
    kept()[name] = ids()


def delete(name: str) -> None:
    kept().pop(name, None)
    if st.session_state["images"] == name:
        st.session_state["images"] = ""


# Which images all screens show


def choices() -> dict[str, np.ndarray]:
    """Return what screens can be restricted to: name -> ids."""
    selected = {SELECTION: ids()} if len(ids()) else {}
    return selected | kept()


def current() -> np.ndarray | None:
    """Return the ids that screens are restricted to, or None for all."""
    return choices().get(st.session_state["images"])


def show_every() -> None:
    """Let all screens show all images again."""
    st.session_state["images"] = ""


def choose_images(everything: str, fingerprint: str | None = None) -> None:
    """Draw the choice which images are shown, where there is one; `everything` names all.

    `fingerprint` is that of the data shown, which may not be those of the selection.
    """
    options = choices()
    if not options or fingerprint not in (None, st.session_state["images_of"]):
        return

    def name(choice: str) -> str:
        if not choice:
            return everything
        title = "the selection" if choice == SELECTION else choice
        return f"{title} ({wording.count(len(options[choice]))})"

    chosen = st.session_state["images"]
    st.session_state["images_choice"] = chosen if chosen in options else ""
    st.selectbox(
        "Images",
        ["", *options],
        format_func=name,
        key="images_choice",
        on_change=lambda: st.session_state.update(images=st.session_state["images_choice"]),
        width=200,
    )


def subset(dataset) -> selection.Subset | None:
    """Return the images that screens are restricted to, or None for all, or for other data."""
    chosen = current()
    if chosen is None or dataset.fingerprint != st.session_state["images_of"]:
        return None
    return selection.Subset(dataset, chosen)
