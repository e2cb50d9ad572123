"""The glossary: what each term of the app means, and on which page and view it is met.

The entries are read from glossary.md, which is written for people.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mnist_core.glossary_places import FRAME, OWN


@dataclass(frozen=True)
class Entry:
    """A term: Markdown with $LaTeX$, its other spellings, and the slugs of related entries.

    The spellings are how screens write it; a plural need not be named.
    """

    slug: str
    term: str
    text: str
    spellings: tuple[str, ...] = ()
    related: tuple[str, ...] = ()

    @property
    def sentences(self) -> list[str]:
        """The text's sentences; "et al." ends none."""
        return re.split(r"(?<=[.?])(?<!et al\.)\s+(?=[^a-z])", self.text)

    @property
    def names(self) -> tuple[str, ...]:
        return (self.term, *self.spellings)


def read(text: str) -> dict[str, Entry]:
    """Return slug -> Entry of a text in the form of glossary.md, in its order.

    Raises ValueError for an entry that is incomplete or comes twice.
    """
    found: dict[str, Entry] = {}
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        part = re.split(r"^# ", part, flags=re.MULTILINE)[0]
        head, _, body = part.partition("\n\n")
        title, *lines = head.split("\n")
        slug, _, term = title.partition(": ")
        lists = {
            name: tuple(rest.split(", ")) for name, _, rest in (x.partition(": ") for x in lines)
        }
        words = " ".join(body.split())
        if not (slug and term and words) or slug in found or not set(lists) <= {"also", "related"}:
            raise ValueError(f"Expected a new entry “slug: Term” with a text. Received: {part!r}.")
        found[slug] = Entry(slug, term, words, lists.get("also", ()), lists.get("related", ()))
    return found


GLOSSARY = read((Path(__file__).parent / "glossary.md").read_text(encoding="utf-8"))


# (page, view or "") -> slugs, in the order in which a reader meets the terms.
OF_VIEW = {place: tuple(dict.fromkeys((*own, *FRAME))) for place, own in OWN.items()}


def by_letter(entries: list[Entry] | None = None) -> dict[str, list[Entry]]:
    """Return first letter -> its entries, A to Z; of all entries where none are given."""
    chosen = GLOSSARY.values() if entries is None else entries
    letters: dict[str, list[Entry]] = {}
    for entry in sorted(chosen, key=lambda entry: entry.term.casefold()):
        letters.setdefault(entry.term[0].upper(), []).append(entry)
    return letters


def find(text: str) -> list[Entry]:
    """Return the entries that a search finds, best first; nothing asked, nothing found.

    Best is a term or spelling that is the text, then one that begins with it, then one that holds
    it, then an explanation with all of its words.
    """
    asked = " ".join(text.casefold().split())
    if not asked:
        return []
    ranked = [(rank, i, entry) for i, entry in enumerate(GLOSSARY.values())
              if (rank := _rank(asked, entry)) is not None]  # fmt: skip
    return [entry for *_, entry in sorted(ranked, key=lambda found: found[:2])]


def _rank(asked: str, entry: Entry) -> int | None:
    """Return how well an entry fits, 0 best; None: not at all."""
    names = [name.casefold() for name in entry.names]
    tests = (str.__eq__, str.startswith, str.__contains__)
    for rank, test in enumerate(tests):
        for place, name in enumerate(names):
            if test(name, asked) or (rank == 0 and name in _singulars(asked)):
                return 2 * rank + (place > 0)
    everything = " ".join([*names, entry.text.casefold()])
    if all(re.search(rf"(?<!\w){re.escape(word)}", everything) for word in asked.split()):
        return 2 * len(tests)
    return None


def _singulars(word: str) -> set[str]:
    """Return what a word may be the plural of."""
    endings = (("ies", "y"), ("es", ""), ("s", ""))
    return {word.removesuffix(end) + one for end, one in endings if word.endswith(end)}


@cache
def _spoken() -> tuple[re.Pattern[str], dict[str, str]]:
    """Return a pattern of all terms and spellings, the longest first, and spelling -> slug."""
    slugs: dict[str, str] = {}
    for slug, entry in GLOSSARY.items():
        for name in entry.names:
            slugs.setdefault(_plain(re.sub(r"\s*\(.*\)$", "", name) or name), slug)
    options = "|".join(_pattern(name) for name in sorted(slugs, key=len, reverse=True))
    return re.compile(rf"(?<![\w-])(?:{options})(?![\w-]|\.\w)", re.IGNORECASE), slugs


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", " ", name.casefold())


def _pattern(name: str) -> str:
    """Return the pattern of one spelling: any gap between its words, and its plural."""
    words = r"[\s-]+".join(map(re.escape, name.split()))
    plural = ""
    if name[-1:].isalpha():
        plural = "(?:s|es)?"
    return rf"{words[:-1]}(?:y|ies)" if re.search("[^aeiou]y$", name) else words + plural


def mentioned(text: str) -> list[str]:
    """Return the slugs of the terms in a text, in the order in which it first names them.

    Whole words in any case, singular or plural; of overlapping spellings the longest counts.
    """
    pattern, slugs = _spoken()
    found = []
    for hit in pattern.finditer(text.replace("*", " ")):
        said = _plain(hit[0])
        found.append(next(slugs[x] for x in (said, *_singulars(said)) if x in slugs))
    return list(dict.fromkeys(found))


def places(slug: str) -> list[tuple[str, str]]:
    """Return the pages and views that use a term themselves, as (page, view or "")."""
    return [place for place, slugs in OWN.items() if slug in slugs]


def is_everywhere(slug: str) -> bool:
    """Return whether the bar at the bottom of every page uses a term."""
    return slug in FRAME
