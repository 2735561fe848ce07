"""Hooks are called as pluggy says: wrappers, order, and a broken plugin does not end the others."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

SOLVER = """
    from crystalsim.hookspecs import Plugin, hookimpl

    @hookimpl
    def crystalsim_solvers():
        return [Plugin("one", "somewhere:Solver", "from the first")]
"""
LISTENER = """
    from crystalsim.hookspecs import hookimpl

    @hookimpl(OPTIONS)
    def crystalsim_epoch_finished(epoch):
        BODY
"""
EPOCH = """
    from pathlib import Path
    from crystalsim.registry import registry
    registry().broadcast("crystalsim_epoch_finished", run=Path("run"), epoch=7, metrics={})
"""
SOLVERS = """
    from crystalsim.registry import registry
    for entry in registry().entries("solver"):
        if entry.distribution.endswith("-plugin"):
            print(entry.plugin.name, entry.plugin.summary, entry.distribution, sep=", ")
"""


@pytest.fixture
def python(environment, site):
    """Run Python with the made distributions on its path."""

    def run(code):
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            env=environment,
            cwd=site,
            capture_output=True,
            text=True,
            check=True,
        )

    return run


def listener(body, options=""):
    return LISTENER.replace("OPTIONS", options).replace("BODY", body)


def test_order_is_as_asked_for(distribution, python):
    for name, options in (("b", "trylast=True"), ("c", ""), ("d", "tryfirst=True")):
        distribution(f"{name}-plugin", listener(f"print('{name}', epoch)", options))
    wrapper = "print('before'); yield; print('after')"
    distribution("a-plugin", listener(wrapper, "wrapper=True"))
    said = python(EPOCH).stdout.split("\n")
    assert said == ["before", "d 7", "c 7", "b 7", "after", ""]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("raise OSError('no disk'); yield", "OSError: no disk"),
        ("yield; raise OSError('no disk')", "OSError: no disk"),
        ("yield; yield", "RuntimeError: the wrapper yields more than once"),
        ("return\n        yield", "StopIteration"),
    ],
    ids=["before", "after", "twice", "never"],
)
def test_a_broken_wrapper_is_named_and_the_rest_goes_on(distribution, python, body, error):
    distribution("bad-plugin", listener(body, "wrapper=True"))
    distribution("good-plugin", listener("print('heard', epoch)"))
    distribution("outer-plugin", listener("yield; print('after')", "wrapper=True, tryfirst=True"))
    done = python(EPOCH)
    assert done.stdout == "heard 7\nafter\n"
    (line,) = done.stderr.splitlines()
    assert line.startswith("warning: crystalsim_epoch_finished of bad-plugin 1.0 failed: ")
    assert error in line


def test_a_broken_listener_is_named_and_the_rest_goes_on(distribution, python):
    distribution("bad-plugin", listener("raise OSError('no disk')", "tryfirst=True"))
    distribution("good-plugin", listener("print('heard', epoch)"))
    done = python(EPOCH)
    assert done.stdout == "heard 7\n"
    (line,) = done.stderr.splitlines()
    assert "bad-plugin 1.0 failed: OSError: no disk" in line


def wrapping(body):
    return f"""
        from crystalsim.hookspecs import Plugin, hookimpl

        @hookimpl(wrapper=True)
        def crystalsim_solvers():
            offered = yield
            {body}
    """


def test_a_wrapper_sees_and_changes_what_the_others_offer(distribution, python):
    distribution("first-plugin", SOLVER)
    added = 'return [*offered, [Plugin("two", "somewhere:Solver", f"after {len(offered)} others")]]'
    distribution("second-plugin", wrapping(added))
    first, second = python(SOLVERS).stdout.splitlines()
    assert first == "one, from the first, first-plugin"
    name, summary, whose = second.split(", ")
    assert (name, whose) == ("two", "second-plugin")
    # Those of this repository and the first plugin's.
    assert int(summary.split()[1]) >= 2


def test_a_wrapper_can_take_away_what_the_others_offer(distribution, python):
    distribution("first-plugin", SOLVER)
    kept = "return [[p for p in each if p.name != 'one'] for each in offered]"
    distribution("second-plugin", wrapping(kept))
    assert python(SOLVERS).stdout == ""


@pytest.mark.parametrize("body", ["raise OSError('no disk')", "return [[('one',)]]", "return None"])
def test_a_wrapper_that_spoils_the_offers_is_left_out(distribution, python, process, body):
    distribution("first-plugin", SOLVER)
    distribution("second-plugin", wrapping(body))
    done = python(SOLVERS)
    assert done.stdout == "one, from the first, first-plugin\n"
    (line,) = done.stderr.splitlines()
    assert "second-plugin 1.0 is broken" in line
    assert process("plugins").status == 1


@pytest.mark.parametrize(
    ("body", "options", "word"),
    [("print('heard')", "wrapper=True", "generator"), ("yield", "hookwrapper=True", "old style")],
)
def test_what_is_no_wrapper_cannot_be_marked_as_one(distribution, python, body, options, word):
    distribution("bad-plugin", listener(body, options))
    distribution("good-plugin", listener("print('heard', epoch)"))
    done = python(EPOCH)
    assert done.stdout == "heard 7\n"
    (line,) = done.stderr.splitlines()
    assert "bad-plugin 1.0 is broken" in line
    assert word in line


def test_who_only_listens_is_listed_and_checked(distribution, process):
    distribution("good-plugin", listener("print('heard', epoch)"))
    distribution("bad-plugin", "import nothing_of_that_name")
    listed = process("plugins")
    assert listed.status == 1  # for the bad one
    words = next(line for line in listed.out.splitlines() if "good-plugin" in line).split()
    assert words[0] == "listener"
    assert words[-2:] == ["hears", "crystalsim_epoch_finished"]
    (heard,) = (
        each
        for each in json.loads(process("plugins", "--json").out)["listeners"]
        if each["distribution"] == "good-plugin"
    )
    assert (heard["version"], heard["hooks"]) == ("1.0", ["crystalsim_epoch_finished"])
    checked = process("check", "good-plugin")
    assert checked.status == 0
    assert checked.out == "fine    listener good-plugin, hears crystalsim_epoch_finished\n"
    assert process("check", "bad-plugin").status == 1
    assert process("check", "crystalsim-tensorboard").status == 0
