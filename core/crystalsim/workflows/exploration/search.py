"""Explorations: many trials of options, shared by processes, of which the best is kept.

The folder of an exploration holds ``exploration.toml``, the database of Optuna (``study.sqlite``),
solutions that trials with the same samples share, a folder for each trial, and what
`crystalsim.reports.exploration` writes. Processes need nothing but that folder in common; on
several machines its file system has to pass on locks, as SQLite asks too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...config.exploration import Exploration, Outcome, Span, best_outcome, label
from ...errors import CrystalsimError, StoreError
from ...options import read_toml, to_toml
from ...runtime.log import log_file, logger
from ...storage.claims import ANOTHER, differences
from ...storage.locks import is_locked, locked

if TYPE_CHECKING:
    import optuna

RETRIES = 3
"""Times that a trial is started again, so that one that kills its process does not for ever."""

_PAUSE = 1.0
_DRAW_EVERY = 60.0
_BUSY = 120.0


def explore(exploration: Exploration, folder: Path, *, workers: int = 1) -> list[Outcome]:
    """Run trials until as many are finished as the exploration asks for.

    Parameters
    ----------
    exploration
        What to search.
    folder
        Where everything goes. Processes that call this with the same folder share the work; what
        was interrupted goes on where it was.
    workers
        Processes of the solver.

    Returns
    -------
    list of Outcome
        All trials, by number.

    Raises
    ------
    StoreError
        If the folder holds another exploration; the message names what differs.
    OptionError
        If no evaluator of the run gives the metric.
    CrystalsimError
        If Optuna is not installed, or as many trials failed as were to be finished.
    """
    _check_optuna()
    import optuna

    from .trials import with_metric

    exploration = with_metric(exploration)
    _claim(exploration, folder)
    with log_file(folder / "explore.log"), warnings.catch_warnings():
        # Retries and PED-ANOVA are "experimental" in every version of Optuna that has them.
        warnings.filterwarnings("ignore", module="optuna")
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        return _Search(exploration, folder, workers).run()


def summary_text(exploration: Exploration, outcomes: Sequence[Outcome]) -> str:
    """How many trials came to what, and the best, in a few lines."""
    from .trials import with_metric

    exploration = with_metric(exploration)
    states = [outcome.state for outcome in outcomes]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    best = best_outcome(exploration, outcomes)
    if best is None:
        return f"{counts}; none is complete"
    lines = [counts, f"best: trial {best.number}, {exploration.metric} = {best.value:.4g}"]
    lines += [f"  {key} = {value}" for key, value in best.parameters.items()]
    return "\n".join(lines)


def _check_optuna() -> None:
    try:
        import optuna
    except ImportError:
        raise CrystalsimError(
            "explorations need Optuna: pip install 'crystalsim[explore]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # trials are told of here, by name


def _claim(exploration: Exploration, folder: Path) -> None:
    from ...storage.files import make_folder, write_text

    make_folder(folder)
    path = folder / "exploration.toml"
    if not path.is_file() and any(p.suffix not in (".lock", ".log") for p in folder.iterdir()):
        raise StoreError(f"{folder}: a folder that is not empty and holds no exploration")
    with locked(folder / "study.lock"):
        if path.is_file():
            old, new = read_toml(path), exploration.as_dict()
            # More trials, or another title, make no trial wrong that is there.
            free = {"trials": new["trials"], "title": new["title"]}
            if changed := differences({**old, **free}, new):
                raise StoreError(f"{folder} holds another exploration ({changed}); {ANOTHER}")
        write_text(path, to_toml(exploration.as_dict()))


class _Search:
    """What one process needs to take part in an exploration."""

    def __init__(self, exploration: Exploration, folder: Path, workers: int) -> None:
        from ...storage.files import make_folder
        from .trials import Judge

        self.exploration, self.folder = exploration, folder
        self.seed = exploration.config().seed
        self.drawn = 0.0
        self.judge = Judge(exploration, folder, workers)
        make_folder(folder / "trials")
        with locked(folder / "study.lock"):
            self.study = self._open_study()

    def run(self) -> list[Outcome]:
        """Run trials, alone or with others, until enough are finished."""
        from ...reports.exploration import write_figures, write_tables

        try:
            while self._next_trial():
                write_tables(self.exploration, self.study, self.folder)
                if time.monotonic() - self.drawn > _DRAW_EVERY:
                    write_figures(self.exploration, self.study, self.folder)
                    self.drawn = time.monotonic()
        finally:
            # Also after Ctrl-C, when there is something to show.
            outcomes = write_tables(self.exploration, self.study, self.folder)
        write_figures(self.exploration, self.study, self.folder)
        return outcomes

    def _open_study(self) -> optuna.Study:
        import optuna

        # A rollback journal, which is SQLite's default, also works in folders that machines
        # share; a write-ahead log does not. Processes that meet wait for each other.
        storage = optuna.storages.RDBStorage(
            f"sqlite:///{(self.folder / 'study.sqlite').resolve()}",
            engine_kwargs={"connect_args": {"timeout": _BUSY}},
        )
        few = min(5, max(1, self.exploration.trials // 4))
        return optuna.create_study(
            storage=storage,
            study_name="exploration",
            direction="maximize" if self.exploration.larger_is_better else "minimize",
            # The first epoch, with a small learning rate, says little.
            pruner=optuna.pruners.MedianPruner(n_startup_trials=few, n_warmup_steps=2),
            load_if_exists=True,
        )

    def _next_trial(self) -> bool:
        """Run a trial or wait a moment; False if enough are finished."""
        import optuna

        states = optuna.trial.TrialState
        held = contextlib.ExitStack()
        with held:
            held.enter_context(locked(self.folder / "study.lock"))
            self._revive()
            trials = self.study.get_trials(deepcopy=False)
            finished = [t for t in trials if t.state in (states.COMPLETE, states.PRUNED)]
            failed = [t for t in trials if "error" in t.user_attrs]
            running = [t for t in trials if t.state is states.RUNNING]
            wanted = self.exploration.trials
            if len(finished) >= wanted:
                return False
            if len(failed) >= wanted:
                reason = failed[-1].user_attrs["error"]
                raise CrystalsimError(f"{len(failed)} trials failed; the last one: {reason}")
            if len(finished) + len(running) < wanted:
                self.study.sampler = self._sampler(len(trials))
                self._run_trial(held)
                return True
        # Others are at the last trials. Should one of them be killed, its trial is ours.
        time.sleep(_PAUSE)
        return True

    def _sampler(self, existing: int) -> optuna.samplers.BaseSampler:
        """Sampler whose draws depend on the seed and the number of the trial alone.

        So that a process that goes on, or joins, does not draw the first trials again.
        """
        import numpy as np
        import optuna

        seed = int(np.random.SeedSequence((self.seed, existing)).generate_state(1)[0])
        startup = min(10, max(2, self.exploration.trials // 3))
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup, constant_liar=True)

    def _run_trial(self, held: contextlib.ExitStack) -> None:
        """Run one trial; the lock is held until its options are drawn."""
        import optuna

        alive = contextlib.ExitStack()

        def objective(trial: optuna.Trial) -> float:
            parameters = {key: self._suggest(trial, key) for key in self.exploration.search}
            where = trial.user_attrs.get("folder", f"{trial.number:04d}")
            trial.set_user_attr("folder", where)
            alive.enter_context(locked(self._lock(where)))
            held.close()
            shown = ", ".join(f"{key} = {value}" for key, value in parameters.items())
            logger.info("trial %d: %s", trial.number, shown)
            place = self.folder / "trials" / where
            try:
                value = self.judge.train(parameters, place, functools.partial(self._after, trial))
            except optuna.TrialPruned:
                logger.info("trial %d is poor and ends early", trial.number)
                raise
            except Exception as error:
                text = " ".join(str(error).split()) or type(error).__name__
                trial.set_user_attr("error", text)
                logger.warning("trial %d failed: %s", trial.number, text)
                raise
            logger.info("trial %d: %s = %.4g", trial.number, self.exploration.metric, value)
            return value

        with alive:
            self.study.optimize(objective, n_trials=1, catch=(Exception,))

    def _revive(self) -> None:
        """Queue trials that were killed or stopped, so that they go on where they were.

        Who runs a trial holds its lock, which a kill releases at once: unlike signs of life in
        the database, this needs no patience and no clocks that agree.
        """
        import optuna

        again = optuna.storages.RetryHeartbeatStaleTrialCallback(
            max_retry=RETRIES, inherit_intermediate_values=True
        )
        states = optuna.trial.TrialState
        for trial in self.study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            # Without a folder it was killed within the lock of the study, which is ours now.
            where = trial.user_attrs.get("folder")
            if where is None or not is_locked(self._lock(where)):
                self.study.tell(trial.number, state=states.FAIL)
        trials = self.study.get_trials()
        heirs = {number for t in trials for number in t.system_attrs.get("retry_history", [])}
        for trial in trials:
            stopped = trial.state is states.FAIL and "error" not in trial.user_attrs
            if stopped and trial.number not in heirs:
                again(self.study, trial)

    def _lock(self, where: str) -> Path:
        return self.folder / "trials" / f"{where}.lock"

    def _suggest(self, trial: optuna.Trial, key: str) -> Any:
        dimension = self.exploration.search[key]
        if not isinstance(dimension, Span):
            values: dict[Any, Any] = {label(value): value for value in dimension}
            return values[trial.suggest_categorical(key, list(values))]
        low, high, log, step = dataclasses.astuple(dimension)
        if dimension.whole:
            return trial.suggest_int(key, low, high, log=log, step=step or 1)
        return trial.suggest_float(key, low, high, log=log, step=step)

    def _after(
        self, trial: optuna.Trial, epoch: int, error: float | None, comparable: bool, last: bool
    ) -> None:
        """Report an epoch, and end a poor trial; one that is trained anyway is also judged."""
        trial.set_user_attr("epochs", epoch)
        trial.set_user_attr("comparable", comparable)
        import optuna

        if error is None:
            return
        # Any other error than the metric is better when it is low.
        opposite = self.exploration.larger_is_better and not comparable
        trial.report(-error if opposite else error, epoch)
        if not last and trial.should_prune():
            raise optuna.TrialPruned
