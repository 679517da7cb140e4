"""Checks on data that may not ship: `pytest tests/local --data-dir DIR`, never collected without being named.

DIR holds `primus/pairs` (N.png, N.semantic), `primus/converter_samples` (PrIMuS's converter's own output: .mei, .mid,
`verovio_pae.txt`) and `rism`. A check whose data DIR lacks fails: nothing is skipped.
"""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--data-dir", type=Path, help="folder of the data that may not ship")


@pytest.fixture(scope="session")
def data_dir(request: pytest.FixtureRequest) -> Path:
    folder = request.config.getoption("--data-dir")
    if folder is None or not folder.is_dir():
        pytest.fail(f"tests/local needs --data-dir DIR, a folder that is there, got {folder}")
    return folder
