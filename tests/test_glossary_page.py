"""The glossary on the pages: each term that a page writes is among its Terms; the view."""

import json
import re
from urllib.parse import parse_qs

import pytest
from apptest import components, go, popovers, start, url
from explainable import CONFIGS, copy_of

from mnist_core import glossary
from mnist_core.glossary import GLOSSARY, OF_VIEW
from mnist_core.ui import filters, frame, terms

pytestmark = pytest.mark.usefixtures("app_on_small_data")

SHOWN = {"body", "label", "help", "placeholder", "caption", "text", "content", "display"}


def strings(message):
    """Return all texts of an element's message that a person can see, its options included."""
    found = []
    for field, value in message.ListFields():
        values = value if field.is_repeated else [value]
        if field.message_type is not None:
            found += [
                text for each in values if hasattr(each, "ListFields") for text in strings(each)
            ]
        elif field.name == "body" and str(value).startswith("<style>"):
            continue
        elif field.name in SHOWN | {"options"} and all(isinstance(each, str) for each in values):
            found += values
    return found


def figure_texts(figure):
    """Return a figure's title, axes' titles, notes and names of traces."""
    layout = figure.get("layout", {})
    parts = [layout, *(value for key, value in layout.items() if re.match("[xy]axis", key))]
    titles = [part.get("title") for part in parts]
    texts = [title.get("text") if isinstance(title, dict) else title for title in titles]
    texts += [note.get("text") for note in layout.get("annotations", ())]
    texts += [
        trace.get("name") for trace in figure.get("data", ()) if trace.get("showlegend", True)
    ]
    return [text for text in texts if text]


def visible_texts(at):
    """Return all texts of the page: those of the bar at the bottom and of folded parts, too."""
    found = []

    def walk(block):
        for child in getattr(block, "children", {}).values():
            if getattr(child, "proto", None) is not None:
                found.extend(strings(child.proto))
            walk(child)

    walk(at._tree)
    for chart in components(at, "chart").values():
        found += figure_texts(json.loads(chart["figure"]))
    return found


VIEWS = {
    "home": [""],
    "browse": list(filters.SHOWS),
    "train": ["Studio", "The paper", "Queue"],
    "evaluate": ["Confusion", "Over time", "How sure", "Two runs", "Weights"],
    "mistakes": ["Mistakes", "Doubtful labels"],
    "draw": ["Answer", "Side by side", "Why?", "Flip it", "Robustness"],
    "explain": ["One digit", "One step", "Convolution", "Neurons", "The walk", "Glossary"],
}
# Words of a page that mean something else than the glossary's entry.
NOT_MEANT = {"browse": {"filter"}}  # its filters choose images
PLACES = [(page, view) for page, views in VIEWS.items() for view in views]


def named(texts):
    """Return slug -> the first text that names it."""
    found = {}
    for text in texts:
        for slug in glossary.mentioned(text):
            found.setdefault(slug, text)
    return found


def opened(page, view, **more):
    key = "show" if page == "browse" else page
    return start(page, **({key: view} if view else {}), **more)


def query_of(link):
    """Return what a link to a page says in the address: {name: value}."""
    return {name: values[0] for name, values in parse_qs(link.proto.query_string).items()}


def links_to_terms(at):
    """Return the slugs to which the page's links lead, in their order."""
    queries = [query_of(link) for link in at.get("page_link") if link.proto.page == "explain"]
    assert all(query["explain"] == "Glossary" for query in queries if "term" in query)
    return [query["term"] for query in queries if "term" in query]


# Any term in the app


@pytest.mark.parametrize(("page", "view"), PLACES)
def test_each_term_that_a_page_writes_is_among_its_terms(page, view, recorded):
    assert_each_is_listed(page, view)


@pytest.mark.parametrize(("page", "view"), PLACES)
def test_so_it_is_without_any_run(page, view, root):
    assert_each_is_listed(page, view)


def assert_each_is_listed(page, view):
    at = opened(page, view)
    assert popovers(at).count("Terms") == 1
    found = named(visible_texts(at))
    assert found, "a page without any term: nothing was read"
    known = {*OF_VIEW[page, view], *NOT_MEANT.get(page, ())}
    if view == "Glossary":  # each of them is a link on this page
        known = set(links_to_terms(at))
    assert {slug: text for slug, text in found.items() if slug not in known} == {}


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("trained")


@pytest.mark.parametrize("view", ["One digit", "One step", "Convolution", "Neurons"])
@pytest.mark.parametrize("name", CONFIGS)
def test_so_it_is_for_networks_of_all_kinds(view, name, root, folder, small):
    root.mkdir()
    copy_of(name, root, folder, small)
    assert_each_is_listed("explain", view)


