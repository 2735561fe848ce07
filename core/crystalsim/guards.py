"""Hooks that report what they raise, so that a broken plugin does not end the calls of the others.

`pluggy` lets the first hook that raises end the whole call. A plugin is therefore registered as a
copy whose functions are guarded; everything else (wrappers, `tryfirst`, `trylast`) is pluggy's.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from typing import Any

import pluggy

from .errors import PluginError

Report = Callable[[str, Exception], None]
"""Called with the name of the hook and what its function raised."""
Accept = Callable[[str, Any, bool], Any]
"""Called with the name of the hook, its result and whether it is a wrapper; gives the result."""


class _Copy:
    """Holds the guarded functions of a plugin."""


def guarded(
    manager: pluggy.PluginManager, plugin: object, report: Report, accept: Accept
) -> object:
    """Make a copy of a plugin with guarded hooks, to register in its place.

    Parameters
    ----------
    manager
        Says which attributes are hooks.
    plugin
        Module or object with the hooks.
    report
        Hears what a hook raises.
    accept
        Takes what a hook returns and gives what is passed on; what it raises is reported as that of
        the hook.

    Raises
    ------
    PluginError
        If a hook is a wrapper of pluggy's old style.
    """
    copy = _Copy()
    for name in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, name)
        if options is not None:
            function = getattr(plugin, name)
            hook = options["specname"] or name
            if options["hookwrapper"]:
                raise PluginError(f"{name}: 'hookwrapper' is pluggy's old style; use 'wrapper'")
            is_wrapper = options["wrapper"] and inspect.isgeneratorfunction(function)
            guard = _wrapper if is_wrapper else _call
            setattr(copy, name, guard(function, hook, report, accept))
    return copy


def _call(
    function: Callable[..., Any], hook: str, report: Report, accept: Accept
) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        try:
            return accept(hook, function(*arguments), False)
        except Exception as error:
            report(hook, error)
            return None  # which pluggy leaves out of the results

    return call


def _wrapper(
    function: Callable[..., Generator[None, Any, Any]], hook: str, report: Report, accept: Accept
) -> Callable[..., Any]:
    """Guard a function that yields once: where it raises, the hook goes on as if without it."""

    @functools.wraps(function)
    def wrap(*arguments: Any) -> Generator[None, Any, Any]:
        wrapper = function(*arguments)
        try:
            next(wrapper)
        except Exception as error:  # StopIteration too: it did not yield
            report(hook, error)
            return (yield)
        inner = yield
        try:
            wrapper.send(inner)
        except StopIteration as end:
            try:
                return accept(hook, end.value, True)
            except Exception as error:
                report(hook, error)
                return inner
        except Exception as error:
            report(hook, error)
            return inner
        wrapper.close()
        report(hook, RuntimeError("the wrapper yields more than once"))
        return inner

    return wrap
