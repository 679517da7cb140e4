"""Transcribers by the space of audio and piano rolls, where a transcriber of many voices is taken."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfmusic.hub import Loaded, load

if TYPE_CHECKING:
    from hfmusic.hearing.by_decoding import DecodingTranscriber
    from hfmusic.hearing.by_retrieval import RetrievalTranscriber

WAYS = ("retrieval", "decoding")
DEFAULT_DECODER = "audio-roll-decoder"


def transcriber_by(
    way: str, model: str | None = None, *, index: str | Path | None = None, tempo: float | None = None
) -> Loaded:
    """What `hfmusic.transcribe` and `evaluate_notes` take as a model of many voices.

    Args:
        way: "retrieval", rolls looked up in an index; or "decoding", rolls built from the shared space.
        model: as `hfmusic.load` takes it. None: for retrieval the one that made the index.
        index: for retrieval: what `hfmusic index --rolls` made.
        tempo: quarters a minute; None: the beats are tracked.

    Raises:
        ValueError: another way, no index where one is needed, or a model of another kind; one sentence.
    """
    hearing: Any
    if way == "retrieval":
        hearing = _by_retrieval(model, index, tempo)
    elif way == "decoding":
        if index is not None:
            raise ValueError("an index is for transcription by retrieval: decoding looks nothing up")
        hearing = _by_decoding(model, tempo)
    else:
        raise ValueError(f"a transcription is by {' or '.join(WAYS)}, got {way!r}")
    return Loaded(hearing, hearing)


def _by_retrieval(model: str | None, index: str | Path | None, tempo: float | None) -> RetrievalTranscriber:
    from hfmusic.hearing.by_retrieval import RetrievalTranscriber
    from hfmusic.hearing.roll_space import roll_space
    from hfmusic.retrieval.index import SnippetIndex

    if index is None:
        raise ValueError("transcription by retrieval needs --index, which `hfmusic index MIDI --rolls` makes")
    opened = SnippetIndex.open(index)
    return RetrievalTranscriber(opened, roll_space(model or opened.model), tempo=tempo)


def _by_decoding(model: str | None, tempo: float | None) -> DecodingTranscriber:
    from hfmusic.hearing.by_decoding import DecodingTranscriber

    return DecodingTranscriber(load(model or DEFAULT_DECODER), tempo=tempo)
