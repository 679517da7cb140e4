"""No test leaves this machine: the Hub is a closed port of 127.0.0.1 until a test starts a server of its own."""

from __future__ import annotations

import os

os.environ["HF_ENDPOINT"] = "http://127.0.0.1:9"  # before anything of Hugging Face is imported
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Models of tests are tiny: threads gain nothing, and wait for each other where the machine is shared.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import settings  # noqa: E402

# The same examples each time: a change is judged by itself. `pytest --hypothesis-profile=default` looks for new ones.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")
