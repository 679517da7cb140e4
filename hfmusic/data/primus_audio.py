"""Staves heard: the settings and the plan of `hfmusic build primus_audio`.

The plan is that of `hfmusic build primus`, with the same tunes, ids, splits and order, so that rows of both join by
id; what curation leaves out is left out after it.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hfmusic.data.primus import SPLITS, PrimusSettings, write_plan
from hfmusic.data.primus_audio_rows import PrimusAudioRows, Voice, score_seconds
from hfmusic.data.primus_rows import unpack_score
from hfmusic.data.shards import Row
from hfmusic.files import write_atomic
from hfmusic.render.soundfonts import shipped_font


@dataclass(frozen=True)
class PrimusAudioSettings:
    """What a build of sounds depends on.

    Attributes:
        plan: the tunes, as of `hfmusic build primus`; `distorted` has no effect.
        fonts: FONT or FONT:PROGRAM each (see `Voice.parse`); a row's follows from seed and id. None: the shipped piano.
        test_fonts: those of the test split, for models that must hear an instrument they never heard.
        curate: leave out incipits with a multirest. The paper drops "samples containing long multi-rests" without
            saying how long; this is our reading.
        max_seconds: leave out what lasts longer on paper.
        expressive: see `PrimusAudioRows`.
        gain: FluidSynth's volume where `expressive` does not choose it; 0.2 is its command's.
    """

    plan: PrimusSettings = field(default_factory=PrimusSettings)
    fonts: tuple[str, ...] | None = None
    test_fonts: tuple[str, ...] = ()
    curate: bool = False
    max_seconds: float | None = None
    expressive: bool = False
    gain: float = 0.2

    def __post_init__(self) -> None:
        if self.fonts is not None and not self.fonts:
            raise ValueError("fonts must name one font at least")
        if self.max_seconds is not None and not self.max_seconds > 0:
            raise ValueError(f"max_seconds must be above 0, got {self.max_seconds}")
        if not 0 < self.gain <= 10:
            raise ValueError(f"gain must be above 0 and at most 10, got {self.gain}")

    def rows(self) -> PrimusAudioRows:
        """The maker of rows.

        Raises:
            ValueError: a font that is not here, or the same name and program twice.
        """
        voices = voices_of(self.fonts) if self.fonts is not None else (Voice(shipped_font(), "FluidR3_GM", 0),)
        return PrimusAudioRows(self.plan.seed, voices, voices_of(self.test_fonts), self.expressive, self.gain)

    def public(self, rows: PrimusAudioRows) -> dict[str, Any]:
        """The settings as build.json keeps them: fonts by name and content."""
        settings = self.plan.public()
        del settings["distorted"]
        return settings | {
            "fonts": [voice.public() for voice in rows.voices],
            "test_fonts": [voice.public() for voice in rows.test_voices],
            "curate": self.curate,
            "max_seconds": self.max_seconds,
            "expressive": self.expressive,
            "gain": self.gain,
        }


def voices_of(fonts: Sequence[str]) -> tuple[Voice, ...]:
    """The voices of FONT or FONT:PROGRAM texts.

    Raises:
        ValueError: a font that is not here, or the same name and program twice.
    """
    voices = tuple(map(Voice.parse, fonts))
    names = Counter((voice.name, voice.program) for voice in voices)
    twice = [f"{name}:{program}" for (name, program), count in names.items() if count > 1]
    if twice:
        raise ValueError(f"fonts must differ in name or program, got {twice[0]} twice")
    return voices


def write_audio_plan(settings: PrimusAudioSettings, folder: Path) -> dict[str, Any]:
    """Write the plan in `folder` as `hfmusic.data.primus.write_plan` does, without what curation leaves out."""
    plan = write_plan(settings.plan, folder)
    if not settings.curate and settings.max_seconds is None:
        return plan
    (folder / "plan.json").unlink()
    dropped, shards = Counter(plan["dropped"]), list[tuple[str, int]]()
    for split in SPLITS:
        names = [name for name, _ in plan["shards"] if name.startswith(f"{split}-")]
        kept = folder / f"{split}.kept"
        count = _keep(settings, [folder / f"{name}.jsonl" for name in names], kept, dropped)
        shards += _cut(kept, split, count, settings.plan.rows_per_shard)
        kept.unlink()
    curated: dict[str, Any] = {"dropped": dict(sorted(dropped.items())), "shards": shards}
    write_atomic(folder / "plan.json", json.dumps(curated))
    return curated


def _keep(settings: PrimusAudioSettings, paths: Sequence[Path], kept: Path, dropped: Counter[str]) -> int:
    """Move the items of some shard plans that stay into one file; returns how many."""
    count = 0
    with kept.open("wb") as file:
        for path in paths:
            with path.open("rb") as lines:
                for line in lines:
                    reason = _reason_to_drop(json.loads(line), settings)
                    if reason:
                        dropped[reason] += 1
                        continue
                    count += 1
                    file.write(line)
            path.unlink()
    return count


def _reason_to_drop(item: Row, settings: PrimusAudioSettings) -> str | None:
    if settings.curate and "multirest-" in item["semantic"]:
        return "curated: multirest"
    if settings.max_seconds is not None and score_seconds(unpack_score(item["score"])) > settings.max_seconds:
        return f"longer than {settings.max_seconds:g} s"
    return None


def _cut(kept: Path, split: str, count: int, size: int) -> Iterator[tuple[str, int]]:
    """Cut a file of items into shard plans beside it; gives their names and counts."""
    total = math.ceil(count / size)
    with kept.open("rb") as lines:
        for number in range(total):
            name, rows = f"{split}-{number:05d}-of-{total:05d}", min(size, count - number * size)
            with (kept.parent / f"{name}.jsonl").open("wb") as file:
                file.writelines(lines.readline() for _ in range(rows))
            yield name, rows
