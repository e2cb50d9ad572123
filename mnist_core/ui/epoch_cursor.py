"""The transport bar that moves the app through the recorded moments of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

_HTML = """
<div class="cursor" role="group" aria-label="Epoch">
  <button type="button" class="play">
    <svg viewBox="0 0 24 24" aria-hidden="true"><path /></svg>
  </button>
  <button type="button" class="loop" aria-pressed="false" aria-label="Play again and again"
    title="Play again and again"><svg viewBox="0 0 24 24" aria-hidden="true"><path /></svg>
  </button>
  <input type="range" min="0" max="0" step="1" aria-label="Epoch" />
  <output aria-live="off"></output>
</div>
"""
_CURSOR = st.components.v2.component(
    "mnist_lab.epoch_cursor",
    html=_HTML,
    css=Path(__file__).with_suffix(".css").read_text(encoding="utf-8"),
    js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"),
)


def epoch_cursor(
    labels: Sequence[str],
    index: int,
    *,
    key: str,
    caption: str = "epoch {label} of {last}",
) -> int:
    """Show a play button, a slider over the moments, a caption; return the moment to show.

    `labels` names the recorded moments ("0", "1", "2.4"), oldest first. `index` is the moment
    shown now, 0 … len(labels) - 1 (0 when there is none). Returned is where the user has just
    moved, else `index`: keep it and pass it again. In `caption` the browser fills in {label} and
    {last}. Raises ValueError for an index outside.
    """
    if not 0 <= index < max(1, len(labels)):
        raise ValueError(f"Expected index in 0 … {len(labels) - 1}. Received: {index}.")
    move = (st.session_state.get(key) or {}).get("moved") or {}
    seen = f"{key}.seen"
    # A state and not a trigger: a trigger is lost when another rerun interrupts this one.
    if move != st.session_state.get(seen) and move.get("index") in range(len(labels)):
        index = move["index"]
    text = caption if labels else "nothing recorded yet"
    data = {"labels": list(labels), "index": int(index), "caption": text, "heard": move.get("at")}
    _CURSOR(key=key, data=data, on_moved_change=lambda: None)
    st.session_state[seen] = move
    return data["index"]
