"""The command line: this file lists the commands, each has a module of its own beside it."""

from __future__ import annotations

import importlib
import os
import sys

import click

from .._version import __version__
from ..errors import CrystalsimError
from ..options import suggestion

COMMANDS = {
    "run": "Sample, solve, train, predict, evaluate and draw, all at once.",
    "sample": "Draw cases: where the crystals are.",
    "solve": "Solve cases with a solver.",
    "train": "Train a model on solutions.",
    "predict": "Predict cases with a model.",
    "evaluate": "Score predictions against a reference.",
    "compare": "Compare solvers, runs, or solutions in files.",
    "validate": "Check a solver against exact solutions and laws of physics.",
    "plot": "Draw samples or scores.",
    "export": "Write VTK, CSV or LaTeX for other tools.",
    "report": "Write a page of HTML about a run.",
    "verify": "Find damaged and missing files.",
    "study": "Train once, test on many kinds of samples.",
    "explore": "Search options for the best of many trials.",
    "plugins": "List what is installed.",
    "describe": "Show what a plugin does and its options.",
    "init": "Write a configuration with all defaults.",
    "check": "Import everything that a distribution offers.",
}


class Commands(click.Group):
    """Loads a command when it is used: ours by name, then those of plugins."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Ours in the order of `COMMANDS`, then those of plugins."""
        from ..registry import registry

        others = (entry.plugin.name for entry in registry().entries("command"))
        return [*COMMANDS, *(name for name in others if name not in COMMANDS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is none of that name."""
        if cmd_name in COMMANDS:
            module = importlib.import_module(f".{cmd_name}", __package__)
            command: click.Command = module.command
            return command
        from ..registry import registry

        if cmd_name not in self.list_commands(ctx):
            return None
        loaded: click.Command = registry().load("command", cmd_name)
        return loaded

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the nearest."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            if args[0].startswith("-"):
                raise
            near = suggestion(args[0], self.list_commands(ctx))
            raise click.UsageError(f"no such command '{args[0]}'{near}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write our commands without importing them, nor looking for those of plugins.

        Finding plugins takes longer than everything else that the help needs.
        """
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))
        formatter.write_paragraph()
        formatter.write_text("Plugins may add commands: `crystalsim plugins` lists them too.")


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExamples:\n  crystalsim run --solver builtin --model unet\n"
    "  crystalsim sample -n 10 --output cases.nc\n"
    "  crystalsim solve cases.nc --solver builtin --output solutions.nc",
)
@click.option("-v", "--verbose", is_flag=True, help="Show details too, such as every shard.")
@click.option("-q", "--quiet", is_flag=True, help="Show warnings and results alone.")
@click.option("--no-plugins", is_flag=True, help="Leave out all plugins, to find a bad one.")
@click.version_option(__version__, prog_name="crystalsim")
def crystalsim(verbose: bool, quiet: bool, no_plugins: bool) -> None:
    """Stokes flow around sinking crystals, solved or predicted.

    Samplers place crystals, solvers compute their flow, models learn to predict it, evaluators
    judge the prediction. All of them are plugins: `crystalsim plugins` lists them.
    """
    from ..runtime.log import show_messages

    if verbose and quiet:
        raise click.UsageError("--verbose and --quiet exclude each other")
    show_messages(quiet, verbose)
    if quiet:
        os.environ["CRYSTALSIM_QUIET"] = "1"
    if no_plugins:
        os.environ["CRYSTALSIM_DISABLE_PLUGINS"] = "*"
        from ..registry import registry

        registry.cache_clear()


def main() -> None:
    """Run the command line; errors of users are one line, without a traceback."""
    from ..runtime import interrupts

    with interrupts.listening():
        try:
            crystalsim(standalone_mode=False)
        except BaseException as error:
            # A library, or an import, that is interrupted may raise anything.
            if interrupts.heard() or isinstance(error, (KeyboardInterrupt, click.Abort)):
                print(
                    "\nInterrupted. What is finished is kept: run the same command again to go on.",
                    file=sys.stderr,
                )
                sys.exit(130)
            sys.exit(_explain(error))


def _explain(error: BaseException) -> int:
    """Print an error of a user in one line and give the exit status; raise any other."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if not isinstance(error, CrystalsimError):
        from ..runtime.memory import is_shortage, shortage

        error = shortage(error) if is_shortage(error) else error
    if isinstance(error, CrystalsimError):
        print(f"Error: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        sys.stderr.close()
        return 1
    raise error


if __name__ == "__main__":
    main()
