"""The verb `build`: the name of a dataset -> a folder of Parquet shards that `load_dataset` opens."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hfmusic.data.building import build_folder
from hfmusic.data.cards import guitarset_card, maps_card, primus_audio_card, primus_card, synthesized_card
from hfmusic.data.guitarset import GuitarsetSettings, write_guitarset_plan
from hfmusic.data.maps import MapsSettings, write_maps_plan
from hfmusic.data.pianoroll_audio_build import build_pianoroll_audio
from hfmusic.data.primus import ENCODINGS, PrimusSettings, write_plan
from hfmusic.data.primus_audio import PrimusAudioSettings, write_audio_plan
from hfmusic.data.primus_rows import PrimusRows
from hfmusic.data.sheet_audio_build import build_sheet_audio
from hfmusic.data.synthesized import AUGMENTATIONS, SynthesizedSettings, write_synthesized_plan


def build(name: str, out: str | Path, **options: Any) -> dict[str, Any]:
    """Build a dataset by name into a folder.

    Args:
        name: "primus", "primus_audio", "maps", "guitarset", "synthesized_instruments", "sheet_audio" or
            "pianoroll_audio".
        out: folder to write. A build that was killed continues there.
        options: those of the builder, see `build_primus`, `build_primus_audio`, `build_maps` ...

    Returns:
        Summary: rows of each split, failed and dropped items, seconds.

    Raises:
        ValueError: unknown dataset, bad option, or a folder with a build of other settings.
    """
    builders: dict[str, Callable[..., dict[str, Any]]] = {
        "primus": build_primus,
        "primus_audio": build_primus_audio,
        "maps": build_maps,
        "guitarset": build_guitarset,
        "synthesized_instruments": build_synthesized_instruments,
        "sheet_audio": build_sheet_audio,
        "pianoroll_audio": build_pianoroll_audio,
    }
    if name not in builders:
        raise ValueError(f"dataset must be one of {', '.join(builders)}, got {name!r}")
    known = inspect.signature(builders[name]).parameters
    strange = [option for option in options if option not in known]
    if strange:
        raise ValueError(f"{name} has no option {', '.join(strange)}")
    needed = [key for key, option in known.items() if option.default is option.empty and key not in ("out", *options)]
    if needed:
        raise ValueError(f"{name} needs {', '.join(needed)}")
    return builders[name](out, **options)


def build_primus(
    out: str | Path,
    *,
    n: int | None = None,
    seed: int = 0,
    data_dir: str | Path | None = None,
    sources: Sequence[str] | None = None,
    num_proc: int = 2,
    generated: int = 0,
    variations: int = 0,
    distorted: bool = True,
    rows_per_shard: int = 500,
    splits: str = "official",
    encodings: Sequence[str] = ENCODINGS,
) -> dict[str, Any]:
    """Build staves with labels in PrIMuS's manner: see `PrimusSettings` for the options and `build` for the summary.

    Without `sources`: genuine PrIMuS alone if `data_dir` holds it, OpenScore beside RISM and music21, or these two.
    """
    settings = PrimusSettings(
        n=n,
        seed=seed,
        sources=tuple(sources) if sources is not None else default_sources(data_dir),
        generated=generated,
        variations=variations,
        distorted=distorted,
        rows_per_shard=rows_per_shard,
        data_dir=str(data_dir) if data_dir is not None else None,
        splits=splits,
        encodings=tuple(encodings),
    )
    # Here, not above: `hfmusic --help` and the worker processes need no datasets.
    from hfmusic.data.schema import PRIMUS_FEATURES, parquet_schema

    public = settings.public()
    return build_folder(
        "primus",
        Path(out),
        public,
        plan=lambda folder: write_plan(settings, folder),
        rows=PrimusRows(seed, distorted),
        schema=parquet_schema(PRIMUS_FEATURES),
        card=lambda summary: primus_card(summary, settings, public),
        num_proc=num_proc,
        nothing=_no_tune(public),
    )


def build_primus_audio(
    out: str | Path,
    *,
    n: int | None = None,
    seed: int = 0,
    data_dir: str | Path | None = None,
    sources: Sequence[str] | None = None,
    num_proc: int = 2,
    generated: int = 0,
    variations: int = 0,
    rows_per_shard: int = 500,
    splits: str = "official",
    encodings: Sequence[str] = ENCODINGS,
    fonts: Sequence[str] | None = None,
    test_fonts: Sequence[str] = (),
    paper: bool = False,
    curate: bool = False,
    max_seconds: float | None = None,
    expressive: bool = False,
    gain: float = 0.2,
) -> dict[str, Any]:
    """Build the staves of `build_primus` with the same settings as sound: see `PrimusAudioSettings` for the options.

    Args:
        paper: the paper's protocol: one piano font, the shipped FluidR3_GM, plainly played, curated.
    """
    if paper and (fonts is not None or test_fonts or expressive):
        raise ValueError("paper means one font, plainly played: without fonts, test_fonts and expressive")
    settings = PrimusAudioSettings(
        plan=PrimusSettings(
            n=n,
            seed=seed,
            sources=tuple(sources) if sources is not None else default_sources(data_dir),
            generated=generated,
            variations=variations,
            rows_per_shard=rows_per_shard,
            data_dir=str(data_dir) if data_dir is not None else None,
            splits=splits,
            encodings=tuple(encodings),
        ),
        fonts=tuple(fonts) if fonts is not None else None,
        test_fonts=tuple(test_fonts),
        curate=curate or paper,
        max_seconds=max_seconds,
        expressive=expressive,
        gain=gain,
    )
    from hfmusic.data.schema import PRIMUS_AUDIO_FEATURES, parquet_schema

    rows = settings.rows()
    public = settings.public(rows)
    return build_folder(
        "primus_audio",
        Path(out),
        public,
        plan=lambda folder: write_audio_plan(settings, folder),
        rows=rows,
        schema=parquet_schema(PRIMUS_AUDIO_FEATURES),
        card=lambda summary: primus_audio_card(summary, settings.plan, public),
        num_proc=num_proc,
        nothing=_no_tune(public),
    )


def _no_tune(public: dict[str, Any]) -> str:
    return f"no tune of the sources {', '.join(public['sources'])} can be written in PrIMuS's encodings"


def build_maps(
    out: str | Path,
    *,
    data_dir: str | Path,
    n: int | None = None,
    test_pianos: Sequence[str] = ("ENSTDkAm", "ENSTDkCl"),
    protocol: str = "leak-free",
    offsets: str = "sound",
    sampling_rate: int = 16000,
    rows_per_shard: int = 8,
    num_proc: int = 2,
) -> dict[str, Any]:
    """Build MAPS's pieces with their notes: see `MapsSettings` for the options, `hfmusic.data.maps` for the folder."""
    settings = MapsSettings(str(data_dir), tuple(test_pianos), protocol, n, sampling_rate, rows_per_shard, offsets)
    from hfmusic.data.schema import RECORDING_FEATURES, at_rate, parquet_schema

    public = settings.public()
    return build_folder(
        "maps",
        Path(out),
        public,
        plan=lambda folder: write_maps_plan(settings, folder),
        rows=settings.rows(),
        schema=parquet_schema(at_rate(RECORDING_FEATURES, sampling_rate)),
        card=lambda summary: maps_card(summary, public),
        num_proc=num_proc,
        unit="recording",
    )


