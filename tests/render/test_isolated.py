from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from hfmusic.render.engrave import EngravingStyle, engrave
from hfmusic.render.isolated import EngravingWorker, engrave_outside

TUNE = "X:1\nL:1/8\nK:D\nABcd|"
# An annotation that never ends: Verovio 6.4.1 reads past the line and ends the process (std::out_of_range).
ABORTS = 'X:1\nL:1/8\nK:D\nA"Am'


@pytest.fixture(scope="module")
def worker() -> Iterator[EngravingWorker]:
    worker = EngravingWorker()
    yield worker
    worker.close()


def test_gives_the_picture_that_this_process_would_draw():
    np.testing.assert_array_equal(engrave_outside(TUNE), engrave(TUNE))


def test_reads_plaine_and_easie_in_a_style():
    text = "@clef:C-1\n@keysig:bB\n@timesig:c\n@data:4CDEF/2G4Ar/\n"
    style = replace(EngravingStyle(), font="Bravura", ink_threshold=None)
    np.testing.assert_array_equal(engrave_outside(text, style), engrave(text, style))


def test_an_abort_costs_one_item(worker):
    before = worker.engrave(TUNE, EngravingStyle(), 30.0)
    with pytest.raises(ValueError, match=r"Verovio aborted \(SIGABRT\) on this text: 'X:1"):
        worker.engrave(ABORTS, EngravingStyle(), 30.0)
    np.testing.assert_array_equal(worker.engrave(TUNE, EngravingStyle(), 30.0), before)


def test_a_text_that_takes_too_long_costs_one_item(worker):
    worker.engrave(TUNE, EngravingStyle(), 30.0)
    os.kill(worker._process.pid, signal.SIGSTOP)  # stands for a text that never ends
    with pytest.raises(ValueError, match="Verovio took longer than 0.2 s on this text: 'X:1"):
        worker.engrave(TUNE, EngravingStyle(), 0.2)
    assert worker.engrave(TUNE, EngravingStyle(), 30.0).shape[0] > 72


def test_the_same_child_serves_text_after_text(worker):
    worker.engrave(TUNE, EngravingStyle(), 30.0)
    child = worker._process
    with pytest.raises(ValueError, match="Verovio cannot read this text: 'no music'"):
        worker.engrave("no music", EngravingStyle(), 30.0)
    worker.engrave(TUNE, EngravingStyle(), 30.0)
    assert worker._process is child


def test_an_empty_text_is_refused():
    with pytest.raises(ValueError, match="no music in an empty text"):
        engrave_outside(" \n")
