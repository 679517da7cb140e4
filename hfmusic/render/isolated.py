"""Engraving of text from outside (Plaine & Easie, ABC, MEI, MusicXML, Humdrum) where an abort costs one item.

Verovio ends its process on some texts (`A"Am` in an ABC tune does: std::out_of_range). Such text is engraved in a child
process that lives on from item to item and is started again after it dies.
"""

from __future__ import annotations

import atexit
import os
from functools import cache

import numpy as np

from .child import ChildProcess, serve
from .engrave import EngravingStyle, engrave


def engrave_outside(text: str, style: EngravingStyle | None = None, *, timeout_s: float = 30.0) -> np.ndarray:
    """A picture of the staff that any text Verovio reads describes: uint8 (H, W), 255 = paper, 0 = ink.

    The child process starts with the first call (about half a second) and serves this process until it ends.

    Args:
        text: the notation; Verovio finds out which.
        style: PrIMuS's by default.
        timeout_s: seconds that one text may take.

    Raises:
        ValueError: Verovio does not read the text, aborts on it, or takes too long.
    """
    return _worker(os.getpid()).engrave(text, style or EngravingStyle(), timeout_s)


class EngravingWorker(ChildProcess):
    """A child process that engraves one text at a time. `engrave` may be called from several threads."""

    def __init__(self) -> None:
        super().__init__(__spec__.name)

    def engrave(self, text: str, style: EngravingStyle, timeout_s: float) -> np.ndarray:
        """As `engrave_outside`."""
        if not text.strip():
            raise ValueError("there is no music in an empty text")
        image: np.ndarray = self.ask((text, style), timeout_s, f" on this text: {text[:80]!r}")
        return image


@cache
def _worker(process_id: int) -> EngravingWorker:
    """One worker for each process: a forked copy must not speak into its parent's pipe."""
    worker = EngravingWorker()
    atexit.register(worker.close)
    return worker


if __name__ == "__main__":
    serve(lambda request: engrave(*request))