def build_guitarset(
    out: str | Path,
    *,
    data_dir: str | Path,
    n: int | None = None,
    sound: str | None = None,
    sampling_rate: int = 16000,
    rows_per_shard: int = 16,
    num_proc: int = 2,
) -> dict[str, Any]:
    """Build GuitarSet: see `GuitarsetSettings` for the options and `hfmusic.data.guitarset` for the folder."""
    settings = GuitarsetSettings(str(data_dir), sound, n, sampling_rate, rows_per_shard)
    from hfmusic.data.schema import RECORDING_FEATURES, at_rate, parquet_schema

    public = settings.public()
    return build_folder(
        "guitarset",
        Path(out),
        public,
        plan=lambda folder: write_guitarset_plan(settings, folder),
        rows=settings.rows(),
        schema=parquet_schema(at_rate(RECORDING_FEATURES, sampling_rate)),
        card=lambda summary: guitarset_card(summary, public),
        num_proc=num_proc,
        unit="recording",
    )


def build_synthesized_instruments(
    out: str | Path,
    *,
    labels: Sequence[str | Path],
    exclude_works: Sequence[str | Path] = (),
    fonts: Sequence[str] | None = None,
    test_fonts: Sequence[str] = (),
    each_font: bool = False,
    variations: int = 0,
    augment: Sequence[str] = (),
    excerpt_seconds: float | None = None,
    max_seconds: float | None = None,
    n: int | None = None,
    splits: str = "work",
    offsets: str = "sound",
    seed: int = 0,
    sampling_rate: int = 16000,
    rows_per_shard: int = 32,
    num_proc: int = 2,
) -> dict[str, Any]:
    """Build notes played by FluidSynth: see `SynthesizedSettings` for the options."""
    settings = SynthesizedSettings(
        labels=tuple(map(str, labels)),
        exclude_works=tuple(map(str, exclude_works)),
        fonts=tuple(fonts) if fonts is not None else None,
        test_fonts=tuple(test_fonts),
        each_font=each_font,
        variations=variations,
        augment=AUGMENTATIONS if "all" in augment else tuple(augment),
        excerpt_seconds=excerpt_seconds,
        max_seconds=max_seconds,
        n=n,
        splits=splits,
        seed=seed,
        sampling_rate=sampling_rate,
        rows_per_shard=rows_per_shard,
        offsets=offsets,
    )
    from hfmusic.data.schema import SYNTHESIZED_FEATURES, at_rate, parquet_schema

    rows = settings.rows()
    public = settings.public(rows)
    return build_folder(
        "synthesized_instruments",
        Path(out),
        public,
        plan=lambda folder: write_synthesized_plan(settings, rows, folder),
        rows=rows,
        schema=parquet_schema(at_rate(SYNTHESIZED_FEATURES, settings.sampling_rate)),
        card=lambda summary: synthesized_card(summary, public),
        num_proc=num_proc,
        unit="sound",
        nothing=f"nothing to play in {', '.join(public['labels'])}",
    )


def default_sources(data_dir: str | Path | None) -> tuple[str, ...]:
    """The sources that a data folder speaks for."""
    if data_dir is None:
        return ("rism", "music21")
    folder = Path(data_dir)
    if not folder.is_dir():
        raise ValueError(f"data_dir must be a folder, got {folder}")
    if next(folder.rglob("*.mxl"), None):
        return ("rism", "music21", "openscore")
    if next(folder.rglob("*.semantic"), None):
        return ("primus",)
    raise ValueError(f"data_dir must hold PrIMuS (.semantic) or OpenScore (.mxl) files, got {folder}")
