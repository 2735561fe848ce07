"""Find plugins, keep broken ones apart, look a name up.

Entry points are loaded one by one and guarded: ``pluggy``'s own loader would let one broken plugin
end the program, and would drop the second of two plugins under the same entry-point name in
silence.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, NamedTuple, overload

import pluggy

from . import hookspecs
from .contracts import Evaluator, Model, Sampler, Solver
from .errors import PluginError, UnsupportedError
from .guards import guarded
from .hookspecs import ENTRY_POINT_GROUP, Plugin
from .options import Configured, NoOptions, make_options, suggestion

KINDS = ("sampler", "solver", "model", "evaluator", "command")

_OFFERS = tuple(f"crystalsim_{kind}s" for kind in KINDS)
"""Hooks whose results are plugins."""


class Entry(NamedTuple):
    """A plugin with the distribution that offers it."""

    kind: str
    plugin: Plugin
    distribution: str
    version: str

    @property
    def qualified_name(self) -> str:
        """``distribution/name``, which is never ambiguous."""
        return f"{self.distribution}/{self.plugin.name}"


class Offer(NamedTuple):
    """A descriptor with the distribution that made it."""

    plugin: Plugin
    distribution: str
    version: str


class Listener(NamedTuple):
    """A distribution that hears of what happens, with the names of its hooks."""

    name: str
    distribution: str
    version: str
    hooks: tuple[str, ...]


class Problem(NamedTuple):
    """A plugin that could not be used, and why."""

    distribution: str
    version: str
    error: str

    def __str__(self) -> str:
        return f"plugin {self.distribution} {self.version} is broken and left out: {self.error}"


class Registry:
    """All plugins that are installed.

    Parameters
    ----------
    disabled
        Names of distributions to leave out; ``"*"`` leaves out all.
    """

    def __init__(self, disabled: frozenset[str] = frozenset()) -> None:
        self.problems: list[Problem] = []
        self._manager = pluggy.PluginManager("crystalsim")
        self._manager.add_hookspecs(hookspecs)
        self._modules: list[object] = []
        self._origin: dict[int, Offer] = {}
        self._versions: dict[str, str] = {}
        if "*" not in disabled:
            for entry_point in entry_points(group=ENTRY_POINT_GROUP):
                distribution, version = _distribution(entry_point)
                if distribution not in disabled:
                    self._versions[distribution] = version
                    self._register(entry_point, distribution, version)
        self._entries = {kind: list(self._collect(kind)) for kind in KINDS}

    def _register(self, entry_point: EntryPoint, distribution: str, version: str) -> None:
        key = f"{distribution}:{entry_point.name}"
        try:
            module = entry_point.load()
            if any(module is known for known in self._modules):
                raise PluginError(f"'{entry_point.value}' is registered already")
            self._manager.register(self._guarded(module, distribution, version), name=key)
            self._manager.check_pending()
        except (Exception, SystemExit) as error:
            if self._manager.has_plugin(key):
                self._manager.unregister(name=key)
            self._report(distribution, version, error)
        else:
            self._modules.append(module)

    def _report(self, distribution: str, version: str, error: BaseException) -> None:
        text = " ".join(str(error).split())
        self.problems.append(Problem(distribution, version, f"{type(error).__name__}: {text}"))

    def _guarded(self, module: object, distribution: str, version: str) -> object:
        """Copy of a plugin of which what is offered is known, and what is raised is reported."""

        def report(hook: str, error: Exception) -> None:
            if hook in _OFFERS:
                self._report(distribution, version, error)
                return
            text = f"{type(error).__name__}: {error}"
            print(f"warning: {hook} of {distribution} {version} failed: {text}", file=sys.stderr)

        def claim(plugins: Iterable[Plugin]) -> list[Plugin]:
            """Note whose the plugins are that nobody offered before."""
            checked = [p if isinstance(p, Plugin) else Plugin(*p) for p in plugins]
            for plugin in checked:
                self._origin.setdefault(id(plugin), Offer(plugin, distribution, version))
            return checked

        def accept(hook: str, result: Any, is_wrapper: bool) -> Any:
            if hook not in _OFFERS:
                return result
            return [claim(plugins) for plugins in result] if is_wrapper else claim(result)

        return guarded(self._manager, module, report, accept)

    def _collect(self, kind: str) -> Iterator[Entry]:
        for plugins in getattr(self._manager.hook, f"crystalsim_{kind}s")() or ():
            for plugin in plugins:
                offer = self._origin[id(plugin)]
                yield Entry(kind, plugin, offer.distribution, offer.version)

    def entries(self, kind: str) -> list[Entry]:
        """List what is installed of a kind, sorted by name."""
        return sorted(self._entries[kind], key=lambda e: (e.plugin.name, e.distribution))

    def listeners(self) -> list[Listener]:
        """List what hears of runs, sorted by distribution, whether or not it offers plugins."""
        listeners = []
        for key, plugin in self._manager.list_name_plugin():
            callers = (self._manager.get_hookcallers(plugin) or []) if plugin else []
            hooks = sorted(caller.name for caller in callers if caller.name not in _OFFERS)
            if hooks:
                distribution, _, name = key.partition(":")
                listeners.append(
                    Listener(name, distribution, self._versions[distribution], tuple(hooks))
                )
        return sorted(listeners, key=lambda each: (each.distribution, each.name))

    def lookup(self, kind: str, name: str) -> Entry:
        """Find a plugin by ``name`` or ``distribution/name``.

        Raises
        ------
        PluginError
            If there is none (the nearest name is suggested) or more than one.
        """
        if kind not in KINDS:
            raise PluginError(f"unknown kind of plugin '{kind}'; known: {', '.join(KINDS)}")
        matches = [e for e in self.entries(kind) if name in (e.plugin.name, e.qualified_name)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            names = " or ".join(entry.qualified_name for entry in matches)
            raise PluginError(f"{kind} '{name}' is ambiguous; say {names}")
        known = sorted({entry.plugin.name for entry in self.entries(kind)})
        broken = "".join(f"; {p}" for p in self.problems)
        raise PluginError(
            f"unknown {kind} '{name}'{suggestion(name, known)} "
            f"(installed: {', '.join(known) or 'none'}){broken}"
        )

    def load(self, kind: str, name: str) -> Any:
        """Import the class (or command) of a plugin.

        Raises
        ------
        PluginError
            If the name is unknown or ambiguous, or the import fails.
        """
        entry = self.lookup(kind, name)
        return _import(entry, entry.plugin.target)

    def options_class(self, kind: str, name: str) -> type | None:
        """Import the options dataclass of a plugin, or None where it has no options.

        Where the descriptor names none, it is the `options_class` of a class that is `Configured`.
        """
        entry = self.lookup(kind, name)
        if entry.plugin.options:
            named: type = _import(entry, entry.plugin.options)
            return named
        target = _import(entry, entry.plugin.target)
        if isinstance(target, type) and issubclass(target, Configured):
            return None if target.options_class is NoOptions else target.options_class
        return None

    def broadcast(self, hook: str, **arguments: Any) -> None:
        """Call a lifecycle hook of every plugin; one that raises is reported, the rest goes on."""
        getattr(self._manager.hook, hook)(**arguments)


def _distribution(entry_point: EntryPoint) -> tuple[str, str]:
    if entry_point.dist is None:
        return "unknown", "0"
    metadata = entry_point.dist.metadata  # each access parses the file
    return metadata["Name"], metadata["Version"]


def _import(entry: Entry, target: str) -> Any:
    module, _, attribute = target.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except UnsupportedError:  # it says itself what it lacks
        raise
    except Exception as error:
        raise PluginError(
            f"{entry.kind} '{entry.plugin.name}' of {entry.distribution} {entry.version} "
            f"cannot be loaded from '{target}': {type(error).__name__}: {error}"
        ) from error


@functools.cache
def registry() -> Registry:
    """Return the registry of this process, found once.

    The environment variable ``CRYSTALSIM_DISABLE_PLUGINS`` holds comma-separated names of
    distributions to leave out, or ``*``. Broken plugins are reported on stderr.
    """
    names = os.environ.get("CRYSTALSIM_DISABLE_PLUGINS", "").split(",")
    instance = Registry(frozenset(name.strip() for name in names if name.strip()))
    for problem in instance.problems:
        print(f"warning: {problem}", file=sys.stderr)
    return instance


@overload
def get(kind: Literal["sampler"], name: str, /, **options: Any) -> Sampler: ...
@overload
def get(kind: Literal["solver"], name: str, /, **options: Any) -> Solver: ...
@overload
def get(kind: Literal["model"], name: str, /, **options: Any) -> Model: ...
@overload
def get(kind: Literal["evaluator"], name: str, /, **options: Any) -> Evaluator: ...
@overload
def get(kind: str, name: str, /, **options: Any) -> Any: ...
def get(kind: str, name: str, /, **options: Any) -> Any:
    """Make a plugin object.

    Parameters
    ----------
    kind
        ``"sampler"``, ``"solver"``, ``"model"`` or ``"evaluator"``.
    name
        Name of the plugin, or ``distribution/name``.
    **options
        Options of the plugin; see ``crystalsim describe KIND NAME``.

    Raises
    ------
    PluginError, OptionError
        If there is no such plugin, or it has no such option.

    Examples
    --------
    >>> import crystalsim
    >>> solver = crystalsim.get("solver", "builtin", tolerance=1e-4)  # doctest: +SKIP
    """
    return build(kind, name, options)


@overload
def build(kind: Literal["sampler"], name: str, options: Mapping[str, Any]) -> Sampler: ...
@overload
def build(kind: Literal["solver"], name: str, options: Mapping[str, Any]) -> Solver: ...
@overload
def build(kind: Literal["model"], name: str, options: Mapping[str, Any]) -> Model: ...
@overload
def build(kind: Literal["evaluator"], name: str, options: Mapping[str, Any]) -> Evaluator: ...
@overload
def build(kind: str, name: str, options: Mapping[str, Any]) -> Any: ...
def build(kind: str, name: str, options: Mapping[str, Any]) -> Any:
    """Make a plugin object from a mapping of options; see `get`."""
    options_class = registry().options_class(kind, name)
    checked: Any = make_options(options_class, options, where=kind)
    plugin_class = registry().load(kind, name)
    return plugin_class(checked) if options_class else plugin_class()
