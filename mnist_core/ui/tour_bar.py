"""The walk's bar above every page: which step, what to look at, question, the paper's claims.

The step is in the session and in the URL (?walk=4). Next, Back and the way to a step's screen only
note where to go, in their callback: the app goes there at the next run of the script, before
anything is drawn. The view's widget gets its value in the session, whatever it showed before.
"""

from __future__ import annotations

import streamlit as st

from mnist_core import tour, wording
from mnist_core.tour import STOPS, Stop
from mnist_core.ui import tour_found, url

# The widget that chooses a page's view, where it is not named as in the address.
WIDGETS = {"show": "browse_show"}
STYLE = """<style>
.st-key-tour { border-bottom: 1px solid rgba(128, 136, 160, 0.35); padding-bottom: 0.35rem; }
.st-key-tour_row, .st-key-tour_buttons { row-gap: 0.25rem; }
.st-key-tour p, .st-key-tour [data-testid="stMarkdownContainer"] { margin-bottom: 0; }
.st-key-tour_buttons button, .st-key-tour_buttons [data-testid="stPopoverButton"] {
  min-height: 2rem; padding-top: 0.1rem; padding-bottom: 0.1rem;
}
@media (max-width: 640px) {
  .st-key-tour_look, .st-key-tour_row .stMarkdownColoredText { display: none; }
  .st-key-tour_row { gap: 0.25rem; }
  .st-key-tour_buttons { gap: 0.25rem; }
  .st-key-tour_buttons button { padding-left: 0.45rem; padding-right: 0.45rem; }
}
</style>"""


def current() -> Stop | None:
    """Return the step the session is at, or None when the walk is not on."""
    return tour.stop(st.session_state.get("walk_step"))


def walk_to(number: int) -> None:
    """Be at a step, and on its screen from the next run on; for a button's callback."""
    step = STOPS[number - 1]
    name, view = step.query
    st.session_state["walk_step"] = number
    st.session_state["walk_at"] = number
    st.session_state[WIDGETS.get(name, name)] = view
    st.session_state["walk_go"] = step.page


def open_view(page: str, view: str) -> None:
    """Show a view of a page from the next run on, wherever the walk is; for a button's callback."""
    st.session_state[WIDGETS.get(page, page)] = view
    st.session_state["walk_go"] = page


def end() -> None:
    """End the walk; where it was is kept for "Go on". For a button's callback."""
    st.session_state["walk_step"] = None


def tour_bar(page) -> None:
    """Draw the bar where the walk is on; `page` is the page that the frame is about to run.

    Call it after frame.resolve() and before the page. Its container is always there, so that what
    is below keeps its place when the walk begins or ends.
    """
    with st.container(key="tour_place"):
        asked = _from_url()
        _go(page)
        step = current()
        url.write("walk", step and str(step.number))
        if asked is not None:
            text = wording.verbatim(asked[:20])
            st.warning(f"“{text}” is not a step of the walk. Its steps are 1 to {len(STOPS)}.")
        if step:
            with st.container(key="tour", gap="xsmall"):
                _draw(step, page)


def _from_url() -> str | None:
    """Take the step of the link when a session starts; return it where it is none."""
    if "walk_step" in st.session_state:
        return None
    asked = st.query_params.get("walk")
    step = tour.stop(asked)
    st.session_state["walk_step"] = st.session_state["walk_at"] = step and step.number
    return asked if step is None else None


def _go(page) -> None:
    """Switch to where a button's callback wants to be."""
    wanted = st.session_state.pop("walk_go", None)
    if wanted and wanted != _name(page):
        # Not without a query, which leaves the choices of this page in the address; and not with
        # the view, as an address that a widget is bound to cannot be written.
        st.switch_page(f"pages/{wanted}.py", query_params={})


def _name(page) -> str:
    """Return a page's name in the frame; the first page's address is empty."""
    return page.url_path or "home"


def _is_on_screen(step: Stop, page) -> bool:
    """Tell whether the page about to run shows the step's view."""
    name, view = step.query
    if _name(page) != step.page:
        return False
    shown = st.session_state.get(WIDGETS.get(name, name)) or st.query_params.get(name)
    return (shown or tour.FIRST_VIEWS[step.page]) == view


def _draw(step: Stop, page) -> None:
    st.html(STYLE)
    with st.container(key="tour_row", horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**Step {step.number} of {len(STOPS)} · {step.title}** "
            f":gray[· the paper: {step.section}]",
            width="stretch",
        )
        with st.container(
            key="tour_buttons", horizontal=True, vertical_alignment="center", width="content"
        ):
            _buttons(step, page)
    with st.container(key="tour_look"):
        st.markdown(step.look)


def _buttons(step: Stop, page) -> None:
    if not _is_on_screen(step, page):
        st.button(
            f"To step {step.number}", key="walk_return", type="primary", on_click=walk_to,
            args=(step.number,),
        )  # fmt: skip
    with st.popover("Question", key=f"walk_question_{step.number}"):
        st.caption(step.look)
        st.markdown(f"**{step.question}**")
        if st.toggle("Show the answer", key=f"walk_answer_{step.number}"):
            st.markdown(step.answer)
    with st.popover("The paper says", key=f"walk_claims_{step.number}"):
        claims(step)
    first, last = step.number == 1, step.number == len(STOPS)
    st.button(
        "Back", key="walk_back", disabled=first, help="This is the first step." if first else None,
        on_click=walk_to, args=(max(1, step.number - 1),),
    )  # fmt: skip
    st.button(
        "Next", key="walk_next", disabled=last, help="This is the last step." if last else None,
        type="primary" if _is_on_screen(step, page) else "secondary",
        on_click=walk_to, args=(min(len(STOPS), step.number + 1),),
    )  # fmt: skip
    st.button("End", key="walk_end", on_click=end)


def claims(step: Stop) -> None:
    """Draw what the paper says at a step, and what was found here about it."""
    told = tour_found.gathered([step])
    for index, claim in enumerate(step.claims):
        st.markdown(f"**The paper says:** {claim.says}")
        found = tour_found.finding(claim, told)
        st.markdown(f"**Found here:** {found.text if found else tour.EQUATION}")
        if found and found.go:
            go_button(*found.go, key=f"claim_go_{step.number}_{index}")


def go_button(page: str, view: str, key: str) -> None:
    """Draw the button that leads to a view of a page."""
    st.button(
        f"{page.capitalize()}: {view}", key=key, icon=":material/arrow_forward:", type="tertiary",
        on_click=open_view, args=(page, view),
    )  # fmt: skip
