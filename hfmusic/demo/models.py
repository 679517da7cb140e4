"""The models of a page: those of its own Hub where it was published, else those that come with hfmusic."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from hfmusic.hub import Loaded, load
from hfmusic.hub_links import PLACEHOLDER
from hfmusic.packing import split_card


def model_name(name: str, folder: Path) -> str:
    """OWNER/NAME, as `hfmusic publish` writes it under `models` in the card of a Space where that model is on the
    Hub too; `name` where the card has no owner for it, as in a checkout: then it comes with hfmusic.

    Args:
        name: of a model, without owner; one with an owner, or a folder's path, stays as it is.
        folder: of the Space, its README.md in it.
    """
    front, _ = split_card((folder / "README.md").read_text(encoding="utf-8"))
    listed = (one for one in front.get("models") or [] if not one.startswith(PLACEHOLDER))
    return next((one for one in listed if one.partition("/")[2] == name), name)


def space_model(name: str, folder: Path) -> Loaded:
    """A model of a Space (see `model_name`), loaded once.

    Raises:
        ValueError: as `hfmusic.hub.load`.
    """
    return _loaded(model_name(name, folder))


@cache
def _loaded(name: str) -> Loaded:
    return load(name)
