"""The shipped checkpoint on a real guitar and its microphone."""

from __future__ import annotations

from pathlib import Path

import pytest

from hfmusic.transcribe import transcribe


def test_a_real_guitar(data_dir: Path) -> None:
    """Chords at 129 quarters a minute in E flat: no single melody, but tempo and key are there to be heard."""
    found = transcribe(data_dir / "guitarset" / "audio_mic" / "00_BN1-129-Eb_comp_mic.wav")
    assert found.tempo == pytest.approx(129, rel=0.04)
    assert "keySignature-EbM" in found.tokens
    assert len(found.score.notes) > 50


def test_a_clip_in_which_nobody_plays(data_dir: Path) -> None:
    with pytest.raises(ValueError, match="no music in .*: it is silent"):
        transcribe(data_dir / "guitarset" / "audio_mic" / "03_BN3-119-G_solo_mic.wav")
