"""What an exploration leaves: tables, the best configuration, figures and a page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.exploration import Exploration, Outcome, Span, best_outcome, label
from ..options import to_toml
from ..storage.files import write_text
from .html import figure, folded, page, paragraph, preformatted, section, table

if TYPE_CHECKING:
    import optuna

_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "RUNNING": "running", "WAITING": "waiting"}
_FEWEST = 4


def outcomes(exploration: Exploration, study: optuna.Study) -> list[Outcome]:
    """What came of each trial so far, by number."""
    made = []
    for trial in study.get_trials(deepcopy=False):
        error = str(trial.user_attrs.get("error", ""))
        state = _STATES.get(trial.state.name, "failed" if error else "interrupted")
        value = trial.value if state == "complete" else None
        if state == "pruned" and trial.intermediate_values:
            value = abs(trial.intermediate_values[max(trial.intermediate_values)])
        seconds = trial.duration.total_seconds() if trial.duration else None
        parameters = {
            key: _value(exploration, key, trial.params[key])
            for key in exploration.search
            if key in trial.params
        }
        epochs = int(trial.user_attrs.get("epochs", 0))
        made.append(Outcome(trial.number, state, value, seconds, epochs, parameters, error))
    return made


def importance(exploration: Exploration, study: optuna.Study) -> dict[str, float]:
    """Share of each option in how good trials are (PED-ANOVA, Watanabe et al. 2023).

    Empty where too few trials are complete to tell.
    """
    import optuna

    done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len(done) < _FEWEST:
        return {}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.25)
    try:
        found = optuna.importance.get_param_importances(
            study, evaluator=evaluator, params=list(exploration.search)
        )
    except (RuntimeError, ValueError):  # all trials alike
        return {}
    return {key: float(value) for key, value in found.items()}


def write_tables(exploration: Exploration, study: optuna.Study, folder: Path) -> list[Outcome]:
    """Write ``trials.csv``, ``importance.csv`` and, once a trial is complete, ``best.toml``."""
    found = outcomes(exploration, study)
    keys = list(exploration.search)
    columns = ["trial", "state", exploration.metric, "seconds", "epochs", *keys, "error"]
    rows = [
        [
            outcome.number,
            outcome.state,
            outcome.value if outcome.state == "complete" else None,
            None if outcome.seconds is None else round(outcome.seconds, 3),
            outcome.epochs,
            *(label(outcome.parameters[k]) if k in outcome.parameters else None for k in keys),
            outcome.error,
        ]
        for outcome in found
    ]
    write_text(folder / "trials.csv", _as_csv([columns, *rows]))
    shares = importance(exploration, study)
    write_text(folder / "importance.csv", _as_csv([["option", "importance"], *shares.items()]))
    if best := best_outcome(exploration, found):
        write_text(folder / "best.toml", _best_text(exploration, best))
    return found


def write_figures(exploration: Exploration, study: optuna.Study, folder: Path) -> None:
    """Write the figures and ``report.html``."""
    from ..plotting import save_figure
    from ..plotting.explore import plot_importance, plot_trials

    found, shares = outcomes(exploration, study), importance(exploration, study)
    best = best_outcome(exploration, found)
    figures = []
    if best:
        figures.append((folder / "history.png", "Trials, and the best so far"))
        drawn = plot_trials(found, exploration.metric, larger=exploration.larger_is_better)
        save_figure(drawn, figures[-1][0])
    if shares:
        figures.append((folder / "importance.png", "Share of each option in how good trials are"))
        save_figure(plot_importance(shares), figures[-1][0])
    body = [
        section("Best", _best(exploration, best)) if best else paragraph("No trial is complete."),
        *(figure(path, caption) for path, caption in figures),
        section("Trials", _trials(exploration, found)),
        folded("Exploration", preformatted(to_toml(exploration.as_dict()))),
    ]
    heading = f"mean {exploration.metric} over the validation samples; the test samples are unseen"
    write_text(folder / "report.html", page(f"crystalsim: {exploration.title}", heading, body))


def _best_text(exploration: Exploration, best: Outcome) -> str:
    heading = (
        f"# Best of the trials: number {best.number}, {exploration.metric} = {best.value:.6g} over "
        "the validation samples.\n#\n#   crystalsim run --config best.toml\n\n"
    )
    return heading + to_toml(exploration.config(best.parameters).as_dict())


def _best(exploration: Exploration, best: Outcome) -> str:
    rows = [[key, _shown(value)] for key, value in best.parameters.items()]
    text = f"Trial {best.number}: {exploration.metric} = {best.value:.4g}"
    whole = folded("Best configuration", preformatted(_best_text(exploration, best)))
    return paragraph(text) + table(["option", "value"], rows) + whole


def _trials(exploration: Exploration, found: Sequence[Outcome]) -> str:
    keys = list(exploration.search)
    rows = [
        [
            str(outcome.number),
            outcome.state,
            f"{outcome.value:.4g}"
            if outcome.state == "complete" and outcome.value is not None
            else "",
            "" if outcome.seconds is None else f"{outcome.seconds:.1f}",
            str(outcome.epochs),
            *(_shown(outcome.parameters.get(key, "")) for key in keys),
            outcome.error,
        ]
        for outcome in found
    ]
    return table(["trial", "state", exploration.metric, "seconds", "epochs", *keys, "error"], rows)


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _value(exploration: Exploration, key: str, held: Any) -> Any:
    """Value of an option from what the database holds."""
    dimension = exploration.search[key]
    if isinstance(dimension, Span):
        return held
    return {label(value): value for value in dimension}[held]


def _as_csv(rows: Iterable[Sequence[Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()
