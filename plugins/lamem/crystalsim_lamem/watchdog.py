"""Run a command, and end it with everything that it started once standard input closes.

Started as a script with the command as its arguments. The parent holds the other end of the pipe:
whether it closes it, is interrupted or killed, nothing is left behind. Imports no package.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

_GRACE = 5.0
"""Seconds that a launcher of processes has to end them."""


def main() -> int:
    """Run the command and return its exit status, 127 if it cannot be started."""
    try:
        child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        print(f"{sys.argv[1]}: cannot be started: {error.strerror}", file=sys.stderr)
        return 127
    threading.Thread(target=_end_with_parent, args=(child,), daemon=True).start()
    status = child.wait()
    _signal(child, signal.SIGKILL)  # what its launcher or a crash may have left
    return status


def _end_with_parent(child: subprocess.Popen[bytes]) -> None:
    # Not through sys.stdin, whose lock would stop the interpreter from ending.
    while os.read(0, 1024):
        pass
    _signal(child, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_GRACE)
    _signal(child, signal.SIGKILL)


def _signal(child: subprocess.Popen[bytes], kind: signal.Signals) -> None:
    """Send a signal to the child's process group, if there is anything left of it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, kind)


if __name__ == "__main__":
    status = main()
    sys.exit(status if status >= 0 else 128 - status)
