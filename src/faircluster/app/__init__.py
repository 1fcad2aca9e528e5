"""A page on this machine to cluster and audit files without programming (extra ``app``)."""

from faircluster.app.server import serve
from faircluster.app.web import create_app

__all__ = ["create_app", "serve"]
