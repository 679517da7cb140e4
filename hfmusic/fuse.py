"""A picture and a recording of the same music, read and heard, into one score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hfmusic.hearing.polyphonic import Listening
from hfmusic.inputs import WORDS, Kind, ModelChoice, Models, kind_of
from hfmusic.transcribe import Transcription, hear, see

if TYPE_CHECKING:
    from hfmusic.symbolic.fusion import FusionConfig


def transcribe_pair(
    files: Sequence[str | Path],
    model: ModelChoice = None,
    *,
    method: str | None = None,
    tempo: float | None = None,
    config: FusionConfig | None = None,
    keep: bool = False,
) -> Transcription:
    """Read a picture and a recording of the same music, and make one reading of both.

    Args:
        files: one picture and one recording, in any order.
        model, tempo: as for `transcribe`; a model that takes both kinds reads both.
        method: as for `transcribe`; None: "greedy", whose confidences are what was seen and heard. "meter" infers bar
            lines, which the picture shows.
        keep: the picture is kept in the result's `pictures`.
        config: how the readings are fused, `hfmusic.symbolic.fusion.EYE_AND_EAR` by default.

    Raises:
        ValueError: not one picture and one recording, or see `transcribe`.
    """
    from rapidfuzz.distance import Levenshtein

    from hfmusic.hearing.tempo import convincing
    from hfmusic.symbolic.fusion import EYE_AND_EAR, Reading, fuse_readings

    kinds: list[Kind] = [kind_of(file) for file in files]
    if sorted(kinds) != ["audio", "image"]:
        given = " and ".join(f"a {WORDS[kind]}" for kind in kinds)
        raise ValueError(f"one picture and one recording are needed to fuse, got {given or 'nothing'}")
    method = method or "greedy"
    models = Models(model, kinds)
    seen = see(files[kinds.index("image")], models.of("image"), method, keep)
    if {models.of(kind).processor.encoding for kind in kinds} != {"semantic"}:
        raise ValueError("both models must read semantic tokens to be fused")
    heard = hear(
        files[kinds.index("audio")],
        models.of("audio"),
        method,
        Listening(tempo=tempo),
        alone=False,
        judge=lambda one, onsets: (
            convincing(one, onsets) * (0.1 + Levenshtein.normalized_similarity(seen.tokens, one.tokens))
        ),
    )
    eye, ear = (Reading(one.tokens, one.confidences) for one in (seen, heard))
    symbols = fuse_readings(eye, ear, config or EYE_AND_EAR)
    return Transcription(
        f"{seen.source} + {heard.source}",
        tuple(symbol.token for symbol in symbols),
        tuple(symbol.confidence for symbol in symbols),
        tuple(None if symbol.first is None else seen.spans[symbol.first] for symbol in symbols),
        tempo=heard.tempo,
        heard=tuple(None if symbol.second is None else heard.spans[symbol.second] for symbol in symbols),
        staves=seen.staves,
        boxes=tuple(None if symbol.first is None else seen.boxes[symbol.first] for symbol in symbols),
        pages=tuple(0 if symbol.first is None else seen.pages[symbol.first] for symbol in symbols),
        pictures=seen.pictures,
    )
