"""`hfmusic build sheet_audio`: engraved scores and their sound, with every notehead joined to its onset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hfmusic.data.building import build_folder
from hfmusic.data.cards import sheet_audio_card
from hfmusic.data.sheet_audio import ENGRAVINGS, TEMPO, SheetAudioSettings, write_sheet_audio_plan


def build_sheet_audio(
    out: str | Path,
    *,
    scores: Sequence[str | Path] = (),
    music21: Sequence[str] = (),
    msmd: Sequence[str | Path] = (),
    exclude_works: Sequence[str | Path] = (),
    fonts: Sequence[str] | None = None,
    draw_fonts: bool = False,
    test_fonts: Sequence[str] = (),
    tempo: Sequence[float] = TEMPO,
    variations: int = 0,
    engravings: Sequence[str] = ENGRAVINGS,
    layout: str = "pages",
    expressive: bool = False,
    max_seconds: float | None = None,
    n: int | None = None,
    seed: int = 0,
    rows_per_shard: int = 16,
    num_proc: int = 2,
) -> dict[str, Any]:
    """Build engraved scores and their sound: see `SheetAudioSettings` for the options."""
    settings = SheetAudioSettings(
        scores=tuple(map(str, scores)),
        music21=tuple(music21),
        msmd=tuple(map(str, msmd)),
        exclude_works=tuple(map(str, exclude_works)),
        fonts=tuple(fonts) if fonts is not None else None,
        draw_fonts=draw_fonts,
        test_fonts=tuple(test_fonts),
        tempo=tuple(float(factor) for factor in tempo),
        variations=variations,
        engravings=tuple(engravings),
        layout=layout,
        expressive=expressive,
        max_seconds=max_seconds,
        n=n,
        seed=seed,
        rows_per_shard=rows_per_shard,
    )
    from hfmusic.data.schema import SHEET_AUDIO_FEATURES, parquet_schema

    rows = settings.rows()
    public = settings.public(rows)
    return build_folder(
        "sheet_audio",
        Path(out),
        public,
        plan=lambda folder: write_sheet_audio_plan(settings, rows, folder),
        rows=rows,
        schema=parquet_schema(SHEET_AUDIO_FEATURES),
        card=lambda summary: sheet_audio_card(summary, public),
        num_proc=num_proc,
        unit="rendition",
        nothing="no score to engrave: all of them are left out",
    )
