"""A picture and a recording of the same staves, read apart and fused: what it is worth (`hfmusic evaluate --fuse`)."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hfmusic
from hfmusic.evaluate import Readings, error_rates, read_split, write_metrics
from hfmusic.symbolic.fusion import EYE_AND_EAR, FusionConfig, Reading, calibrate, fuse

if TYPE_CHECKING:
    from hfmusic.hub import Loaded


def evaluate_fused(
    eye: str,
    pictures: str | Path,
    ear: str,
    sounds: str | Path,
    *,
    split: str = "test",
    image: str = "image",
    fit: str | None = None,
    out: str | Path | None = None,
    method: str | None = None,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Measure two models alone and fused, on the staves that both datasets have by id.

    Args:
        eye, ear: models that read pictures and that hear, as `hfmusic.load` takes them.
        pictures, sounds: datasets or folders of pairs, as `evaluate` takes them.
        image: column of the pictures.
        fit: a split to calibrate the fusion on, such as "validation"; None: `EYE_AND_EAR` as it comes.
        out: a `metrics.json` to write or add to.

    Returns:
        Rows as `evaluate`'s, three times: `system` "eye", "ear" and "fused".

    Raises:
        ValueError: as `evaluate`; or no staff is in both.
    """
    from hfmusic.hub import load

    models = load(eye), load(ear)
    config = EYE_AND_EAR
    if fit is not None:
        a, b = _read_both(models, pictures, sounds, fit, image, method)
        config = calibrate(list(zip(_readings(a), _readings(b), strict=True)), a.references)
        print(f"fusion fitted on {fit}: {json.dumps(asdict(config))}", file=sys.stderr)
    a, b = _read_both(models, pictures, sounds, split, image, method)
    words = ["hfmusic", "evaluate", eye, str(pictures), "--split", split, "--image", image]
    words += ["--method", method] if method else []
    words += ["--fuse", ear, "--fuse-data", str(sounds)] + (["--fit", fit] if fit else []) + ["--seed", str(seed)]
    about = {
        "dataset": f"{Path(pictures).name}+{Path(sounds).name}",
        "split": split,
        "n": len(a.ids),
        "scale": "staves in both",
        "seed": seed,
        "command": shlex.join(words),
        "date": datetime.now(UTC).date().isoformat(),
        "version": hfmusic.__version__,
        "image": image,
        "method": method or "default",
        "model": f"{eye}+{ear}",
    }
    rows = []
    for system, readings in {"eye": a, "ear": b, "fused": fused_readings(a, b, config)}.items():
        rows += [{**row, **about, "system": system} for row in error_rates(readings, heard=system == "ear")]
    if out is not None:
        write_metrics(out, rows)
    return rows


def fused_readings(a: Readings, b: Readings, config: FusionConfig) -> Readings:
    """Readings of the same staves in the same order, fused."""
    fused = Readings(list(a.ids), list(a.references))
    for one, other in zip(_readings(a), _readings(b), strict=True):
        tokens, confidences = fuse(*one, *other, config=config)
        fused.predictions.append(tokens)
        fused.confidences.append(confidences)
    return fused


def _read_both(
    models: tuple[Loaded, Loaded], pictures: str | Path, sounds: str | Path, split: str, image: str, method: str | None
) -> tuple[Readings, Readings]:
    """Both readings of the staves with ids and texts in common, in the order of the pictures."""
    a, _ = read_split(
        models[0], pictures, split=split, image=image, method=method or models[0].processor.default_method
    )
    b, _ = read_split(
        models[1], sounds, split=split, image="audio", method=method or models[1].processor.default_method
    )
    places = {stave: place for place, stave in enumerate(b.ids)}
    shared = [
        (place, places[stave])
        for place, stave in enumerate(a.ids)
        if stave in places and a.references[place] == b.references[places[stave]]
    ]
    if not shared:
        raise ValueError(f"{pictures} and {sounds} have no staff in common by id in {split}")
    return _taken(a, [pair[0] for pair in shared]), _taken(b, [pair[1] for pair in shared])


def _taken(readings: Readings, places: list[int]) -> Readings:
    return Readings(
        [readings.ids[place] for place in places],
        [readings.references[place] for place in places],
        [readings.predictions[place] for place in places],
        [readings.confidences[place] for place in places],
        readings.failures,
    )


def _readings(readings: Readings) -> list[Reading]:
    return [Reading(*pair) for pair in zip(readings.predictions, readings.confidences, strict=True)]
