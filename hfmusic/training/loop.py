"""The one training loop: a task's batches in, checkpoints, a log and a model folder out."""

from __future__ import annotations

import ctypes
import logging
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import nn
from tqdm.auto import tqdm

from hfmusic.training.checkpoint import (
    RunLog,
    checkpoint_folder,
    checkpoint_folders,
    prune,
    replace_folder,
    write_folder,
)
from hfmusic.training.config import OptimizerConfig, TrainingConfig
from hfmusic.training.schedule import AveragedWeights, Plateau, learning_rate_factor, progress_of
from hfmusic.training.task import StepLoss, Task, make_task

logger = logging.getLogger(__name__)
MAX_BAD_STEPS = 20
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of malloc.h


@dataclass
class Position:
    """Where a training is; part of a checkpoint. `seconds` is time spent in the loop, over all its calls."""

    step: int = 0
    seconds: float = 0.0
    bad_steps: int = 0
    best: float = float("inf")
    best_step: int = -1

    def state_dict(self) -> dict[str, Any]:
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


def set_up_device(config: TrainingConfig) -> Accelerator:
    """The accelerator of a recipe: "auto" is bf16 where the GPU or the CPU computes in it, else float32. CPU threads
    are all cores."""
    mode = config.mixed_precision
    if mode == "auto":
        mode = "bf16" if has_bfloat16() else "no"
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    keep_memory()
    torch.set_flush_denormal(True)  # LSTM gates near zero make denormals, which CPUs compute ten times slower
    return Accelerator(mixed_precision=mode)


