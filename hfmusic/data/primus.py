"""Staves in PrIMuS's manner: which tunes go into which split and shard, and the row that each becomes.

A plan is made first, by one process and without drawing anything: tunes in a fixed order, their variations, texts that
two splits would share dropped, the rest shuffled by a hash. Rows then depend on their item and the seed alone.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from tqdm.auto import tqdm

from hfmusic.data.corpora import Tune, music21_tunes, openscore_tunes, primus_folder, rism_tunes
from hfmusic.data.courtesy import with_courtesy_accidentals
from hfmusic.data.generate import generated_tunes
from hfmusic.data.primus_rows import item_rng, pack_score
from hfmusic.data.shards import Row, Shard
from hfmusic.data.splits import split_of
from hfmusic.data.vary import vary
from hfmusic.symbolic.agnostic import write_agnostic
from hfmusic.symbolic.score import NotationError
from hfmusic.symbolic.semantic import in_vocabulary, semantic_text, write_semantic
from hfmusic.symbolic.vocabulary import load_vocabulary

SPLITS = ("train", "validation", "test")
SOURCES = ("rism", "music21", "openscore", "primus")
# A text that two splits share stays where it is needed most.
_RANK = {"train": 0, "validation": 1, "test": 2}


@dataclass(frozen=True)
class PrimusSettings:
    """What a build depends on.

    Attributes:
        n: rows to plan, None for all. The first n in the order of the sources, so that a small build is quick.
        variations: copies of each training tune that `vary` changes (key, clef, note values ...).
        generated: tunes drawn from RISM's statistics, training only.
        distorted: also make the distorted image; without it the column is empty.
        data_dir: folder of the sources "primus" and "openscore".
    """

    n: int | None = None
    seed: int = 0
    sources: tuple[str, ...] = ("rism", "music21")
    generated: int = 0
    variations: int = 0
    distorted: bool = True
    rows_per_shard: int = 500
    data_dir: str | None = None

    def __post_init__(self) -> None:
        unknown = [source for source in self.sources if source not in SOURCES]
        if unknown:
            raise ValueError(f"sources must be among {', '.join(SOURCES)}, got {', '.join(map(repr, unknown))}")
        for name, least in (("n", 1), ("generated", 0), ("variations", 0), ("rows_per_shard", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        needy = [source for source in self.sources if source in ("openscore", "primus")]
        if needy and not self.data_dir:
            raise ValueError(f"source {needy[0]!r} needs data_dir, the folder it lies in")

    def public(self) -> dict[str, Any]:
        """The settings as build.json keeps them: no path of this machine, only the folder's name."""
        return asdict(self) | {
            "data_dir": Path(self.data_dir).name if self.data_dir else None,
            "sources": list(self.sources),
        }


def source_tunes(settings: PrimusSettings) -> Iterator[Tune]:
    """The tunes of all sources in their order, without variations."""
    folder = settings.data_dir or ""
    readers: dict[str, Callable[[], Iterator[Tune]]] = {
        "rism": rism_tunes,
        "music21": music21_tunes,
        "openscore": lambda: openscore_tunes(folder),
        "primus": lambda: primus_folder(folder),
    }
    for source in settings.sources:
        yield from readers[source]()
    if settings.generated:
        yield from generated_tunes(settings.generated, settings.seed)


def tune_split(tune: Tune) -> str:
    """Split of a tune by its source work; generated tunes only train."""
    return "train" if tune.source == "generated" else split_of(tune.work)


def plan_items(settings: PrimusSettings, dropped: Counter[str]) -> Iterator[Row]:
    """Items of the tunes and their variations in order, with their texts; `dropped` counts the refused by reason."""
    for tune in source_tunes(settings):
        split = tune_split(tune)
        if tune.source == "generated":
            rng = item_rng(settings.seed, tune.id, "courtesy")
            tune = replace(tune, score=with_courtesy_accidentals(tune.score, rng))
        item = _item(tune, split, dropped)
        if item is None:
            continue
        yield item
        copies = settings.variations if split == "train" and not getattr(tune, "files", None) else 0
        for number in range(1, copies + 1):
            identifier = f"{tune.id}-v{number}"
            try:
                varied = vary(tune, item_rng(settings.seed, identifier, "vary"))
            except ValueError as error:
                dropped[f"vary: {getattr(error, 'reason', type(error).__name__)}"] += 1
                continue
            score = with_courtesy_accidentals(varied.score, item_rng(settings.seed, identifier, "courtesy"))
            item = _item(replace(tune, id=identifier, score=score), split, dropped)
            if item is not None:
                yield item


