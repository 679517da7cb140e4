"""The numbers of paper 003: tables 2 and 3, and the medians of figure 7."""

from __future__ import annotations

# Table 2, audio to sheet among 11,821 candidates, by cell: R@1, R@10 and R@25 in percent, and the median rank.
TABLE_2: dict[str, tuple[float, float, float, float]] = {
    "tempo": (0.37, 3.73, 7.05, 771),
    "fonts": (0.75, 6.26, 11.52, 559),
    "audio": (0.87, 8.23, 15.29, 332),
    "scaling": (0.75, 5.60, 10.14, 524),
    "dy": (0.91, 6.57, 12.21, 449),
    "dx": (0.44, 3.66, 7.19, 808),
    "sheet": (0.70, 5.72, 11.03, 496),
    "none": (0.33, 2.88, 5.71, 1042),
    "full": (1.70, 11.67, 21.17, 168),
}
CANDIDATES = 11_821
RANDOM = (0.00, 0.03, 0.21, 5923)
# Table 3, by cell: of 26 pieces, those ranked first, second, third, and later.
TABLE_3: dict[str, tuple[int, int, int, int]] = {"none": (4, 7, 1, 14), "full": (24, 2, 0, 0)}
# Figure 7: medians of the alignment error in page widths.
FIGURE_7 = {"linear": 0.213, "dtw": 0.041}
