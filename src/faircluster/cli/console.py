"""What the commands say while they work and when they fail."""

from __future__ import annotations

import logging
import sys
import threading
import time
import warnings
from types import TracebackType
from typing import Any

import click

from faircluster.bounds import InfeasibleBoundsError

__all__ = ["CommandGroup", "Progress", "require_extras", "show"]

UNEXPECTED, BAD_INPUT, INFEASIBLE, OUT_OF_TIME = 1, 3, 4, 5
QUIET_SECONDS = 2.0  # work shorter than this is not worth a line
PLAIN_WIDTH = 120  # columns when the output goes to a file or a pipe


class _Failure(click.ClickException):
    """A message on stderr and an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]


class CommandGroup(click.Group):
    """A click group whose commands end in documented exit codes and never in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command and put what it raises in plain words."""
        try:
            return super().invoke(ctx)
        except InfeasibleBoundsError as error:
            raise _Failure(f"these bounds cannot be met: {error}", INFEASIBLE) from error
        except TimeoutError as error:
            raise _Failure(str(error), OUT_OF_TIME) from error
        except (click.exceptions.Exit, click.Abort, click.ClickException):
            raise
        except ImportError as error:
            raise _Failure(str(error), UNEXPECTED) from error
        except OSError as error:
            named = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            raise _Failure(named, BAD_INPUT) from error
        except ValueError as error:
            raise _Failure(str(error), BAD_INPUT) from error
        except Exception as error:
            what = f"unexpected {type(error).__name__}: {error}"
            raise _Failure(f"{what}; this is a fault of faircluster, please report it", UNEXPECTED) from error


def require_extras() -> None:
    """Raise ImportError in one sentence if the packages that every command needs are missing."""
    try:
        import pyarrow  # noqa: F401
        import rich  # noqa: F401
    except ImportError as error:
        message = f'the faircluster command needs {error.name}: pip install "faircluster[data,report]"'
        raise ImportError(message, name=error.name) from error


def show(*parts: Any) -> None:
    """Print results, text or rich renderables, to stdout: plain text unless that is a terminal."""
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    for part in parts:
        console.print(part, markup=not isinstance(part, str))


class Progress:
    """What is being done, on stderr: a spinner in a terminal, else a line for what takes long.

    Messages of the estimators (logger "faircluster") and warnings appear the same way.
    """

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(file=sys.stderr, highlight=False)
        self._live: Any = None
        self._task: Any = None
        self._timer: threading.Timer | None = None
        self._begun = time.perf_counter()
        self._handler = _ForwardingHandler(self)
        self._logger = logging.getLogger("faircluster")
        self._level = self._logger.level
        self._warnings = warnings.catch_warnings()

    def __enter__(self) -> Progress:
        """Begin to listen."""
        self._logger.addHandler(self._handler)
        self._logger.setLevel(logging.DEBUG)
        self._warnings.__enter__()
        warnings.simplefilter("ignore")
        for category in (RuntimeWarning, UserWarning):  # what is meant for users, not for developers
            warnings.simplefilter("always", category)
        warnings.showwarning = lambda message, *_, **__: self.note(f"warning: {message}")
        if self._console.is_terminal:
            from rich import progress

            self._live = progress.Progress(
                progress.SpinnerColumn(),
                progress.TextColumn("{task.description}", markup=False),
                progress.TimeElapsedColumn(),
                console=self._console,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop to listen and leave everything as it was."""
        self._stop_timer()
        if self._live is not None:
            self._live.stop()
        self._warnings.__exit__(kind, error, trace)
        self._logger.removeHandler(self._handler)
        self._logger.setLevel(self._level)

    def phase(self, text: str) -> None:
        """Say what begins."""
        self._stop_timer()
        self._begun = time.perf_counter()
        if self._live is not None:
            if self._task is not None:
                self._live.remove_task(self._task)
            self._task = self._live.add_task(text, total=None)
        else:
            self._timer = threading.Timer(QUIET_SECONDS, self.note, [f"{text} ..."])
            self._timer.daemon = True
            self._timer.start()

    def detail(self, text: str) -> None:
        """Say how the present phase goes."""
        seconds = time.perf_counter() - self._begun
        if self._live is not None and self._task is not None:
            self._live.update(self._task, description=text)
        elif self._live is None and seconds > QUIET_SECONDS:
            self.note(f"{seconds:.0f} s: {text}")

    def note(self, text: str) -> None:
        """Say something that stays."""
        self._console.print(text, markup=False, soft_wrap=True)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class _ForwardingHandler(logging.Handler):
    """Log records become details of the present phase."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.DEBUG)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        self._progress.detail(record.getMessage())