def keep_memory() -> None:
    """Have glibc keep what is freed: every step asks for the same again, and the kernel would clear it each time, which
    took up to a third of the time (benchmarks/precision.md). Elsewhere nothing happens."""
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def has_bfloat16() -> bool:
    """Whether what is trained on computes in bfloat16 by itself: most GPUs, and CPUs with AVX512-BF16 or AMX, for which
    a step takes half its time. Other CPUs imitate it, many times slower."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    known: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


@contextmanager
def _denormals_restored() -> Iterator[None]:
    """Others in this process count on denormals, which `set_up_device` turned off."""
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def make_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Adam or AdamW, fused where the device has it; no weight decay on biases and normalisation."""
    learned = [weight for weight in model.parameters() if weight.requires_grad]
    decayed = [weight for weight in learned if weight.ndim > 1]
    spared = [weight for weight in learned if weight.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": spared, "weight_decay": 0.0}]
    kind = torch.optim.AdamW if config.name == "adamw" else torch.optim.Adam
    fused = next(model.parameters()).device.type in ("cpu", "cuda")
    return kind(groups, lr=config.lr, betas=config.betas, eps=config.eps, fused=fused)


def mean_losses(losses: list[StepLoss]) -> dict[str, float]:
    """Means over steps: `loss`, and `loss/PART` of each part that the last step has."""
    means = {"loss": torch.stack([one.total for one in losses]).float().mean().item()}
    for name in losses[-1].parts:
        found = [one.parts[name] for one in losses if name in one.parts]
        means[f"loss/{name}"] = torch.stack(found).float().mean().item()
    return means


class Training:
    """A run of a recipe: `run()` trains to the end, to a limit of minutes or to a signal, and exports the model."""

    def __init__(self, config: TrainingConfig, *, resume: bool = False, max_minutes: float | None = None) -> None:
        self.config, self.max_minutes = config, max_minutes
        self.folder = config.run_dir
        checkpoints = checkpoint_folders(self.folder)
        if checkpoints and not resume:
            raise ValueError(f"{self.folder} holds a training already: resume it, or give this one another name")
        self.accelerator = set_up_device(config)
        torch.manual_seed(config.seed)
        self.task: Task = make_task(config, self.accelerator)
        model = self.task.model
        self.average = AveragedWeights(model, config.ema_decay)
        self.position = Position()
        self.model, self.optimizer = self.accelerator.prepare(model, make_optimizer(model, config.optimizer))
        self.accelerator.register_for_checkpointing(self.average, self.position)
        self.plateau = Plateau() if config.schedule.kind == "plateau" else None
        if self.plateau is not None:
            if self.accelerator.num_processes > 1:
                raise ValueError("a recipe with schedule.kind plateau trains in one process, got several")
            self.accelerator.register_for_checkpointing(self.plateau)
        torch.manual_seed(config.seed + 1 + self.accelerator.process_index)
        if checkpoints:
            self.accelerator.load_state(str(checkpoints[-1]))
            logger.info("resumed at step %d", self.position.step)
        self.log = RunLog(self.folder / "log.jsonl", self.position.step if checkpoints else None)
        self.stop_requested = False
        self.losses: list[StepLoss] = []

    @property
    def plain_model(self) -> nn.Module:
        return self.accelerator.unwrap_model(self.model)

    @property
    def minutes(self) -> float:
        """Minutes in the loop, over all calls of this run."""
        return self.position.seconds / 60

    def run(self) -> Path:
        """Train, save, export; the run's folder."""
        config, position = self.config, self.position
        if self.accelerator.is_main_process:
            (self.folder / "train_config.json").write_text(config.to_json(), encoding="utf-8")
            self.task.start(self.folder)
        first, started, before = position.step, time.monotonic(), position.seconds
        # by_time: minutes are the whole run's, so that a resumed one ends its decay on time; else they are this call's
        spent_before = 0.0 if config.schedule.by_time else before
        rank, world = self.accelerator.process_index, self.accelerator.num_processes
        batches = self.task.batches(start=first, rank=rank, world=world)
        bar = tqdm(
            total=config.max_steps, initial=first, desc=config.name, disable=not self.accelerator.is_main_process
        )
        board = self._tensorboard()
        last_logged = (first, started)
        with self._signals(), _denormals_restored():
            while position.step < config.max_steps and not self._time_is_up(spent_before):
                self._step(next(batches))
                position.seconds = before + time.monotonic() - started
                bar.update()
                if position.step % config.log_every == 0:
                    last_logged = self._report(bar, board, last_logged)
                if position.step % config.evaluate_every == 0 or position.step == config.max_steps:
                    self._evaluate(board)
                    position.seconds = before + time.monotonic() - started
                if position.step % config.save_every == 0:
                    self._save()
        bar.close()
        self._finish(board)
        return self.folder

    def _step(self, batch: dict[str, Any]) -> None:
        """One optimizer step at the learning rate of this moment."""
        config, position = self.config, self.position
        progress = progress_of(config.schedule, position.step, config.max_steps, self.minutes, self.max_minutes)
        rate = config.optimizer.lr * learning_rate_factor(config.schedule, progress, position.step)
        rate *= self.plateau.factor if self.plateau is not None else 1.0
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.model.train()
        with self.accelerator.autocast():
            loss = self.task.loss(self.model, batch, progress)
        self.accelerator.backward(loss.total)
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), config.clip_norm)
        if config.clip_value is not None:
            self.accelerator.clip_grad_value_(self.model.parameters(), config.clip_value)
        if torch.isfinite(norm):
            self.optimizer.step()
            self.average.update(self.plain_model)
            position.bad_steps = 0
        elif self.accelerator.scaler is not None:  # fp16 finds its scale by such steps
            self.optimizer.step()
        else:  # one item, such as a stave that cannot be spelled in its frames, must not end a night's training
            position.bad_steps += 1
            told = (position.step, self.task.items, ", ".join(batch["ids"]))
            logger.warning("step %d: gradient not finite, skipped; %s %s", *told)
            if position.bad_steps >= MAX_BAD_STEPS:
                raise FloatingPointError(f"the gradient was not finite for {MAX_BAD_STEPS} steps in a row")
        self.optimizer.zero_grad(set_to_none=True)
        self.losses.append(StepLoss(loss.total.detach(), {name: part.detach() for name, part in loss.parts.items()}))
        position.step += 1

    def _time_is_up(self, spent_before: float) -> bool:
        late = self.max_minutes is not None and self.position.seconds - spent_before >= 60 * self.max_minutes
        stop = [late or self.stop_requested, self.position.seconds]
        if self.accelerator.num_processes > 1:  # all processes must agree on the clock
            broadcast_object_list(stop)
            self.position.seconds = float(stop[1])
        return bool(stop[0])

    def _report(self, bar: Any, board: Any, last: tuple[int, float]) -> tuple[int, float]:
        now, step = time.monotonic(), self.position.step
        losses = mean_losses(self.losses)
        self.losses.clear()
        batch = self.config.batch_size * self.accelerator.num_processes
        entry = {
            **{name: round(value, 5) for name, value in losses.items()},
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "samples_per_second": round((step - last[0]) * batch / max(now - last[1], 1e-9), 2),
            "minutes": round(self.minutes, 3),
        }
        best = "-" if self.position.best_step < 0 else f"{self.position.best:.2f}"
        bar.set_postfix({"loss": f"{losses['loss']:.3f}", self.task.monitor: best})
        self._record(board, entry)
        return step, now

    def _record(self, board: Any, entry: dict[str, float]) -> None:
        if not self.accelerator.is_main_process:
            return
        self.log.write(step=self.position.step, **entry)
        for name, value in entry.items() if board else ():
            board.add_scalar(name, value, self.position.step)

    def _evaluate(self, board: Any) -> None:
        """Validate the averaged weights; keep them in `best/` when they are the best so far."""
        if not self.config.validation:
            return
        model, position, monitor = self.plain_model, self.position, self.task.monitor
        self.average.swap(model)
        results: dict[str, float] = {}
        better = False
        if self.accelerator.is_main_process:
            results = self.task.validate(model)
            self._record(board, {**results, "minutes": round(self.minutes, 3)})
            tqdm.write(f"step {position.step}: " + ", ".join(f"{k} {v:.2f}" for k, v in results.items()))
            better = monitor in results and results[monitor] <= position.best
            if better:
                position.best, position.best_step = results[monitor], position.step
                write_folder(self.folder / "best", self._keep_best)
        self.average.swap(model)
        if self.plateau is not None and monitor in results and self.plateau.judge(self.config.schedule, better):
            self._return_to_best()
        self.stop_requested |= self.plateau is not None and self.plateau.over
        self.accelerator.wait_for_everyone()

    def _keep_best(self, folder: Path) -> None:
        weights = {name: value.detach().cpu() for name, value in self.plain_model.state_dict().items()}
        torch.save(weights, folder / "weights.pt")
        if self.plateau is not None:
            torch.save(self.optimizer.state_dict(), folder / "optimizer.pt")

    def _return_to_best(self) -> None:
        """The best weights, and the state that the optimiser had with them."""
        best = self.folder / "best"
        self.plain_model.load_state_dict(torch.load(best / "weights.pt", weights_only=True))
        self.optimizer.load_state_dict(torch.load(best / "optimizer.pt", weights_only=True))

    def _save(self) -> None:
        folder = checkpoint_folder(self.folder, self.position.step)
        partial = folder.with_name(folder.name + ".partial")
        if self.accelerator.is_main_process:
            shutil.rmtree(partial, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        self.accelerator.save_state(str(partial))
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            replace_folder(partial, folder)
            prune(self.folder, self.config.total_limit)

    def _finish(self, board: Any) -> None:
        """The last evaluation, the last checkpoint, and the best weights as a model folder."""
        self._save()  # first: a second signal may come
        if self.position.step % self.config.evaluate_every and self.position.step < self.config.max_steps:
            self._evaluate(board)
            self._save()
        if board:
            board.close()
        if not self.accelerator.is_main_process:
            return
        best = self.folder / "best" / "weights.pt"
        if best.is_file():
            self.plain_model.load_state_dict(torch.load(best, weights_only=True))
        else:
            self.average.swap(self.plain_model)
        write_folder(self.folder / "model", lambda folder: self.task.export(folder, self.plain_model, self.log.path))

    def _tensorboard(self) -> Any:
        if not (self.config.tensorboard and self.accelerator.is_main_process):
            return None
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self.folder / "tensorboard"), purge_step=self.position.step)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGTERM and Ctrl-C end the loop after the step at hand; a second one acts as usual."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

        def stop(number: int, _: Any) -> None:
            self.stop_requested = True
            signal.signal(number, before[signal.Signals(number)])

        for number in before:
            signal.signal(number, stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
