"""The numbers of paper 001's tables 1 to 3: precision, recall and F1 on MAPS and on GuitarSet, by network."""

from __future__ import annotations

Numbers = dict[str, dict[str, tuple[float, float, float]]]


def _table(rows: dict[str, tuple[float, ...]]) -> Numbers:
    return {cell: {"maps": row[:3], "guitarset": row[3:]} for cell, row in rows.items()}  # type: ignore[dict-item]


FRAME = _table(
    {
        "maps": (0.745, 0.697, 0.718, 0.714, 0.712, 0.703),
        "guitarset": (0.535, 0.375, 0.434, 0.900, 0.832, 0.863),
        "synthesized": (0.673, 0.362, 0.439, 0.732, 0.394, 0.489),
        "synthesized-maps": (0.810, 0.656, 0.722, 0.781, 0.644, 0.692),
        "synthesized-guitarset": (0.533, 0.412, 0.460, 0.876, 0.873, 0.873),
        "guitarset-maps": (0.765, 0.656, 0.704, 0.710, 0.698, 0.692),
        "maps-guitarset": (0.528, 0.424, 0.466, 0.860, 0.884, 0.870),
    }
)
NOTE = _table(
    {
        "maps": (0.630, 0.663, 0.642, 0.615, 0.708, 0.646),
        "guitarset": (0.232, 0.234, 0.229, 0.795, 0.733, 0.754),
        "synthesized": (0.494, 0.414, 0.423, 0.589, 0.534, 0.537),
        "synthesized-maps": (0.655, 0.690, 0.669, 0.678, 0.754, 0.701),
        "synthesized-guitarset": (0.215, 0.250, 0.227, 0.751, 0.747, 0.740),
        "guitarset-maps": (0.624, 0.682, 0.648, 0.588, 0.741, 0.642),
        "maps-guitarset": (0.242, 0.239, 0.236, 0.767, 0.733, 0.740),
    }
)
NOTE_OFFSET = _table(
    {
        "maps": (0.406, 0.428, 0.414, 0.246, 0.298, 0.265),
        "guitarset": (0.062, 0.061, 0.060, 0.583, 0.554, 0.564),
        "synthesized": (0.236, 0.191, 0.198, 0.102, 0.104, 0.100),
        "synthesized-maps": (0.423, 0.445, 0.432, 0.221, 0.260, 0.236),
        "synthesized-guitarset": (0.063, 0.072, 0.066, 0.547, 0.556, 0.548),
        "guitarset-maps": (0.392, 0.428, 0.407, 0.236, 0.312, 0.264),
        "maps-guitarset": (0.071, 0.070, 0.069, 0.574, 0.566, 0.566),
    }
)
# Tables 1, 2 and 3, by the level of `hfmusic.metrics.notes` that they measure.
TABLES: dict[str, Numbers] = {"frame": FRAME, "note": NOTE, "note_offset": NOTE_OFFSET}
