"""Verovio's toolkits, of which each thread needs its own: where its fonts are, Verovio remembers a thread at a time.

A toolkit that is made, or used, in a thread that was not told reads no text at all, and says only that.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

_own = threading.local()


def new_toolkit() -> Any:
    """A `verovio.toolkit` for this thread, without messages. Making one reads its fonts."""
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    verovio.setDefaultResourcePath(str(Path(verovio.__file__).parent / "data"))
    return verovio.toolkit()


def own_toolkit(use: str) -> Any:
    """This thread's toolkit for a use; options that one use sets are not another's."""
    if not hasattr(_own, use):
        setattr(_own, use, new_toolkit())
    return getattr(_own, use)
