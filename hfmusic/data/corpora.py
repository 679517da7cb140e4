"""Where tunes come from: RISM's incipits (in the package), music21's corpus, OpenScore songs, PrIMuS itself.

Every iterator gives its tunes in the same order on every machine. `work` names the source work: `split_of(work)`.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from hfmusic.symbolic.pae import read_pae
from hfmusic.symbolic.score import NotationError, Score
from hfmusic.symbolic.semantic import read_semantic

from .incipits import with_shared_works

PRIMUS_SUFFIXES = {
    "image": (".png",),
    "distorted": ("_distorted.jpg", "_distorted.png"),
    "semantic": (".semantic",),
    "agnostic": (".agnostic",),
    "mei": (".mei",),
    "midi": (".mid", ".midi"),
}


@dataclass(frozen=True)
class Tune:
    """A melody of a source work.

    Attributes:
        id: unique over all sources.
        work: the source work, what splits are made by.
        source: "rism", "music21", "openscore", "primus" or "generated".
        files: of a PrIMuS item: image, distorted, semantic, agnostic, mei, midi, as far as they are there.
    """

    id: str
    work: str
    score: Score
    source: str
    files: dict[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Refusal:
    """A source item that is no tune, and why."""

    id: str
    reason: str
    detail: str


def rism_tunes(refused: list[Refusal] | None = None) -> Iterator[Tune]:
    """The 1,410 incipits of RISM (CC BY 3.0) that the package holds, in catalogue order, less those no Score carries.

    Args:
        refused: a list that those are added to.

    Works are RISM sources, joined where they hold the same melody.
    """
    tunes, seen = [], dict[str, int]()
    for row in _rism_rows():
        name = f"rism-{row['rism_id']}-{row['incipit'].replace('.', '_')}"
        seen[name] = seen.get(name, 0) + 1
        identifier = name if seen[name] == 1 else f"{name}-{seen[name]}"
        try:
            score = read_pae(clef=row["clef"], keysig=row["keysig"], timesig=row["timesig"], data=row["pae_data"])
        except NotationError as error:
            if refused is not None:
                refused.append(Refusal(identifier, error.reason, str(error)))
            continue
        tunes.append(Tune(identifier, f"rism:{row['rism_id']}", score, "rism"))
    yield from with_shared_works(tunes)


def _rism_rows() -> list[dict[str, str]]:
    text = files("hfmusic.data").joinpath("rism_pae_incipits.tsv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def music21_tunes(limit: int | None = None, *, cache_dir: str | Path | None = None) -> Iterator[Tune]:
    """Incipits cut from the monophonic tunes in the installed music21's own corpus (Essen, O'Neill, Ryan, Aird).

    Read once, at some 3 ms a tune; the results wait in `cache_dir` (see `music21_corpus`). Works are tunes, joined
    where they hold the same melody.

    Args:
        limit: stop after that many tunes of the corpus (each gives up to three incipits).
    """
    from .music21_corpus import read_tunes

    yield from read_tunes(limit, cache_dir)


def openscore_tunes(folder: str | Path, *, cache_dir: str | Path | None = None) -> Iterator[Tune]:
    """Incipits cut from the single-voice parts of the MusicXML files (.mxl, .musicxml) anywhere in a folder.

    Raises:
        ValueError: no such folder, or no MusicXML in it.
    """
    from .music21_corpus import read_parts

    yield from read_parts(_folder(folder), cache_dir)


def primus_folder(
    folder: str | Path, *, ids: str | Path | None = None, refused: list[Refusal] | None = None
) -> Iterator[Tune]:
    """PrIMuS or Camera-PrIMuS as it is downloaded: ID/ID.semantic with ID.png, ID_distorted.jpg, ...

    A flat folder (ID.semantic beside ID.png) works too. Order is that of the ids, or of the id list.

    Args:
        ids: a text file, plain or .gz, with one PrIMuS id a line: only those, in its order.
        refused: a list that items are added to which cannot be read, or which `ids` has and the folder not.

    Raises:
        ValueError: no such folder, or no .semantic in it.
    """
    root = _folder(folder)
    labels = {path.stem: path for path in sorted(root.rglob("*.semantic"))}
    if not labels:
        raise ValueError(f"no .semantic file in {root}: PrIMuS is unpacked as ID/ID.semantic, ID/ID.png ...")
    for identifier in sorted(labels, key=_natural) if ids is None else read_ids(ids):
        try:
            if identifier not in labels:
                raise NotationError("missing", f"{identifier} is not in {root}")
            score = read_semantic(labels[identifier].read_text(encoding="utf-8"))
        except (NotationError, UnicodeDecodeError) as error:
            if refused is not None:
                reason = error.reason if isinstance(error, NotationError) else "text"
                refused.append(Refusal(identifier, reason, str(error)))
            continue
        yield Tune(identifier, primus_work(identifier), score, "primus", _primus_files(labels[identifier]))


def read_ids(path: str | Path) -> list[str]:
    """The ids of a list, one a line, plain or .gz; a path before the id (`Corpus/ID`) is left out."""
    path = Path(path)
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        return [line.strip().rsplit("/", 1)[-1] for line in file if line.strip()]


def primus_work(identifier: str) -> str:
    """Work of a PrIMuS id: its RISM source, under the name `rism_tunes` has for it.

    >>> primus_work("000051652-1_2_1"), primus_work("7")
    ('rism:000051652', 'primus:7')
    """
    source, dash, _ = identifier.partition("-")
    return f"rism:{source}" if dash and source.isdigit() else f"primus:{identifier}"


def _primus_files(label: Path) -> dict[str, Path]:
    found = {}
    for kind, suffixes in PRIMUS_SUFFIXES.items():
        for suffix in suffixes:
            candidate = label.with_name(label.stem + suffix)
            if kind not in found and candidate.is_file():
                found[kind] = candidate
    return found


def _natural(identifier: str) -> tuple[int, str]:
    return (int(identifier), "") if identifier.isdigit() else (-1, identifier)


def _folder(folder: str | Path) -> Path:
    path = Path(folder)
    if not path.is_dir():
        raise ValueError(f"folder must exist, got {path}")
    return path
