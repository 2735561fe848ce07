"""What an exploration leaves: tables, the best configuration, figures and a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.exploration import Exploration, Outcome, Span, best_outcome, label
from ..evaluation.declarations import find_metric
from ..evaluation.tables import csv_text
from ..metrics import Metric
from ..options import to_toml
from ..storage.files import write_text
from .html import Block, page, picture

if TYPE_CHECKING:
    import optuna

_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "RUNNING": "running", "WAITING": "waiting"}
_FEWEST = 4


def outcomes(exploration: Exploration, study: optuna.Study) -> list[Outcome]:
    """What came of each trial so far, by number."""
    results = []
    for trial in study.get_trials(deepcopy=False):
        error = str(trial.user_attrs.get("error", ""))
        state = _STATES.get(trial.state.name, "failed" if error else "interrupted")
        value = trial.value if state == "complete" else None
        comparable = trial.user_attrs.get("comparable", False)
        if state == "pruned" and comparable and trial.intermediate_values:
            value = trial.intermediate_values[max(trial.intermediate_values)]
        seconds = trial.duration.total_seconds() if trial.duration else None
        parameters = {
            key: _value(exploration, key, trial.params[key])
            for key in exploration.search
            if key in trial.params
        }
        epochs = int(trial.user_attrs.get("epochs", 0))
        results.append(Outcome(trial.number, state, value, seconds, epochs, parameters, error))
    return results


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
        importances = optuna.importance.get_param_importances(
            study, evaluator=evaluator, params=list(exploration.search)
        )
    except (RuntimeError, ValueError):  # all trials alike
        return {}
    return {key: float(value) for key, value in importances.items()}


def write_tables(exploration: Exploration, study: optuna.Study, folder: Path) -> list[Outcome]:
    """Write ``trials.csv``, ``importance.csv`` and, once a trial is complete, ``best.toml``."""
    results = outcomes(exploration, study)
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
        for outcome in results
    ]
    write_text(folder / "trials.csv", csv_text([columns, *rows]))
    shares = importance(exploration, study)
    write_text(folder / "importance.csv", csv_text([["option", "importance"], *shares.items()]))
    if best := best_outcome(exploration, results):
        write_text(folder / "best.toml", _best_text(exploration, best))
    return results


def write_figures(exploration: Exploration, study: optuna.Study, folder: Path) -> None:
    """Write the figures and ``report.html``."""
    from ..plotting import save_figure
    from ..plotting.explore import plot_importance, plot_trials

    tried, shares = outcomes(exploration, study), importance(exploration, study)
    best, metric = best_outcome(exploration, tried), searched_metric(exploration)
    pictures = []
    if best:
        save_figure(plot_trials(tried, metric), folder / "history.png")
        pictures.append(picture(folder / "history.png", "Trials, and the best so far."))
    if shares:
        save_figure(plot_importance(shares), folder / "importance.png")
        caption = "Share of each option in how good trials are."
        pictures.append(picture(folder / "importance.png", caption))
    plain = to_toml(exploration.as_dict())
    blocks = [
        *(_best(exploration, best) if best else [Block("Best", "No trial is complete.")]),
        Block("", pictures=pictures),
        Block("Trials", cells=_trials(exploration, metric, tried)),
        Block("Exploration", plain=plain, folded=True),
    ]
    heading = f"{metric.long_name}: mean over the validation samples; the test samples are unseen"
    write_text(folder / "report.html", page(f"crystalsim: {exploration.title}", heading, blocks))


def searched_metric(exploration: Exploration) -> Metric:
    """Declaration of the score that an exploration searches for."""
    return find_metric(exploration.metric, exploration.config().evaluators)[2]


def _best_text(exploration: Exploration, best: Outcome) -> str:
    heading = (
        f"# Best of the trials: number {best.number}, {exploration.metric} = {best.value:.6g} over "
        "the validation samples.\n#\n#   crystalsim run --config best.toml\n\n"
    )
    return heading + to_toml(exploration.config(best.parameters).as_dict())


def _best(exploration: Exploration, best: Outcome) -> list[Block]:
    cells = [["option", "value"], *([key, _shown(v)] for key, v in best.parameters.items())]
    text = f"Trial {best.number}: {exploration.metric} = {best.value:.4g}"
    whole = _best_text(exploration, best)
    return [Block("Best", text, cells), Block("Best configuration", plain=whole, folded=True)]


def _trials(exploration: Exploration, metric: Metric, tried: Sequence[Outcome]) -> list[list[str]]:
    keys = list(exploration.search)
    cells = [["trial", "state", metric.label, "seconds", "epochs", *keys, "error"]]
    for outcome in tried:
        value = outcome.value if outcome.state == "complete" else None
        cells.append(
            [
                str(outcome.number),
                outcome.state,
                "" if value is None else metric.text(value),
                "" if outcome.seconds is None else f"{outcome.seconds:.1f}",
                str(outcome.epochs),
                *(_shown(outcome.parameters.get(key, "")) for key in keys),
                outcome.error,
            ]
        )
    return cells


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _value(exploration: Exploration, key: str, held: Any) -> Any:
    """Value of an option from what the database holds."""
    dimension = exploration.search[key]
    if isinstance(dimension, Span):
        return held
    return {label(value): value for value in dimension}[held]
