"""Where the notes come from that `hfmusic build synthesized_instruments` plays, and what must not be among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hfmusic.data.note_files import NOTE_SUFFIXES, SCORE_SUFFIXES, Note, PlayedNote
from hfmusic.data.places import SOUND_SUFFIXES, find_places
from hfmusic.data.score_notes import read_played_apart
from hfmusic.data.shard_plans import SPLITS
from hfmusic.data.works import work_of

_LABELS = (*NOTE_SUFFIXES, *SCORE_SUFFIXES)
_RANK = {"test": 0, "validation": 1, "train": 2}


@dataclass(frozen=True)
class Piece:
    """What can be played. `split`: the one it has in a built dataset, or ""."""

    id: str
    work: str
    split: str
    notes: list[PlayedNote]


@dataclass(frozen=True)
class Source:
    """A folder of note files, or a built dataset, of which perhaps one split is meant.

    Attributes:
        shards: split -> Parquet files, empty for a folder of note files.
    """

    folder: Path
    shards: dict[str, list[Path]]

    @classmethod
    def parse(cls, text: str) -> Source:
        """FOLDER or FOLDER:SPLIT.

        Raises:
            ValueError: no such folder, or no such split in it.
        """
        name, colon, split = text.rpartition(":")
        only = split if colon and split in SPLITS else ""
        folder = Path(name if only else text).expanduser()
        if not folder.is_dir():
            raise ValueError(f"labels and works to leave out are folders, got {folder}")
        shards = {part: sorted(folder.rglob(f"{part}-*.parquet")) for part in ((only,) if only else SPLITS)}
        found = {part: paths for part, paths in shards.items() if paths}
        if not found and (only or any(folder.rglob("*.parquet"))):
            raise ValueError(f"no split {only or 'train, validation or test'} in {folder}")
        return cls(folder, found)

    def works(self) -> set[str]:
        """The compositions in it: of a folder of files, those that the names of sounds and note files tell."""
        if not self.shards:
            return {work_of(place.name.stem) for place in find_places(self.folder, (*_LABELS, *SOUND_SUFFIXES))}
        return {work for split in self.shards for work in self.works_of(split)}

    def works_of(self, split: str) -> set[str]:
        """The compositions in a split of a built dataset."""
        columns = [_table(path, ["work"]).column("work").to_pylist() for path in self.shards.get(split, [])]
        return {work for column in columns for work in column}

    def pieces(self, refused: list[str]) -> Iterator[Piece]:
        """The pieces in order; what cannot be read is added to `refused` by name.

        A composition that is in a built dataset several times with the same notes (MAPS plays one on two pianos) is one
        piece.
        """
        if not self.shards:
            yield from self._file_pieces(refused)
            return
        for split, paths in self.shards.items():
            known: set[int] = set()
            for path in paths:
                for row in _table(path, ["id", "work", "notes"]).to_pylist():
                    notes = [Note(**note) for note in row["notes"]]
                    if (key := hash(tuple(notes))) not in known:
                        known.add(key)
                        yield Piece(
                            f"{self.folder.name}/{row['id']}",
                            row["work"],
                            split,
                            [PlayedNote.of(note) for note in notes],
                        )

    def _file_pieces(self, refused: list[str]) -> Iterator[Piece]:
        paths = [path for path in sorted(self.folder.rglob("*")) if path.suffix.lower() in _LABELS and path.is_file()]
        for path, notes in read_played_apart(paths):
            if isinstance(notes, ValueError) or not notes:
                refused.append(str(path))
                continue
            name = path.relative_to(self.folder).with_suffix("").as_posix()
            yield Piece(f"{self.folder.name}/{name}", work_of(path.stem), "", notes)


def known_splits(sources: Sequence[Source]) -> dict[str, str]:
    """Work -> split of what built datasets have split already; test goes before validation, and that before train."""
    splits: dict[str, str] = {}
    for source in sources:
        for split in source.shards:
            for work in source.works_of(split):
                splits[work] = min(splits.get(work, split), split, key=lambda part: _RANK[part])
    return splits


def _table(path: Path, columns: list[str]) -> pa.Table:
    try:
        return pq.read_table(path, columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is no built dataset of recordings ({str(error).splitlines()[0]})") from None
