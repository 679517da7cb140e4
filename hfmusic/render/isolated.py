"""Engraving of text from outside (Plaine & Easie, ABC, MEI, MusicXML, Humdrum) where an abort costs one item.

Verovio ends its process on some texts (`A"Am` in an ABC tune does: std::out_of_range). Such text is engraved in a child
process that lives on from item to item and is started again after it dies.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from functools import cache

import numpy as np

from .engrave import EngravingStyle, engrave


def engrave_outside(text: str, style: EngravingStyle | None = None, *, timeout_s: float = 30.0) -> np.ndarray:
    """A picture of the staff that any text Verovio reads describes: uint8 (H, W), 255 = paper, 0 = ink.

    The child process starts with the first call (about half a second) and serves this process until it ends.

    Args:
        text: the notation; Verovio finds out which.
        style: PrIMuS's by default.
        timeout_s: seconds that one text may take.

    Raises:
        ValueError: Verovio does not read the text, aborts on it, or takes too long.
    """
    return _worker(os.getpid()).engrave(text, style or EngravingStyle(), timeout_s)


class EngravingWorker:
    """A child process that engraves one text at a time. `engrave` may be called from several threads."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def engrave(self, text: str, style: EngravingStyle, timeout_s: float) -> np.ndarray:
        """As `engrave_outside`."""
        if not text.strip():
            raise ValueError("there is no music in an empty text")
        request = json.dumps({"text": text, "style": asdict(style)}).encode() + b"\n"
        with self._lock:
            process = self._running()
            expired = threading.Event()

            def expire() -> None:
                expired.set()
                process.kill()

            timer = threading.Timer(timeout_s, expire)
            timer.start()
            try:
                answer = _ask(process, request)
            finally:
                timer.cancel()
            if answer is None:
                raise ValueError(self._cause(process, expired.is_set(), timeout_s) + f" on this text: {text[:80]!r}")
        if isinstance(answer, str):
            raise ValueError(answer)
        return answer

    def close(self) -> None:
        """Ends the child process; a later `engrave` starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with suppress(OSError):  # what was still to be written to a child that is gone
                        stream.close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            paths = os.pathsep.join(path for path in sys.path if path)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "hfmusic.render.isolated"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": paths},
            )
        return self._process

    def _cause(self, process: subprocess.Popen[bytes], expired: bool, timeout_s: float) -> str:
        code = process.wait()
        self.close()
        if expired:
            return f"Verovio took longer than {timeout_s:g} s"
        name = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return f"Verovio aborted ({name})"


def _ask(process: subprocess.Popen[bytes], request: bytes) -> np.ndarray | str | None:
    """The child's picture, its complaint, or None if it died."""
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(request)
        process.stdin.flush()
    except OSError:
        return None
    head = process.stdout.readline()
    if not head.endswith(b"\n"):
        return None
    answer = json.loads(head)
    if "error" in answer:
        return str(answer["error"])
    height, width = answer["shape"]
    data = process.stdout.read(height * width)
    if len(data) < height * width:
        return None
    return np.frombuffer(data, np.uint8).reshape(height, width).copy()


@cache
def _worker(process_id: int) -> EngravingWorker:
    """One worker for each process: a forked copy must not speak into its parent's pipe."""
    worker = EngravingWorker()
    atexit.register(worker.close)
    return worker


def _serve() -> None:
    """The child: a request a line from standard input, an answer each to what was standard output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not mix with answers
    for line in sys.stdin.buffer:
        request = json.loads(line)
        try:
            image = engrave(request["text"], EngravingStyle(**request["style"]))
        except Exception as error:  # the parent raises it for this one item
            answers.write(json.dumps({"error": str(error) or type(error).__name__}).encode() + b"\n")
        else:
            answers.write(json.dumps({"shape": image.shape}).encode() + b"\n" + image.tobytes())
        answers.flush()


if __name__ == "__main__":
    _serve()
