"""Scores from outside engraved in a process of their own: Verovio may abort on one, which then costs that one only."""

from __future__ import annotations

from pathlib import Path

from .child import own_child, serve
from .score_files import read_score_file
from .score_sheet import Layout, SheetStyle, engrave_text
from .sheet import Sheet


def engrave_score(
    score: str | Path, *, layout: Layout = "pages", font: str = "Leipzig", timeout_s: float = 170.0
) -> Sheet:
    """The pages of a score, where its notes are on them, and when they sound.

    The child process starts with the first call and serves this process until it ends. What becomes of repeats, grace
    notes, ornaments and ties says `hfmusic.render.score_sheet`.

    Args:
        score: a file (.mxl, .musicxml, .xml, .mei, .krn, .kern, .abc), or its text: what has a line break or begins
            with "<" is text.
        layout: "pages", or "row": one system of any length. Verovio takes more than its share of time for long rows:
            0.1 to 5 s for a song, most of a minute for a quartet's movement.
        font: Verovio's music font.
        timeout_s: seconds that one score may take.

    Raises:
        ValueError: no such file, a damaged one, nothing that Verovio reads, nothing that sounds, or Verovio aborts or
            takes too long; one sentence that names the file.
    """
    style = SheetStyle(layout, font)
    if isinstance(score, str) and ("\n" in score or score.lstrip().startswith("<")):
        return _engraved(score, style, timeout_s)
    text = read_score_file(score)
    try:
        return _engraved(text, style, timeout_s)
    except ValueError as error:
        raise ValueError(f"{score}: {error}") from None


def _engraved(text: str, style: SheetStyle, timeout_s: float) -> Sheet:
    sheet: Sheet = own_child(__spec__.name).ask((text, style), timeout_s, " on this score")
    return sheet


if __name__ == "__main__":
    serve(lambda request: engrave_text(*request))
