"""Scores to engrave: files in folders and of music21's corpus, and which composition each is of."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pyarrow.parquet as pq

from hfmusic.render.score_files import SHEET_SUFFIXES, Heading, read_score_file, score_heading

# Composers whose folders of music21's corpus hold scores of several staves.
MUSIC21_COMPOSERS = ("bach", "beethoven", "chopin", "corelli", "haydn", "mozart", "schubert", "schumann_robert")
_CATALOGUES = (
    re.compile(r"\bk(?:\.|v\.?)?[ -]*(\d+\w?)\b"),
    re.compile(r"\b(?:op|opus)\.?[ -]*(\d+\w?)(?:[, -]*no\.?[ -]*(\d+))?"),
    re.compile(r"\bhob\.? ?([ivx]+)[:.-]? ?(\d+)\b"),
)
_OPUS_FOLDER = re.compile(r"^opus(\d+)(?:no(\d+))?")
_CHORALE = re.compile(r"^bwv\d+\w?(?:\.\d+)?")  # what follows is another transcription of it
_LETTERS = "koh"  # what stands before a number of each of the catalogues


@dataclass(frozen=True)
class ScorePiece:
    """A score's file.

    Attributes:
        piece: its name, among all files that are built together.
        work: the composition; splits are made by it.
        source: "openscore-lieder", "openscore-quartets", "music21" or "folder".
    """

    path: Path
    piece: str
    work: str
    source: str


def folder_pieces(folder: str | Path, refused: list[str] | None = None) -> Iterator[ScorePiece]:
    """The scores in a folder, at any depth, by name.

    Args:
        refused: gets a sentence on each file that cannot be read.

    Raises:
        ValueError: no such folder, or no score in it.
    """
    root = Path(folder).expanduser()
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in SHEET_SUFFIXES) if root.is_dir() else []
    if not paths:
        raise ValueError(f"{root} must be a folder of scores ({', '.join(SHEET_SUFFIXES)})")
    for path in paths:
        try:
            text = read_score_file(path)
        except ValueError as error:
            if refused is not None:
                refused.append(str(error))
            continue
        name = path.relative_to(root).with_suffix("").as_posix()
        opened = "OpenScore" in text[:20_000] and path.parent.name in ("lieder", "quartets")
        source = f"openscore-{path.parent.name}" if opened else "folder"
        yield ScorePiece(path, f"{root.name}/{name}", work_of_heading(score_heading(text), name), source)


def music21_pieces(composers: Iterable[str]) -> Iterator[ScorePiece]:
    """The scores of some composers in music21's corpus, as its folders have them; one that is there in two forms once.

    Raises:
        ValueError: a composer that is not there.
    """
    found = find_spec("music21")
    assert found is not None and found.origin is not None  # a dependency
    root = Path(found.origin).parent / "corpus"
    for composer in composers:
        if not composer.isidentifier() or not (root / composer).is_dir():
            raise ValueError(f"music21 must be among {', '.join(MUSIC21_COMPOSERS)}, got {composer!r}")
        scores = [path for path in sorted((root / composer).rglob("*")) if path.suffix.lower() in SHEET_SUFFIXES]
        for name, path in {path.relative_to(root / composer).with_suffix(""): path for path in scores}.items():
            work = f"{composer.split('_')[0]}-{_folder_number(path.relative_to(root / composer).parts[0])}"
            yield ScorePiece(path, f"music21/{composer}/{name.as_posix()}", work, "music21")


def _folder_number(name: str) -> str:
    """The work that a file or folder of the corpus is of: the movements of one are one work."""
    if chorale := _CHORALE.match(name):
        return slug(chorale[0])
    opus = _OPUS_FOLDER.match(name)
    return "-".join(["o" + opus[1], *filter(None, opus.groups()[1:])]) if opus else slug(Path(name).stem)


def work_of_heading(heading: Heading, name: str) -> str:
    """The composition that a score's heading tells, or its file's name.

    A song is known by its composer and title, other music by its number in a catalogue where it has one: the same in
    different collections.

    >>> work_of_heading(Heading("Die Kränze", "Johannes Brahms", "4 Gesänge, Op.46"), "lc5084888")
    'brahms-die-kranze'
    >>> title = "String Quartet No.17 in B-flat major, K.458 (Op. 10, No. 3)"
    >>> work_of_heading(Heading(title, "Wolfgang Amadeus Mozart", title), "sq7353137")
    'mozart-k458'
    """
    composer = heading.composer.split(",")[0] if "," in heading.composer else heading.composer
    words = slug(composer).split("-")
    surname = words[0] if "," in heading.composer else words[-1]
    if not heading.title or not surname:
        return f"file-{slug(name)}"
    if heading.title != heading.work:
        return f"{surname}-{slug(heading.title)}"
    for letter, catalogue in zip(_LETTERS, _CATALOGUES, strict=True):
        if number := catalogue.search(heading.title.lower()):
            return "-".join([surname, letter + number[1], *filter(None, number.groups()[1:])])
    return f"{surname}-{slug(heading.title)}"


def slug(text: str) -> str:
    """Letters and digits of a name in lower case, joined by hyphens.

    >>> slug("Ständchen, Op. 17")
    'standchen-op-17'
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return "-".join(re.findall(r"[a-z0-9]+", plain.lower()))


def works_in(folder: str | Path) -> set[str]:
    """The compositions in a built dataset of sheet_audio (FOLDER, or FOLDER:SPLIT), or in a folder of scores.

    Raises:
        ValueError: no such folder, or neither of both in it.
    """
    name, colon, split = str(folder).rpartition(":")
    only = split if colon and split in ("train", "validation", "test") else "*"
    root = Path(name if only != "*" else folder).expanduser()
    shards = sorted(root.rglob(f"{only}-*.parquet")) if root.is_dir() else []
    if not shards:
        return {piece.work for piece in folder_pieces(root)}
    return {work for shard in shards for work in pq.read_table(shard, columns=["work"]).column("work").to_pylist()}
