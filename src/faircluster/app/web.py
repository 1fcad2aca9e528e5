"""The page's routes: uploads in, progress and results out."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faircluster.app.guard import Guard, allowed_hosts
from faircluster.app.jobs import Job, Jobs
from faircluster.app.panels import Panels
from faircluster.app.store import Store
from faircluster.app.work import OBJECTIVES, read_request
from faircluster.report.tradeoff import COLUMNS
from faircluster.tables import Table, check_suffix, write_table

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["create_app"]

_MOST_JSON = 1 << 20
_STATIC = {
    "app.js": ("faircluster.app", "static/app.js", "text/javascript"),
    "app.css": ("faircluster.app", "static/app.css", "text/css"),
    "report.css": ("faircluster.report", "templates/report.css", "text/css"),
}
_REPORT_POLICY = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)  # the report's own policy, in the page, narrows the scripts to one


def create_app(
    folder: Path,
    *,
    token: str,
    host: str = "127.0.0.1",
    port: int = 8000,
    max_upload_bytes: int = 200_000_000,
) -> Starlette:
    """Make the ASGI application.

    Parameters
    ----------
    folder : Path
        For uploads and what is made of them.
    token : str
        Secret that the first address must have.
    host, port
        Where it will be served: the names it answers to follow from them.
    max_upload_bytes : int

    Returns
    -------
    Starlette

    Raises
    ------
    ImportError
        If starlette or jinja2 is missing.

    Examples
    --------
    >>> import tempfile
    >>> app = create_app(Path(tempfile.mkdtemp()), token="secret")
    >>> len(app.routes) > 5
    True
    """
    try:
        from starlette.applications import Starlette
        from starlette.middleware import Middleware
        from starlette.routing import Route
    except ImportError as error:
        message = 'the local page needs starlette: pip install "faircluster[data,report,app]"'
        raise ImportError(message, name="starlette") from error

    csrf = secrets.token_urlsafe(24)
    pages = _Pages(Store(folder), Jobs(), Panels(), csrf, max_upload_bytes)

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        yield
        pages.jobs.close()

    return Starlette(
        routes=[
            Route("/", pages.page),
            Route("/static/{name}", pages.static),
            Route("/uploads", pages.upload, methods=["POST"]),
            Route("/example", pages.example, methods=["POST"]),
            Route("/jobs", pages.start, methods=["POST"]),
            Route("/jobs/{job}", pages.progress),
            Route("/jobs/{job}/cancel", pages.cancel, methods=["POST"]),
            Route("/jobs/{job}/panel/{panel}", pages.panel),
            Route("/jobs/{job}/files/{name}", pages.download),
            Route("/forget", pages.forget, methods=["POST"]),
        ],
        middleware=[
            Middleware(
                Guard, token=token, csrf=csrf, hosts=allowed_hosts(host, port), cookie=f"faircluster-{port}"
            )
        ],
        lifespan=lifespan,
    )


class _Pages:
    """Answers to requests."""

    def __init__(self, store: Store, jobs: Jobs, panels: Panels, csrf: str, max_upload_bytes: int) -> None:
        self.store = store
        self.jobs = jobs
        self.panels = panels
        self.csrf = csrf
        self.max_upload_bytes = max_upload_bytes

    def page(self, request: Request) -> Response:
        from starlette.responses import HTMLResponse

        return HTMLResponse(
            self.panels.page(csrf=self.csrf, objectives=list(OBJECTIVES), most_bytes=self.max_upload_bytes)
        )

    def static(self, request: Request) -> Response:
        from importlib import resources

        from starlette.responses import Response

        found = _STATIC.get(request.path_params["name"])
        if found is None:
            return _problem("there is no such file", 404)
        package, path, kind = found
        return Response((resources.files(package) / path).read_bytes(), media_type=kind)

    async def upload(self, request: Request) -> Response:
        """Take the body as a file, counting bytes as they come."""
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import JSONResponse

        name = Path(request.query_params.get("name", "")).name[:200]
        try:
            suffix = check_suffix(name)
        except ValueError as error:
            return _problem(str(error))
        if int(request.headers.get("content-length") or 0) > self.max_upload_bytes:
            return _problem(self._too_large(), 413)
        key, folder = self.store.new_folder()
        size = 0
        with open(folder / f"upload{suffix}", "wb") as file:
            async for chunk in request.stream():
                size += len(chunk)
                if size > self.max_upload_bytes:
                    break
                file.write(chunk)
        try:
            if size > self.max_upload_bytes:
                raise _TooLargeError(self._too_large())
            found = await run_in_threadpool(self.store.read, key, folder, name)
            described = await run_in_threadpool(found.describe)
        except _TooLargeError as error:
            self.store.discard(folder)
            return _problem(str(error), 413)
        except ValueError as error:
            self.store.discard(folder)
            return _problem(str(error))
        return JSONResponse({"upload": key, **described})

    def _too_large(self) -> str:
        return (
            f"the file is larger than {self.max_upload_bytes / 1e6:,.0f} MB; start the page with --max-upload"
        )

    def example(self, request: Request) -> Response:
        import pyarrow as pa
        from starlette.responses import JSONResponse

        from faircluster.datasets import load_adult

        adult = load_adult()
        table = Table(pa.Table.from_pandas(adult.data, preserve_index=False), "Adult census data (1994)")
        key, folder = self.store.new_folder()
        found = self.store.add(key, folder, table.path, table)
        described = found.describe()
        suggested = {"sensitive": adult.sensitive_names, "features": adult.feature_names}
        return JSONResponse({"upload": key, **described, "suggested": suggested})

    async def start(self, request: Request) -> Response:
        from starlette.responses import JSONResponse

        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MOST_JSON:
                return _problem("the request is too long", 413)
        try:
            given = json.loads(body)
            upload = self.store.get(str(given["upload"]))
            asked = read_request(given, upload.table)
        except (json.JSONDecodeError, UnicodeDecodeError, TypeError, RecursionError):
            return _problem("the request cannot be read")
        except KeyError:
            return _problem("the file is no longer here; choose it again", 404)
        except ValueError as error:
            return _problem(str(error))
        return JSONResponse({"job": self.jobs.start(upload, asked, _write_results)})

    def progress(self, request: Request) -> Response:
        return self._of_job(request, lambda job: _json(_progress(job)))

    def cancel(self, request: Request) -> Response:
        def cancelled(job: Job) -> Response:
            job.cancel()
            return _json({})

        return self._of_job(request, cancelled)

    def panel(self, request: Request) -> Response:
        from starlette.responses import HTMLResponse

        def panel(job: Job) -> Response:
            text = self.panels.panel(request.path_params["panel"], job)
            return _problem("there is no such panel", 404) if text is None else HTMLResponse(text)

        return self._of_job(request, panel)

    def download(self, request: Request) -> Response:
        """Send a file of the results; the report may also be shown inside the page."""
        from starlette.responses import FileResponse

        def download(job: Job) -> Response:
            name = request.path_params["name"]
            path = job.upload.folder / name
            if name not in FILES or job.state != "done" or not path.is_file():
                return _problem("there is no such file yet", 404)
            if name == "report.html" and "show" in request.query_params:
                return FileResponse(
                    path, media_type="text/html", headers={"content-security-policy": _REPORT_POLICY}
                )
            return FileResponse(path, media_type=FILES[name], filename=name)

        return self._of_job(request, download)

    def forget(self, request: Request) -> Response:
        self.jobs.forget()
        self.store.forget()
        return _json({})

    def _of_job(self, request: Request, answer: Callable[[Job], Response]) -> Response:
        try:
            job = self.jobs.get(request.path_params["job"])
        except KeyError:
            return _problem("this work is no longer here; start it again", 404)
        return answer(job)


FILES = {
    "labels.csv": "text/csv; charset=utf-8",
    "labels.parquet": "application/vnd.apache.parquet",
    "tradeoff.csv": "text/csv; charset=utf-8",
    "audit.json": "application/json",
    "report.html": "text/html; charset=utf-8",
}


class _TooLargeError(Exception):
    """More bytes than are allowed."""


def _progress(job: Job) -> dict[str, Any]:
    found = job.results
    ready = {"plain": found.plain, "fair": found.fair, "tradeoff": found.curve}
    return {
        "state": job.state,
        "phase": job.phase,
        "problem": job.problem,
        "seconds": job.seconds,
        "ready": [name for name, result in ready.items() if result is not None],
    }


def _write_results(job: Job) -> None:
    """Write what can be downloaded into the folder of the upload."""
    import pyarrow as pa

    job.phase = "writing the report"
    found, folder, table = job.results, job.upload.folder, job.upload.table
    assert found.fair is not None
    assert found.plain_labels is not None
    assert found.fair_labels is not None
    for name, labels in (("plain_cluster", found.plain_labels), ("fair_cluster", found.fair_labels)):
        table = table.with_column(name, labels, overwrite=True)
    write_table(table, folder / "labels.csv", formulas="text")
    write_table(table, folder / "labels.parquet")
    found.fair.to_json(folder / "audit.json")
    found.fair.to_html(folder / "report.html", tradeoff=found.curve)
    if found.curve is not None:
        columns = {name: [row[name] for row in found.curve.rows] for name in COLUMNS}
        write_table(Table(pa.table(columns), "the curve"), folder / "tradeoff.csv", formulas="text")


def _json(value: Any) -> Response:
    from starlette.responses import JSONResponse

    return JSONResponse(value)


def _problem(text: str, status: int = 400) -> Response:
    from starlette.responses import JSONResponse

    return JSONResponse({"problem": text}, status_code=status)
