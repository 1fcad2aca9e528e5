"""Work that goes on while the page asks how far it is."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from faircluster.app.store import Upload
from faircluster.app.work import Request, Results, run_request
from faircluster.bounds import InfeasibleBoundsError

__all__ = ["Job", "Jobs"]

logger = logging.getLogger("faircluster.app")


class _Cancelled(Exception):  # noqa: N818 - not an error
    """The user does not want it any more."""


class Job:
    """One request, from waiting to done.

    Parameters
    ----------
    upload : Upload
    request : Request

    Attributes
    ----------
    state : {"waiting", "running", "done", "failed", "cancelled"}
    phase : str
        What is being done.
    problem : str
        Why it failed, in words.
    results : Results
    """

    def __init__(self, upload: Upload, request: Request) -> None:
        self.upload = upload
        self.request = request
        self.state = "waiting"
        self.phase = "waiting for other work to end"
        self.problem = ""
        self.results = Results()
        self._begun = time.monotonic()
        self._ended: float | None = None
        self._unwanted = threading.Event()

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return (self._ended or time.monotonic()) - self._begun

    def cancel(self) -> None:
        """Ask it to end at the next step."""
        self._unwanted.set()

    def run(self, on_done: Callable[[Job], None]) -> None:
        """Do the work; whatever happens, end in a state that the page can show."""
        self.state = "running"
        try:
            run_request(self.request, self.upload.table, self.results, self._at)
            on_done(self)
            self.state = "done"
        except _Cancelled:
            self.state = "cancelled"
        except InfeasibleBoundsError as error:
            self._fail(f"These bounds cannot be met: {error}. Try more slack or fewer clusters.")
        except (ValueError, TimeoutError) as error:
            self._fail(str(error))
        except Exception as error:
            logger.exception("job failed")
            self._fail(f"Unexpected {type(error).__name__}: {error}. This is a fault of faircluster.")
        finally:
            self._ended = time.monotonic()

    def _at(self, phase: str) -> None:
        if self._unwanted.is_set():
            raise _Cancelled
        self.phase = phase

    def _fail(self, problem: str) -> None:
        self.state, self.problem = "failed", problem


class Jobs:
    """Jobs by a key that cannot be guessed; one runs at a time."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="faircluster")

    def start(self, upload: Upload, request: Request, on_done: Callable[[Job], None]) -> str:
        """Queue a job and drop what came before it on the same table."""
        for key, other in list(self._jobs.items()):
            if other.upload is upload:
                other.cancel()
                del self._jobs[key]
        key = secrets.token_urlsafe(12)
        job = self._jobs[key] = Job(upload, request)
        self._pool.submit(job.run, on_done)
        return key

    def get(self, key: str) -> Job:
        """Find a job.

        Raises
        ------
        KeyError
            There is none, or no longer.
        """
        return self._jobs[key]

    def forget(self) -> None:
        """Drop all jobs."""
        for job in self._jobs.values():
            job.cancel()
        self._jobs.clear()

    def close(self) -> None:
        """End; what runs is left at its next step."""
        self.forget()
        self._pool.shutdown(wait=False, cancel_futures=True)
