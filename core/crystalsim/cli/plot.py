"""``crystalsim plot``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .common import output_option, refuse_ignored

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


@click.command(
    "plot",
    epilog="\b\nExamples:\n  crystalsim plot solutions.nc --sample 3 --output sample.png\n"
    "  crystalsim plot cases.nc --output cases.png\n"
    "  crystalsim plot solutions.nc predictions.nc --sample 3 --output beside.pdf\n"
    "  crystalsim plot runs/ten/scores/strata-*.nc --output strata.png\n"
    "  crystalsim plot scores/fields.nc --metric NAME --output by_count.png",
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--sample", type=int, help="Number of the sample [the first one].")
@click.option("--metric", help="Score to draw over the number of crystals.")
@click.option("--figure", "name", help="Figure that the evaluator offers [the first one].")
@output_option("Figure to write; its ending says in which format.")
def command(
    paths: tuple[Path, ...],
    sample: int | None,
    metric: str | None,
    name: str | None,
    output: Path,
) -> None:
    """Draw a sample of cases or solutions, with a prediction if there is a second file, or scores.

    Files of scores, one for each model, are drawn as their evaluator does, or with --metric as a
    score over the number of crystals.
    """
    from .. import plotting
    from ..datasets.schema import VARIABLES
    from ..storage import netcdf

    first = netcdf.read_file(paths[0]) if paths[0].is_file() else netcdf.open(paths[0], "solutions")
    if "velocity_x" in first.variables or set(first.data_vars) & set(VARIABLES):
        refuse_ignored("metric name", "these are cases or solutions, not scores")
        figure = _samples(paths, first, sample)
    else:
        refuse_ignored("sample", "these are scores, not samples")
        scores = {path.stem: netcdf.open(path, "scores") for path in paths}
        figure = _scores(scores, metric, name)
    plotting.save_figure(figure, output)
    click.echo(str(output))


def _samples(paths: tuple[Path, ...], first: xr.Dataset, sample: int | None) -> Figure:
    from .. import plotting
    from ..datasets.schema import kind_of, sample_numbers
    from ..errors import OptionError
    from ..storage import netcdf

    if len(paths) > 2:
        raise OptionError(f"{paths[2]}: expected one file, or two of solutions to put side by side")
    kind = kind_of(first) if len(paths) == 1 else "solutions"
    reference, *others = (netcdf.open(path, kind) for path in paths)
    position = 0
    if sample is not None:
        numbers = sample_numbers(reference)
        if sample not in numbers:
            raise OptionError(
                f"--sample {sample}: {paths[0]} has {len(numbers)} samples, numbered "
                f"{min(numbers)} to {max(numbers)}"
            )
        position = numbers.index(sample)
    if kind == "cases":
        return plotting.plot_cases(reference, position)
    return plotting.plot_sample(
        reference,
        others[0] if others else None,
        position,
        name=paths[-1].stem,
        reference_name=paths[0].stem,
    )


def _scores(scores: dict[str, xr.Dataset], metric: str | None, name: str | None) -> Figure:
    """Figure of that name, or of the score over the count, or the first that can be drawn."""
    from .. import plotting
    from ..errors import CrystalsimError, OptionError
    from ..evaluation.declarations import draw_figure
    from ..reports.figures import score_figures

    if metric:
        return plotting.plot_scores_by_count(scores, metric)
    offered = score_figures({label: {"": dataset} for label, dataset in scores.items()})
    if name:
        chosen = [each for each in offered if each[0].name == name]
        if not chosen:
            known = ", ".join(figure.name for figure, _ in offered) or "none"
            raise OptionError(f"--figure {name}: the scores offer no such figure (known: {known})")
        return draw_figure(*chosen[0])
    for figure, datasets in offered:
        try:
            return draw_figure(figure, datasets)
        except CrystalsimError as error:
            click.echo(f"no figure {figure.name}: {error}", err=True)
    first = str(next(iter(next(iter(scores.values())).data_vars)))
    return plotting.plot_scores_by_count(scores, first)