def _item(tune: Tune, split: str, dropped: Counter[str]) -> Row | None:
    try:
        semantic, agnostic = write_semantic(tune.score), write_agnostic(tune.score)
    except NotationError as error:
        dropped[error.reason] += 1
        return None
    if not (in_vocabulary(semantic) and all(token in load_vocabulary("agnostic") for token in agnostic)):
        dropped["out of vocabulary"] += 1
        return None
    return {
        "id": tune.id,
        "work": tune.work,
        "source": tune.source,
        "split": split,
        "semantic": semantic_text(semantic),
        "agnostic": semantic_text(agnostic),
        "score": pack_score(tune.score),
    }


def write_plan(settings: PrimusSettings, folder: Path) -> dict[str, Any]:
    """Write the plan: `folder`/SPLIT-NNNNN.jsonl for each shard, and plan.json. Returns plan.json's content.

    Memory grows by a few hundred bytes an item: texts are compared by digest and items wait on disk.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    dropped: Counter[str] = Counter()
    candidates = folder / "candidates.jsonl"
    with candidates.open("wb") as file:
        kept = _distinct(plan_items(settings, dropped), settings.n, file, dropped)
    plan: dict[str, Any] = {"dropped": dict(sorted(dropped.items())), "shards": []}
    with candidates.open("rb") as file:
        for split in SPLITS:
            offsets = sorted((order, offset) for part, order, offset in kept.values() if part == split)
            plan["shards"] += _write_shard_plans(split, offsets, file, folder, settings)
    candidates.unlink()
    partial = folder / "plan.json.tmp"
    partial.write_text(json.dumps(plan), encoding="utf-8")
    partial.replace(folder / "plan.json")
    return plan


def plan_shards(plan: dict[str, Any], folder: Path, data: Path) -> list[Shard]:
    """The shards of a plan."""
    return [Shard(folder / f"{name}.jsonl", data / f"{name}.parquet", count) for name, count in plan["shards"]]


def _distinct(
    items: Iterator[Row], n: int | None, file: BinaryIO, dropped: Counter[str]
) -> dict[bytes, tuple[str, bytes, int]]:
    """Write items to `file`; returns semantic digest -> (split, shuffling key, offset), one for each distinct text."""
    kept: dict[bytes, tuple[str, bytes, int]] = {}
    identifiers: set[bytes] = set()
    for item in tqdm(items, desc="plan", unit="tune", total=n, mininterval=1.0):
        order = _digest(item["id"])
        if order in identifiers:
            raise ValueError(f"two tunes of the sources have the id {item['id']!r}")
        identifiers.add(order)
        text = _digest(item["semantic"])
        rival = kept.get(text)
        if rival is not None:
            same = rival[0] == item["split"]
            dropped["duplicate" if same else "in another split"] += 1
            if _RANK[rival[0]] >= _RANK[item["split"]]:
                continue
        kept[text] = (item["split"], order, file.tell())
        file.write(json.dumps(item, separators=(",", ":")).encode() + b"\n")
        if n is not None and len(kept) == n:
            break
    return kept


def _write_shard_plans(
    split: str, offsets: list[tuple[bytes, int]], candidates: BinaryIO, folder: Path, settings: PrimusSettings
) -> list[tuple[str, int]]:
    total = math.ceil(len(offsets) / settings.rows_per_shard)
    shards = []
    for number in range(total):
        chunk = offsets[number * settings.rows_per_shard : (number + 1) * settings.rows_per_shard]
        name = f"{split}-{number:05d}-of-{total:05d}"
        with (folder / f"{name}.jsonl").open("wb") as file:
            for _, offset in chunk:
                candidates.seek(offset)
                file.write(candidates.readline())
        shards.append((name, len(chunk)))
    return shards


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]
