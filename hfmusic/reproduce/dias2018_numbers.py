"""The numbers of paper 004: table 2."""

from __future__ import annotations

# By cell: R@1, R@25 (shares), MRR, median rank, TM. Printed for a base of 2000; the public code's held 672.
TABLE_2: dict[str, tuple[float, float, float, float, float]] = {
    "paper": (0.0015, 0.037, 0.01, 336, 0.02),
    "untrained": (0.0015, 0.035, 0.01, 324, 0.033),
}
CANDIDATES = 672
