"""A server for models that answers as the managed service's endpoint does. Needs the extra ``serve``."""

try:
    import starlette  # noqa: F401
    import uvicorn  # noqa: F401
except ImportError as error:
    raise ImportError("serving needs Starlette and uvicorn: pip install 'factorec[serve]'") from error

from .app import create_app
from .limits import Limits
from .server import serve

__all__ = ["Limits", "create_app", "serve"]
