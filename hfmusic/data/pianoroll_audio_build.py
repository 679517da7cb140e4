"""`hfmusic build pianoroll_audio`: MIDI files and scores, played, with the beats kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hfmusic.data.building import build_folder
from hfmusic.data.cards import pianoroll_audio_card
from hfmusic.data.pianoroll_audio import PianorollAudioSettings, parse_transpose, write_pianoroll_audio_plan
from hfmusic.data.treatments import PARTS


def build_pianoroll_audio(
    out: str | Path,
    *,
    labels: Sequence[str | Path],
    exclude_works: Sequence[str | Path] = (),
    fonts: Sequence[str] | None = None,
    test_fonts: Sequence[str] = (),
    transpose: str = "-6..6",
    variations: int = 0,
    velocity: str = "as-is",
    augment: Sequence[str] = (),
    offsets: str = "sound",
    max_seconds: float | None = None,
    n: int | None = None,
    seed: int = 0,
    rows_per_shard: int = 16,
    num_proc: int = 2,
) -> dict[str, Any]:
    """Build piano rolls and their sound: see `PianorollAudioSettings` for the options."""
    settings = PianorollAudioSettings(
        labels=tuple(map(str, labels)),
        exclude_works=tuple(map(str, exclude_works)),
        fonts=tuple(fonts) if fonts is not None else None,
        test_fonts=tuple(test_fonts),
        transpose=parse_transpose(transpose),
        variations=variations,
        velocity=velocity,
        augment=PARTS if "all" in augment else tuple(augment),
        offsets=offsets,
        max_seconds=max_seconds,
        n=n,
        seed=seed,
        rows_per_shard=rows_per_shard,
    )
    from hfmusic.data.schema import PIANOROLL_AUDIO_FEATURES, parquet_schema

    rows = settings.rows()
    public = settings.public(rows)
    return build_folder(
        "pianoroll_audio",
        Path(out),
        public,
        plan=lambda folder: write_pianoroll_audio_plan(settings, rows, folder),
        rows=rows,
        schema=parquet_schema(PIANOROLL_AUDIO_FEATURES),
        card=lambda summary: pianoroll_audio_card(summary, public),
        num_proc=num_proc,
        unit="rendition",
        nothing=f"nothing to play in {', '.join(public['labels'])}",
    )
