"""Tunes out of the ABC files that music21 ships and out of MusicXML files, each file read once and kept.

ABC is read in milliseconds a tune; MusicXML goes through music21, a second a part. What was read is kept as JSON in a
cache folder, one file a source file, written whole or not at all, so a broken-off reading continues. The folder is
`cache_dir`, or $HFMUSIC_CACHE, or ~/.cache/hfmusic.
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
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

from tqdm.auto import tqdm

from hfmusic.symbolic.abc_tune import read_abc_tune
from hfmusic.symbolic.music21_part import part_to_score
from hfmusic.symbolic.score import NotationError, Score

from .corpora import Tune
from .incipits import incipits, with_shared_works
from .primus_rows import pack_score, unpack_score

# Raise when reading changes: older caches are then read no more.
READER_VERSION = 1
CORPORA = ("essenFolksong", "airdsAirs", "oneills1850", "ryansMammoth")
# Test files of the corpus, and a second transcription of tunes that stand in another file already.
_LEFT_OUT = re.compile(r"test\w*\.abc|\d+-\d+_mh\.abc")
INCIPITS_A_TUNE, INCIPITS_A_PART = 3, 8

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
    """(tune number, melody) of each tune of an ABC file, up to the measure that a Score does not carry."""
    result: list[Read] = []
    # Essen's letters stand together whatever the beams.
    beams = path.parent.name != "essenFolksong"
    for text in re.split(r"(?m)^(?=X:)", _text(path))[1:]:
        number = re.sub(r"\D", "", text.split("\n", 1)[0]) or "0"
        try:
            score = read_abc_tune(text, partial=True, beams=beams)
        except NotationError as error:
            _log.info("%s, tune %s left out: %s", path.name, number, error)
            continue
        result.append((_unused(number, result), score))
    return result


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
    """(part id, melody) of the parts of one staff and one voice; the others are left out before music21 sees them."""
    from music21 import converter

    result: list[Read] = []
    for name, text in single_staff_parts(path):
        try:
            parts = converter.parseData(text, format="musicxml").parts
            result.append((name, part_to_score(parts[0], partial=True)))
        except Exception as error:
            _log.info("%s, part %s left out: %s: %s", path.name, name, type(error).__name__, error)
    return result


def single_staff_parts(path: Path) -> Iterator[tuple[str, str]]:
    """(part id, MusicXML of that part alone) for each part of pitched notes without a second staff."""
    text = _musicxml(path)
    for part in ElementTree.fromstring(text).findall("part"):
        if part.find(".//staves") is not None or part.find(".//pitch") is None or part.find(".//unpitched") is not None:
            continue
        name = str(part.get("id"))
        yield name, _part_alone(text, name)


def _part_alone(text: bytes, name: str) -> str:
    """The document without other parts, and without what a Score has no place for: words, directions, layout."""
    root = ElementTree.fromstring(text)
    part_list = root.find("part-list")
    for parent in (root, *([] if part_list is None else [part_list])):
        for child in [c for c in parent if c.tag in ("part", "score-part", "part-group") and c.get("id") != name]:
            parent.remove(child)
    for parent in root.iter():
        for child in [c for c in parent if c.tag in ("lyric", "direction", "harmony", "print", "credit")]:
            parent.remove(child)
    return ElementTree.tostring(root, encoding="unicode")


def _musicxml(path: Path) -> bytes:
    if path.suffix != ".mxl":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        container = ElementTree.fromstring(archive.read("META-INF/container.xml"))
        inside = next(element.get("full-path") for element in container.iter() if element.tag.endswith("rootfile"))
        return archive.read(str(inside))
