"""One staff broken into lines as wide as a screen, as SVG in which every symbol can be found by its id.

Verovio may abort the process on music that nobody has engraved before: it works in a process of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .child import own_child, serve
from .toolkit import own_toolkit

__all__ = ["engrave_lines"]

_MARGIN = 30
_TALLEST = 60_000  # the largest page Verovio lays out: about 200 lines


def engrave_lines(mei: str, widths: Sequence[int], *, timeout_s: float = 30.0) -> list[str]:
    """The music as SVG, once for each width; a group `<g id="nK">` for each element of an MEI of `write_mei`.

    The child process starts with the first call (about half a second) and serves this process until it ends. It may
    be called from several threads.

    Args:
        mei: one staff, as `hfmusic.symbolic.mei.write_mei` writes it.
        widths: of the lines, in units of which a staff is 72 high.

    Raises:
        ValueError: Verovio does not read the text, aborts on it, takes too long, or it is longer than 200 lines.
    """
    svgs: list[str] = own_child(__spec__.name).ask((mei, tuple(widths)), timeout_s, " on this music")
    return svgs


def _engraved(mei: str, widths: Sequence[int]) -> list[str]:
    toolkit = own_toolkit("lines")
    svgs = []
    for number, width in enumerate(widths, start=1):
        toolkit.setOptions({**_OPTIONS, "pageWidth": int(width), "xmlIdSeed": number})
        if not toolkit.loadData(mei):
            raise ValueError("Verovio cannot read this music")
        if toolkit.getPageCount() != 1:
            raise ValueError("the music is longer than can be shown: about 200 lines")
        svgs.append(str(toolkit.renderToSVG(1)))
    return svgs


_OPTIONS: dict[str, Any] = {
    "breaks": "auto", "pageHeight": _TALLEST, "adjustPageHeight": True, "header": "none", "footer": "none",
    "scale": 100, "unit": 9.0, "mnumInterval": 0, "svgViewBox": True, "svgFormatRaw": True, "outputFormatRaw": True,
    "pageMarginLeft": _MARGIN, "pageMarginRight": _MARGIN, "pageMarginTop": _MARGIN, "pageMarginBottom": _MARGIN,
}  # fmt: skip


if __name__ == "__main__":
    serve(lambda request: _engraved(*request))
