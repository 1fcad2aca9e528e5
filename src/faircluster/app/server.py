"""Serve the page, on the loopback address unless told otherwise."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import tempfile
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path

from faircluster.app.guard import is_loopback

__all__ = ["serve"]

logger = logging.getLogger("faircluster")


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    max_upload_bytes: int = 200_000_000,
    keep: str | os.PathLike[str] | None = None,
    open_browser: bool = True,
    on_ready: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve the page until interrupted.

    Parameters
    ----------
    host : str, default="127.0.0.1"
        With any address but a loopback one, others in the network who know the secret can use the page, and
        what is sent is not encrypted.
    port : int, default=0
        0 takes any that is free.
    max_upload_bytes : int, default=200_000_000
    keep : path, optional
        Folder for uploads and results. By default they are in a temporary folder that is removed at the end.
    open_browser : bool, default=True
    on_ready : callable, optional
        Called with the address, secret included, once the page can be opened.

    Raises
    ------
    ImportError
        If starlette or uvicorn is missing.
    OSError
        The address cannot be served on.

    Notes
    -----
    Starlette and uvicorn: small, maintained by one team, used by most Python services there are; the page
    needs routes, streams and responses, and neither models of data nor a development server.
    """
    try:
        import uvicorn
    except ImportError as error:
        message = 'the local page needs uvicorn: pip install "faircluster[data,report,app]"'
        raise ImportError(message, name="uvicorn") from error
    from faircluster.app.web import create_app
    from faircluster.app.work import warm_up

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener, tempfile.TemporaryDirectory() as scratch:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        port = listener.getsockname()[1]
        token = secrets.token_urlsafe(24)
        folder = Path(scratch)
        if keep is not None:
            folder = Path(keep)
            folder.mkdir(parents=True, exist_ok=True)
        application = create_app(folder, token=token, host=host, port=port, max_upload_bytes=max_upload_bytes)
        shown = "127.0.0.1" if host in ("0.0.0.0", "") else f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{port}/?token={token}"
        if not is_loopback(host):
            logger.warning("others in the network can reach this page, and nothing sent is encrypted")
        threading.Thread(target=warm_up, daemon=True).start()  # compiles while files are being chosen
        on_ready(address)
        if open_browser:
            threading.Timer(0.8, webbrowser.open, [address]).start()
        config = uvicorn.Config(
            application, log_level="warning", access_log=False, server_header=False, lifespan="on",
            timeout_graceful_shutdown=2,
        )  # fmt: skip
        uvicorn.Server(config).run(sockets=[listener])
