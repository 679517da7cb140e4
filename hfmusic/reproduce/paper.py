"""The numbers of paper 000's tables 2 and 3, symbol error rates in percent, by cell."""

from __future__ import annotations

TABLE_2: dict[str, dict[str, float]] = {
    "omr": {"image": 9.6, "audio": 98.9},
    "amt": {"image": 331.2, "audio": 29.2},
    "i2a-na": {"image": 392.4, "audio": 28.6},
    "i2a-55": {"image": 198.2, "audio": 28.3},
    "i2a-45": {"image": 104.0, "audio": 40.3},
    "i2a-35": {"image": 87.2, "audio": 86.7},
    "i2a-25": {"image": 97.3, "audio": 93.9},
    "a2i-na": {"image": 5.3, "audio": 98.4},
    "a2i-55": {"image": 17.6, "audio": 97.6},
    "a2i-45": {"image": 41.1, "audio": 95.6},
    "a2i-35": {"image": 96.0, "audio": 96.0},
    "a2i-25": {"image": 96.0, "audio": 96.0},
}
_SIZES = (50, 75, 100, 250, 500, 1000)
_TABLE_3 = {
    "omr": ("image", (95.3, 95.2, 94.9, 63.6, 37.0, 23.7)),
    "a2i": ("image", (92.1, 89.7, 90.8, 79.5, 77.6, 49.9)),
    "amt": ("audio", (93.5, 56.7, 57.0, 45.9, 40.4, 37.5)),
    "i2a": ("audio", (64.0, 57.7, 53.6, 47.3, 41.9, 38.4)),
}
TABLE_3: dict[str, dict[str, float]] = {
    f"{name}-{size}": {domain: rate}
    for name, (domain, rates) in _TABLE_3.items()
    for size, rate in zip(_SIZES, rates, strict=True)
}
NUMBERS = TABLE_2 | TABLE_3
