"""Tunes out of the ABC files that music21 ships and out of MusicXML files, each file read once and kept.

What was read is kept as JSON in a cache folder, one file a source file, written whole or not at all, so a broken-off
reading continues. The folder is `cache_dir`, or $HFMUSIC_CACHE, or ~/.cache/hfmusic.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tqdm.auto import tqdm

from hfmusic.symbolic.abc import read_abc
from hfmusic.symbolic.musicxml import read_musicxml
from hfmusic.symbolic.score import Barline, Element, NotationError, Note, Rest, Score, TimeSignature

from .corpora import Tune
from .incipits import incipits, with_shared_works
from .primus_rows import pack_score, unpack_score

# Raise when reading changes: older caches are then read no more.
READER_VERSION = 1
CORPORA = ("essenFolksong", "airdsAirs", "oneills1850", "ryansMammoth")
# Test files of the corpus, and a second transcription of tunes that stand in another file already.
_LEFT_OUT = re.compile(r"test\w*\.abc|\d+-\d+_mh\.abc")
INCIPITS_A_TUNE, INCIPITS_A_PART = 3, 8
# Of a part no more is read than those incipits can need.
MEASURES_A_PART = 100

Read = tuple[str, Score]
_log = logging.getLogger(__name__)


def read_tunes(limit: int | None, cache_dir: str | Path | None) -> Iterator[Tune]:
    """See `corpora.music21_tunes`."""
    root = _corpus_folder()
    paths = [p for corpus in CORPORA for p in sorted((root / corpus).glob("*.abc")) if not _LEFT_OUT.fullmatch(p.name)]
    cache = cache_folder(cache_dir) / f"music21-{READER_VERSION}"
    melodies: list[Tune] = []
    for path in tqdm(paths, desc="music21 corpus", unit="file", disable=len(paths) < 2):
        for number, score in _cached(path, cache, read_abc_file):
            name = f"{path.parent.name}-{path.stem}-{number}"
            melodies.append(Tune(name, f"music21:{name}", score, "music21"))
        if limit is not None and len(melodies) >= limit:
            break
    yield from _cut(with_shared_works(melodies[:limit]), INCIPITS_A_TUNE)


def _corpus_folder() -> Path:
    """music21's corpus, without paying for the import of music21."""
    found = find_spec("music21")
    if found is None or found.origin is None:
        raise ValueError("music21 must be installed for its corpus of tunes: pip install music21")
    return Path(found.origin).parent / "corpus"


def read_parts(folder: Path, cache_dir: str | Path | None) -> Iterator[Tune]:
    """See `corpora.openscore_tunes`."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".mxl", ".musicxml"))
    if not paths:
        raise ValueError(f"no .mxl or .musicxml file in {folder}")
    cache = cache_folder(cache_dir) / f"musicxml-{READER_VERSION}"
    melodies: list[Tune] = []
    for path in tqdm(paths, desc="MusicXML", unit="file"):
        name = "-".join(path.relative_to(folder).with_suffix("").parts)
        for part, score in _cached(path, cache, read_musicxml_file):
            melodies.append(Tune(f"{name}-{part}", f"openscore:{path.stem}", score, "openscore"))
    yield from _cut(with_shared_works(melodies), INCIPITS_A_PART)


def _cut(melodies: list[Tune], most: int) -> Iterator[Tune]:
    for melody in melodies:
        for number, score in enumerate(incipits(melody.score, melody.id, most=most)):
            yield Tune(f"{melody.id}-{number + 1}", melody.work, score, melody.source)


def cache_folder(cache_dir: str | Path | None = None) -> Path:
    """The folder of what was read, not made yet."""
    return Path(cache_dir or os.environ.get("HFMUSIC_CACHE") or Path.home() / ".cache" / "hfmusic")


def _cached(path: Path, cache: Path, read: Callable[[Path], list[Read]]) -> list[Read]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    kept = cache / f"{path.stem}-{digest}.json.gz"
    if kept.is_file():
        with gzip.open(kept, "rt", encoding="utf-8") as file:
            return [(name, unpack_score(packed)) for name, packed in json.load(file)]
    result = read(path)
    cache.mkdir(parents=True, exist_ok=True)
    partial = kept.with_name(f"{kept.name}.{os.getpid()}.tmp")
    with gzip.open(partial, "wt", encoding="utf-8", compresslevel=5) as file:
        json.dump([(name, pack_score(score)) for name, score in result], file, separators=(",", ":"))
    partial.replace(kept)
    return result


def read_abc_file(path: Path) -> list[Read]:
    """(tune number, melody) of each tune of an ABC file; a tune that no Score carries up to the line before that."""
    result: list[Read] = []
    for text in re.split(r"(?m)^(?=X:)", _text(path))[1:]:
        number = re.sub(r"\D", "", text.split("\n", 1)[0]) or "0"
        head, lines = _head_and_lines(text)

        def read(count: int, head: str = head, lines: list[str] = lines) -> Score:
            return read_abc(head + "\n".join(lines[:count]))

        try:
            score = _longest_read(read, 0, len(lines))
        except NotationError as error:
            _log.info("%s, tune %s left out: %s", path.name, number, error)
            continue
        if path.parent.name == "essenFolksong":
            # Essen's letters stand together whatever the beams, and its phrases end without the barline that is due.
            score = rebarred(score.without("beam"))
        result.append((_unused(number, result), without_slurs(score)))
    return result


def _head_and_lines(text: str) -> tuple[str, list[str]]:
    """A tune's head up to its K:, less those lines that are no field (a field's second line), and its body's lines."""
    head, _, body = text.partition("\nK:")
    key, _, music = body.partition("\n")
    fields = [line for line in head.splitlines() if re.match(r"[A-Za-z+]:", line)]
    return "\n".join([*fields, f"K:{key}", ""]), music.splitlines()


