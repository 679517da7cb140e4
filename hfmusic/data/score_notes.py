"""The notes of MusicXML scores in seconds, as Verovio plays them: exactly in time, at one velocity."""

from __future__ import annotations

import base64
import io
import multiprocessing
import zipfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from hfmusic.data.note_files import SCORE_SUFFIXES, PlayedNote, midi_notes, read_played
from hfmusic.render.toolkit import own_toolkit


def score_notes(data: bytes) -> list[PlayedNote]:
    """Notes of all parts of a MusicXML score, plain or packed (.mxl), at its tempo marks, or 120 quarters a minute.

    Repeats are played as written in the file: once. Verovio may abort the process on a broken score; see
    `read_played_apart`.

    Raises:
        ValueError: a damaged archive, nothing that Verovio reads, or nothing sounds in it.
    """
    notes = midi_notes(score_midi(data))
    if not notes:
        raise ValueError("a score in which nothing sounds")
    return notes


def score_midi(data: bytes) -> bytes:
    """A MusicXML score as the MIDI file that Verovio plays, on the score's beats; see `score_notes`.

    Raises:
        ValueError: a damaged archive, or nothing that Verovio reads.
    """
    toolkit = own_toolkit("notes")
    toolkit.setOptions({"xmlIdSeed": 1})
    if data[:2] == b"PK":
        if not zipfile.is_zipfile(io.BytesIO(data)):  # Verovio aborts on these
            raise ValueError(f"a damaged .mxl archive of {len(data)} bytes")
        known = toolkit.loadZipDataBase64(base64.b64encode(data).decode("ascii"))
    else:
        known = toolkit.loadData(data.decode("utf-8", "replace"))
    if not known:
        raise ValueError(f"no score that Verovio reads: {len(data)} bytes beginning {data[:8]!r}")
    return base64.b64decode(toolkit.renderToMIDI())


def read_played_apart(paths: Iterable[Path]) -> Iterator[tuple[Path, list[PlayedNote] | ValueError]]:
    """The notes of files of any kind, in order; scores are read in a process of their own, which may die of them."""
    reader: ProcessPoolExecutor | None = None
    try:
        for path in paths:
            try:
                if path.suffix.lower() not in SCORE_SUFFIXES:
                    yield path, read_played(path)
                    continue
                reader = reader or ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
                yield path, reader.submit(read_played, path).result()
            except ValueError as error:
                yield path, error
            except BrokenProcessPool:
                reader = None
                yield path, ValueError(f"{path}: Verovio aborted on it")
    finally:
        if reader is not None:
            reader.shutdown()
