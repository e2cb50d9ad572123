"""The dataset the app runs on, shared by all sessions, with its download.

Light to import, so that app.py can have MNIST read while pandas and plotly are still imported.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import streamlit as st

from mnist_core import data


class DataStore:
    """Reads MNIST beside the first page; fetches it beside while the built-in digits serve."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._dataset: data.Dataset | None = None
        self.progress: tuple[float | None, str] = (None, "")
        self.refused: tuple[str, ...] = ()
        reader = ThreadPoolExecutor(1, thread_name_prefix="read-data")
        self._found: Future = reader.submit(data.find)
        reader.shutdown(wait=False)

    @property
    def dataset(self) -> data.Dataset:
        """The dataset to use now; the first time this waits until MNIST is read."""
        with self._lock:
            if self._dataset is None:
                found, self.refused = self._found.result()
                # Here and not in the reader's thread: scikit-learn must not be imported in one.
                self._dataset = found or data.built_in_digits()
                if found is None:
                    self._start_download()
            return self._dataset

    @dataset.setter
    def dataset(self, dataset: data.Dataset) -> None:
        self._dataset, self.refused = dataset, ()

    @property
    def downloading(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def download(self) -> None:
        """Start the download unless it runs; `dataset` changes when it is there."""
        with self._lock:
            if not self.downloading:
                self._start_download()

    def _start_download(self) -> None:
        self.progress = (None, "Looking for MNIST on the internet")
        self._thread = threading.Thread(target=self._fetch, daemon=True, name="download")
        self._thread.start()

    def _fetch(self) -> None:
        try:
            self.dataset = data.fetch(progress=self._report)
        except Exception as error:  # whatever it is, the built-in digits stay and the reason shows
            self.refused = (*data.find()[1], str(error))

    def _report(self, fraction: float | None, text: str) -> None:
        self.progress = (fraction, text)

    def open(self, path: str) -> None:
        """Switch to a file or folder a person named. Raises DataRefused or OSError."""
        self.dataset = data.open_source(path)


@st.cache_resource(show_spinner=False)
def data_store() -> DataStore:
    return DataStore()