def _longest_read(read: Callable[[int], Score], least: int, count: int) -> Score:
    """`read(count)`, or of the longest beginning longer than `least` that can be read.

    Raises:
        NotationError: of `read(count)`, where no beginning with notes can be read.
    """
    try:
        return read(count)
    except NotationError as error:
        refusal = error
    good, bad, best = least, count, None
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            best, good = read(middle), middle
        except NotationError:
            bad = middle
    if best is None or not best.notes:
        raise refusal
    return best


def without_slurs(score: Score) -> Score:
    """Without the ties between different pitches: collections write slurs so."""
    elements = list(score.elements)
    for index, note in enumerate(elements):
        if isinstance(note, Note) and note.tie:
            following = score.tied_note(index)
            later = None if following is None else elements[following]
            if not isinstance(later, Note) or later.pitch != note.pitch:
                elements[index] = replace(note, tie=False)
    return Score(tuple(elements))


def rebarred(score: Score) -> Score:
    """With a barline wherever one is due in a measure longer than the meter, if a note begins there."""
    meter: TimeSignature | None = None
    since = Fraction(0)
    elements: list[Element] = []
    for element in score.elements:
        if isinstance(element, (Note, Rest)) and meter is not None and since == meter.quarters:
            elements.append(Barline())
            since = Fraction(0)
        if isinstance(element, Barline):
            since = Fraction(0)
        elif isinstance(element, TimeSignature):
            meter = element
        elif isinstance(element, (Note, Rest)):
            since += element.quarters
        elements.append(element)
    return Score(tuple(elements))


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _unused(number: str, result: list[Read]) -> str:
    names = {name for name, _ in result}
    while number in names:
        number += "b"
    return number


def read_musicxml_file(path: Path) -> list[Read]:
    """(part id, melody) of the parts of one staff: the first voice, up to the measure that no Score carries."""
    result: list[Read] = []
    for name, document in single_staff_parts(path):
        part = document.find("part")
        assert part is not None
        measures = list(part)[:MEASURES_A_PART]

        def read(count: int, document: Any = document, part: Any = part, measures: Any = measures) -> Score:
            part[:] = measures[:count]
            return read_musicxml(ElementTree.tostring(document, encoding="unicode"))

        try:
            result.append((name, without_slurs(_longest_read(read, 0, len(measures)))))
        except NotationError as error:
            _log.info("%s, part %s left out: %s", path.name, name, error)
    return result


def single_staff_parts(path: Path) -> Iterator[tuple[str, ElementTree.Element]]:
    """(part id, document of that part alone) for each part of pitched notes on one staff."""
    root = ElementTree.fromstring(_musicxml(path))
    parts = root.findall("part")
    for other in parts:
        root.remove(other)
    for part in parts:
        if part.find(".//staves") is None and part.find(".//pitch") is not None and part.find(".//unpitched") is None:
            document = ElementTree.Element(root.tag, root.attrib)
            document.append(part)
            for measure in part.iter("measure"):
                _keep_first_voice(measure)
            yield str(part.get("id")), document


def _keep_first_voice(measure: ElementTree.Element) -> None:
    """Of a measure with an ossia or a second stop, what stands before going back in time; of a chord its first note."""
    back = False
    for node in list(measure):
        back = back or node.tag == "backup"
        if (back and node.tag in ("backup", "forward", "note")) or node.find("chord") is not None:
            measure.remove(node)


def _musicxml(path: Path) -> bytes:
    if path.suffix != ".mxl":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        container = ElementTree.fromstring(archive.read("META-INF/container.xml"))
        inside = next(element.get("full-path") for element in container.iter() if element.tag.endswith("rootfile"))
        return archive.read(str(inside))
