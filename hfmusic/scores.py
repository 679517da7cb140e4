"""Score files that a user names, and their sheets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from hfmusic.render.engrave_score import engrave_score
from hfmusic.render.score_files import SHEET_SUFFIXES
from hfmusic.render.sheet import Sheet


def score_files(files: Iterable[str | Path]) -> Iterator[tuple[str, Path]]:
    """(name, file) of scores; a folder stands for those in it and below, whose names say where in it they are.

    Raises:
        ValueError: a folder without scores.
    """
    for file in map(Path, files):
        if not file.is_dir():
            yield file.name, file
            continue
        inside = sorted(path for path in file.rglob("*") if path.suffix.lower() in SHEET_SUFFIXES)
        if not inside:
            raise ValueError(f"{file}: no scores in this folder ({', '.join(SHEET_SUFFIXES)})")
        yield from ((path.relative_to(file).as_posix(), path) for path in inside)


def read_sheet(path: str | Path) -> Sheet:
    """The pages of a score and its notes on them.

    Raises:
        ValueError: nothing to read, or no notes in it; one sentence that names the file.
    """
    sheet = engrave_score(path)
    if not sheet.notes:
        raise ValueError(f"{path}: a score without notes")
    return sheet
