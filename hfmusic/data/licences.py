"""Licences of what is built, by the names that the Hub has for them."""

from __future__ import annotations

from collections.abc import Iterable

# Of terms that the card tells in words: the Hub wants a name for them and a place. Published, README.md is the page.
OTHER_TERMS = {"license_name": "terms-of-the-sources", "license_link": "README.md"}
# Of what is made from these sources of staves and no others; the first that fits.
_LICENCES = {
    frozenset({"openscore"}): "cc0-1.0",
    frozenset({"openscore", "rism", "generated"}): "cc-by-3.0",
}


def licence_of(sources: Iterable[str]) -> str:
    """The licence of staves from these sources; "other" where one of them has terms of its own.

    >>> licence_of(["openscore"]), licence_of(["rism", "openscore"]), licence_of(["rism", "music21"])
    ('cc0-1.0', 'cc-by-3.0', 'other')
    """
    used = set(sources)
    return next((licence for known, licence in _LICENCES.items() if used <= known), "other")


def licence_lines(licence: str) -> str:
    """The licence in a card's metadata.

    >>> print(licence_lines("cc0-1.0"))
    license: cc0-1.0
    """
    terms = OTHER_TERMS if licence == "other" else {}
    return "\n".join(f"{key}: {value}" for key, value in ({"license": licence} | terms).items())
