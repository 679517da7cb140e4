"""A child process that works on one request at a time, and that may die of one: Verovio ends its process on some texts.

Requests and answers are pickles: they pass between this process and its own child only.
"""

from __future__ import annotations

import atexit
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import IO, Any

_LENGTH_BYTES = 8


class ChildProcess:
    """Lives on from request to request and is started again after it dies. `ask` may be called from several threads."""

    def __init__(self, module: str) -> None:
        """`module` is run by its name and calls `serve`."""
        self.module = module
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def ask(self, request: Any, timeout_s: float, about: str = "") -> Any:
        """The child's answer.

        Args:
            timeout_s: seconds that it may take.
            about: what to say of the request if the child dies of it.

        Raises:
            ValueError: the child's work failed, it died, or it took too long.
        """
        with self._lock:
            process = self._running()
            expired = threading.Event()

            def expire() -> None:
                expired.set()
                process.kill()

            timer = threading.Timer(timeout_s, expire)
            timer.start()
            try:
                answer = _exchange(process, request)
            finally:
                timer.cancel()
            if answer is None:
                raise ValueError(self._cause(process, expired.is_set(), timeout_s) + about)
        failed, content = answer
        if failed:
            raise ValueError(content)
        return content

    def close(self) -> None:
        """Ends the child process; a later `ask` starts another."""
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
                [sys.executable, "-m", self.module],
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


def own_child(module: str) -> ChildProcess:
    """This process's child of a module, which ends with it: a forked copy must not speak into its parent's pipe."""
    return _child(module, os.getpid())


@cache
def _child(module: str, process_id: int) -> ChildProcess:
    child = ChildProcess(module)
    atexit.register(child.close)
    return child


def serve(work: Callable[[Any], Any]) -> None:
    """The child: requests from standard input, an answer each to what was standard output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not mix with answers
    while (request := _read(sys.stdin.buffer)) is not None:
        try:
            answer = (False, work(request))
        except Exception as error:  # the parent raises it for this one request
            answer = (True, str(error) or type(error).__name__)
        _write(answers, answer)


def _exchange(process: subprocess.Popen[bytes], request: Any) -> tuple[bool, Any] | None:
    """Whether the work failed, and its result or the complaint; None if the child died."""
    assert process.stdin is not None and process.stdout is not None
    try:
        _write(process.stdin, request)
    except OSError:
        return None
    answer: tuple[bool, Any] | None = _read(process.stdout)
    return answer


def _write(stream: IO[bytes], content: Any) -> None:
    data = pickle.dumps(content)
    stream.write(len(data).to_bytes(_LENGTH_BYTES, "little") + data)
    stream.flush()


def _read(stream: IO[bytes]) -> Any:
    """What the other side wrote, or None where it ends."""
    head = stream.read(_LENGTH_BYTES)
    length = int.from_bytes(head, "little")
    body = stream.read(length)
    return pickle.loads(body) if len(head) == _LENGTH_BYTES and len(body) == length else None
