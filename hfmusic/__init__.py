"""hfmusic: reads and hears music, with models and datasets that are ordinary Hugging Face repositories.

>>> import hfmusic
>>> hfmusic.Score.__name__
'Score'
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import wrapt

__version__ = "0.1.0"

if TYPE_CHECKING:
    from hfmusic.align import align
    from hfmusic.build import build
    from hfmusic.evaluate import evaluate
    from hfmusic.export import export
    from hfmusic.hub import load
    from hfmusic.index import index
    from hfmusic.publish import publish
    from hfmusic.retrieve import find
    from hfmusic.symbolic.score import Note, Score
    from hfmusic.train import train
    from hfmusic.transcribe import transcribe

_HOMES = {
    "Note": "hfmusic.symbolic.score",
    "Score": "hfmusic.symbolic.score",
    "align": "hfmusic.align",
    "build": "hfmusic.build",
    "evaluate": "hfmusic.evaluate",
    "export": "hfmusic.export",
    "find": "hfmusic.retrieve",
    "index": "hfmusic.index",
    "load": "hfmusic.hub",
    "publish": "hfmusic.publish",
    "train": "hfmusic.train",
    "transcribe": "hfmusic.transcribe",
}
__all__ = [
    "Note",
    "Score",
    "align",
    "build",
    "evaluate",
    "export",
    "find",
    "index",
    "load",
    "publish",
    "train",
    "transcribe",
]


@wrapt.when_imported("transformers")
def _register_auto_classes(_module: object) -> None:
    """`AutoModel.from_pretrained` knows hfmusic's models as soon as both are imported, in either order.

    Only then: importing torch and transformers takes seconds, and `hfmusic --help` needs neither.
    """
    importlib.import_module("hfmusic.models")


class _Package(ModuleType):
    """`hfmusic.transcribe` is the verb, also once its module of the same name has been imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType) and _HOMES.get(name) == value.__name__:
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hfmusic' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
