"""Score and MIDI files that a user names: sheets of the ones, played notes of the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hfmusic.render.engrave_score import engrave_score
from hfmusic.render.score_files import SHEET_SUFFIXES
from hfmusic.render.sheet import Sheet
from hfmusic.symbolic.beat_map import BeatMap, read_beat_map
from hfmusic.symbolic.performance import PerformedNote, read_performance

MIDI_SUFFIXES = (".mid", ".midi")


@dataclass(frozen=True)
class Played:
    """Music without pages: at least one note, by onset, and where the beats are."""

    notes: list[PerformedNote]
    beats: BeatMap

    @property
    def seconds(self) -> float:
        """When the last note ends."""
        return max(note.offset_seconds for note in self.notes)


def is_midi(path: str | Path) -> bool:
    """Whether a file is MIDI, by its name."""
    return Path(path).suffix.lower() in MIDI_SUFFIXES


def score_files(files: Iterable[str | Path]) -> Iterator[tuple[str, Path]]:
    """(name, file) of scores; a folder stands for those in it and below, whose names say where in it they are, and
    where it has none for its MIDI files.

    Raises:
        ValueError: a folder without either.
    """
    for file in map(Path, files):
        if not file.is_dir():
            yield file.name, file
            continue
        inside = _below(file, SHEET_SUFFIXES) or _below(file, MIDI_SUFFIXES)
        if not inside:
            known = ", ".join((*SHEET_SUFFIXES, *MIDI_SUFFIXES))
            raise ValueError(f"{file}: no scores in this folder ({known})")
        yield from ((path.relative_to(file).as_posix(), path) for path in inside)


def _below(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes)


def read_sheet(path: str | Path) -> Sheet:
    """The pages of a score and its notes on them.

    Raises:
        ValueError: nothing to read, or no notes in it; one sentence that names the file.
    """
    sheet = engrave_score(path)
    if not sheet.notes:
        raise ValueError(f"{path}: a score without notes")
    return sheet


def read_played(path: str | Path) -> Played:
    """The notes of a MIDI file and its beats; percussion is left out.

    Raises:
        ValueError: nothing to read, no MIDI, or no notes in it; one sentence that names the file.
    """
    try:
        data = Path(path).read_bytes()
        played = Played(read_performance(data), read_beat_map(data))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if not played.notes:
        raise ValueError(f"{path}: a MIDI file without notes")
    return played
