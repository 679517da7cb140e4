"""The piece of MSMD that score followers pass around: its 228 noteheads load, each with the note it looks like."""

from __future__ import annotations

from pathlib import Path

from hfmusic.data.msmd import msmd_pieces, read_msmd_sheet


def test_noteheads_of_the_sample(data_dir: Path) -> None:
    (piece,) = msmd_pieces(data_dir / "audio_sheet_sample")
    sheet = read_msmd_sheet(piece.path)
    assert len(sheet.notes) == 228 and len({note.onset_seconds for note in sheet.notes}) == 114
    assert [note.pitch_midi for note in sheet.notes[:5]] == [74, 73, 74, 79, 55]
    page = sheet.pages[0]
    assert page.shape == (200, 2968)
    assert (
        sum(
            page[int(note.y) - 1 : int(note.y) + 2, int(note.x) - 1 : int(note.x) + 2].min() < 128
            for note in sheet.notes
        )
        == 228
    )
    upper = [note for note in sheet.notes if note.staff == 1]
    for one, other in zip(upper, upper[1:], strict=False):  # what is higher by a third at least is printed higher
        if one.pitch_midi - other.pitch_midi > 3:
            assert one.y < other.y