def test_hyperparameters_of_every_kind_are_among_the_terms(root):
    layers = "conv-16-5-2-tanh-0-valid~max_pool-3~dropout-0.3~dense-64-gelu-1-0.001"
    more = {"schedule": "cosine", "validation_share": "0.2", "patience": "3", "shift": "2"}
    at = start("train", layers=layers, **more)
    found = named(visible_texts(at))
    assert {"filter", "kernel", "stride", "padding", "warm-up", "patience", "dropout"} <= set(found)
    assert set(found) <= set(OF_VIEW["train", "Studio"])


def test_texts_of_all_kinds_are_read(recorded):
    found = visible_texts(start("evaluate"))
    assert "Test loss" in found, "labels"
    assert any(text.startswith("A 95 % interval (Wilson)") for text in found), "help"
    assert any("often is the network right" in text for text in found), "captions"
    assert {"Over time", "predicted digit"} <= set(found), "options, axes"


def test_there_is_a_list_of_terms_for_every_page_and_view():
    assert set(OF_VIEW) == set(PLACES)
    assert set(VIEWS) == set(frame.PAGES)


# The button


@pytest.mark.parametrize(
    ("page", "view"), [("evaluate", "Weights"), ("browse", "map"), ("home", "")]
)
def test_an_opened_button_links_each_term_to_its_entry(page, view, recorded, monkeypatch):
    # A run of the whole page closes the button; here it is to stay open.
    monkeypatch.setattr(frame, "terms", lambda page: terms._menu(page, "", f"terms_{page}"))
    at = opened(page, view)
    assert links_to_terms(at) == []
    at.session_state[f"terms_{page}"] = True
    at.run()
    assert not at.exception
    assert tuple(links_to_terms(at)) == OF_VIEW[page, view]
    assert GLOSSARY["epoch"].text.split(". ")[0] + "." in [each.value for each in at.caption]


def test_a_link_followed_closes_the_button(recorded):
    at = start("evaluate")
    at.session_state["terms_evaluate"] = True
    at.run()
    assert at.session_state["terms_evaluate"] is False
    assert links_to_terms(at) == []


# The glossary


def glossary_page(**query):
    return start("explain", explain="Glossary", **query)


def headings(at):
    return [each.value for each in at.subheader]


def test_all_entries_are_listed_from_a_to_z(root):
    at = glossary_page()
    terms_shown = [GLOSSARY[slug].term.casefold() for slug in links_to_terms(at)]
    assert terms_shown == sorted(terms_shown) and len(terms_shown) == len(GLOSSARY)
    assert headings(at) == sorted({term[0].upper() for term in terms_shown})
    assert {entry.text for entry in GLOSSARY.values()} <= {each.value for each in at.markdown}


def test_a_link_opens_its_term_with_what_is_related(recorded):
    at = glossary_page(term="softmax")
    assert headings(at)[0] == "Softmax"
    related = GLOSSARY["softmax"].related
    assert tuple(links_to_terms(at)[: len(related)]) == related
    assert at.markdown[0].value == GLOSSARY["softmax"].text
    assert not at.warning and url(at)["term"] == "softmax" and url(at)["run"] == recorded.id


def test_an_unknown_term_says_so_and_is_no_markdown(root):
    at = glossary_page(term="[x](http://example.com)" + "y" * 90)
    (warning,) = at.warning
    assert "is not in the glossary" in warning.value
    assert r"\[x\]\(http\:" in warning.value and "y" * 60 not in warning.value
    assert headings(at)[0] == "A"


def test_a_search_shows_what_it_finds_the_best_first(root):
    at = glossary_page(term="softmax")
    at.text_input(key="glossary_search").set_value("Neurons").run()
    related = len(GLOSSARY["softmax"].related)
    assert headings(at) == ["Softmax"] and links_to_terms(at)[related:] == ["unit"]
    at.text_input(key="glossary_search").set_value("zebra").run()
    assert "zebra" in at.info[0].value and len(links_to_terms(at)) == related
    at.text_input(key="glossary_search").set_value("").run()
    assert len(links_to_terms(at)) == related + len(GLOSSARY)


def test_where_to_see_it_opens_the_view(recorded):
    at = glossary_page(term="mcnemar")
    assert [each.label for each in at.button if "where_" in (each.key or "")] == [
        ":primary[Evaluate, Two runs]"
    ]
    at.button(key="where_evaluate_Two runs").click().run()
    assert not at.exception and at.title[0].value == "Evaluate"
    assert at.session_state["evaluate"] == "Two runs"


def test_where_to_see_it_opens_browse_where_it_was_open_before(recorded):
    at = start("browse")
    assert at.session_state["browse_show"] == "digits"
    go(at, "explain")
    at.query_params.update(explain="Glossary", term="pca")
    at.session_state["explain"] = "Glossary"
    at.run().button(key="where_browse_map").click().run()
    assert not at.exception and at.session_state["browse_show"] == "map"
