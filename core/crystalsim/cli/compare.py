"""``crystalsim compare``."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..config.choice import Choice
from ..config.run import DEFAULTS
from ..config.settings import Settings
from ..errors import CrystalsimError, OptionError, StoreError
from ..options import refuse_unknown
from ..runtime.processes import default_workers
from .common import (
    configured,
    echo_json,
    file_or_folder,
    json_option,
    output_option,
    overwrite_option,
    refuse_ignored,
)

if TYPE_CHECKING:
    import xarray as xr

    from ..evaluation.comparison import Comparison


class Compare(click.Command):
    """Lets ``--solvers`` take all names up to the next option or file (``.nc``)."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat ``--solvers`` before each of its names."""
        spread: list[str] = []
        naming = False
        for position, arg in enumerate(args):
            if arg == "--solvers":
                naming = True
                if position + 1 == len(args) or args[position + 1].startswith("-"):
                    spread.append(arg)  # click says that a name is missing
                continue
            naming = naming and not arg.startswith("-") and not arg.endswith(".nc")
            spread += ["--solvers", arg] if naming else [arg]
        return super().parse_args(ctx, spread)


@click.command(
    "compare",
    cls=Compare,
    epilog="\b\nExamples:\n  crystalsim compare --solvers builtin lamem cases.nc\n"
    "  crystalsim compare --solvers builtin lamem -o solver.lamem.processes=2 --output comparison\n"
    "  crystalsim compare lamem_64.nc lamem_128.nc --reference finite_elements.nc\n"
    "  crystalsim compare runs/unet-1f3c runs/fno-97ab    # their models and baselines",
)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--solvers", multiple=True, metavar="NAME ...", help="Solvers to compare on CASES.")
@click.option(
    "--reference", type=click.Path(path_type=Path), help="Solutions to compare with [the first]."
)
@click.option(
    "--cells",
    type=click.IntRange(min=8),
    default=64,
    show_default=True,
    help="In each direction, where no CASES are given.",
)
@click.option(
    "--evaluator",
    "names",
    multiple=True,
    help="Evaluator plugin; may be repeated [those with a primary score].",
)
@configured
@click.option("--workers", type=click.IntRange(min=1), help="Processes [all cores].")
@output_option(
    "Folder for solutions, table.csv, errors.png and the figures of the evaluators.", required=False
)
@overwrite_option
@json_option
def command(
    files: tuple[Path, ...],
    solvers: tuple[str, ...],
    reference: Path | None,
    cells: int,
    names: tuple[str, ...],
    config_file: Path | None,
    assignments: tuple[str, ...],
    workers: int | None,
    output: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Compare solutions in FILES with a reference, or solvers on the cases in one of FILES.

    The folder of a run stands for the predictions of all its models, and its test solutions are
    the reference; the samples of several runs must be the same.

    With --solvers the cases (by default six of 1-3 crystals) are solved by each of them; one that
    is not available is named and left out. Solutions on different grids are averaged onto the
    coarsest, face by face. Options of a solver are given as solver.NAME.KEY=VALUE.
    """
    uses = ("solver", "evaluators", "evaluator") if solvers else ("evaluators", "evaluator")
    settings = Settings.read(config_file, assignments, *uses)
    asked = _choices(solvers, settings)
    if not solvers:
        refuse_ignored("cells workers overwrite", "only with --solvers is there anything to solve")
    elif files:
        refuse_ignored("cells", "the grid is that of the cases")
    if output:
        file_or_folder(output, *files, file="")
    from ..storage import netcdf

    with tempfile.TemporaryDirectory(prefix="crystalsim-compare-") as temporary:
        contestants: dict[str, xr.Dataset] = {}
        if solvers:
            folder = (output or Path(temporary)) / "solutions"
            contestants = _solve(
                _cases(files, cells), asked, folder, workers or default_workers(), overwrite
            )
        else:
            files, reference = _expand(files, reference)
            contestants = {_label(path, files): netcdf.open(path, "solutions") for path in files}
    _report(contestants, reference, _evaluators(names, settings), output, as_json)


def _choices(names: Sequence[str], settings: Settings) -> dict[str, Choice | CrystalsimError]:
    """Solvers with their options, or why there is none of a name."""
    from ..registry import registry

    tables = settings.tables.get("solver", {})
    if not isinstance(tables, Mapping):
        raise OptionError(f"setting 'solver' = {tables!r}: expected tables [solver.NAME]")
    for key, value in tables.items():
        if not isinstance(value, Mapping):
            raise OptionError(f"option 'solver.{key}': expected solver.NAME.{key} to compare")
    if names:
        refuse_unknown(tables, names, "options of a solver that is not compared:", "solver.")
    asked: dict[str, Choice | CrystalsimError] = {}
    for name in names:
        try:
            registry().load("solver", name)
        except CrystalsimError as error:
            asked[name] = error
        else:
            table = {**tables.get(name, {}), "plugin": name}
            asked[name] = Choice.of("solver", table, where=f"solver.{name}")
    return asked


def _cases(files: Sequence[Path], cells: int) -> xr.Dataset:
    from ..storage import netcdf
    from ..validation.accuracy import finite_element_cases

    if len(files) > 1:
        raise click.UsageError("--solvers takes one file of cases")
    return netcdf.open(files[0], "cases") if files else finite_element_cases(cells)


def _solve(
    cases: xr.Dataset,
    asked: Mapping[str, Choice | CrystalsimError],
    folder: Path,
    workers: int,
    overwrite: bool,
) -> dict[str, xr.Dataset]:
    from ..execution.schedule import Schedule
    from ..execution.shards import solve_cases
    from ..runtime.log import logger
    from ..runtime.words import plural
    from ..storage import netcdf
    from ..storage.files import file_name

    solutions = {}
    for name, choice in asked.items():
        try:
            if isinstance(choice, CrystalsimError):
                raise choice
            path = folder / file_name(name)
            logger.info("%s: %s", name, plural(cases.sizes["sample"], "sample"))
            solve_cases(
                cases,
                choice,
                path,
                schedule=Schedule(workers),
                shard_size=1,
                overwrite=overwrite,
            )
            solutions[name] = netcdf.open(path, "solutions")
        except StoreError:
            raise
        except CrystalsimError as error:
            logger.warning("solver '%s' is left out: %s", name, error)
    return solutions


def _expand(files: Sequence[Path], reference: Path | None) -> tuple[tuple[Path, ...], Path | None]:
    """Put the predictions of a run in the place of its folder; baselines once."""
    from ..storage.files import file_name
    from ..storage.run_folder import RunFolder

    paths: list[Path] = []
    seen: set[str] = set()
    for path in files:
        run = RunFolder(path)
        if not run.is_run:
            paths.append(path)
            continue
        run.require_complete()
        reference = reference or run.solutions("test")
        trained = file_name(run.read_config()["model"]["plugin"])
        for prediction in run.predictions():
            if prediction.stem == trained or prediction.stem not in seen:
                paths.append(prediction)
        seen |= {prediction.stem for prediction in paths}
    return tuple(paths), reference


def _label(path: Path, files: Sequence[Path]) -> str:
    """Name of a file, with its folder or run where that is needed to tell it from others."""
    same = [other for other in files if other.stem == path.stem]
    if len(same) == 1:
        return path.stem
    return f"{path.parts[-3]}: {path.stem}" if path.parent.name == "predictions" else str(path)


def _evaluators(names: Sequence[str], settings: Settings) -> dict[str, dict[str, Any]]:
    """Options of the evaluators: those named, or all that say how large errors are."""
    from ..evaluation.declarations import primary_evaluators

    return settings.evaluators(names, primary_evaluators(DEFAULTS["evaluators"]))


def _report(
    contestants: dict[str, xr.Dataset],
    reference: Path | None,
    evaluators: Mapping[str, Mapping[str, Any]],
    output: Path | None,
    as_json: bool,
) -> None:
    from ..evaluation.comparison import compare
    from ..evaluation.tables import table_text
    from ..storage import netcdf

    if reference is None and contestants:
        name = next(iter(contestants))
        truth = contestants.pop(name)
    elif reference is not None:
        name, truth = str(reference), netcdf.open(reference, "solutions")
    if not contestants:
        raise CrystalsimError("nothing to compare: expected two solvers or files, or --reference")
    result = compare(truth, contestants, evaluators)
    if as_json:
        solutions = {row.name: row.values for row in result.rows}
        echo_json({"reference": name, "solutions": solutions, "notes": result.notes})
    else:
        click.echo(f"reference: {name}, {truth.sizes['x']} x {truth.sizes['z']} cells")
        click.echo(table_text(result.rows, result.columns, "solution"))
        for note in result.notes:
            click.echo(note)
    if output:
        _write(result, output, aside=as_json)


def _write(result: Comparison, output: Path, *, aside: bool) -> None:
    """Table and figures: the primary errors of all, and what the evaluators offer.

    What is written is said on stderr if `aside`.
    """
    from ..evaluation.tables import save_table
    from ..plotting import plot_comparison, save_figure
    from ..reports.figures import score_drawings, write_drawings
    from ..storage.files import make_folder

    make_folder(output)
    save_table(result.rows, output / "table.csv", "solution")
    click.echo(f"table: {output / 'table.csv'}", err=aside)
    drawings = score_drawings(result.scores)
    for name in drawings:
        (output / f"{name}.png").unlink(missing_ok=True)  # of an earlier comparison
    try:
        save_figure(plot_comparison(result.scores), output / "errors.png")
        click.echo(f"figure: {output / 'errors.png'}", err=aside)
    except CrystalsimError as error:
        click.echo(f"no figure: {error}", err=aside)
    for path in write_drawings(drawings, output):
        click.echo(f"figure: {path}", err=aside)
