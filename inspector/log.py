"""One rotating log file, and one place where unexpected errors go."""

import logging
import sys
import threading
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

from inspector import paths


def start(verbose: bool = False) -> Path | None:
    """Log to `log_dir()/inspector.log` (1 MB, 5 old files).
    Returns the file, or None where it can't be written.

    Libraries' warnings go there too: without a handler at the root they would print over a progress bar.
    """
    logging.getLogger("inspector").setLevel(logging.DEBUG if verbose else logging.INFO)
    root = logging.getLogger()
    if root.handlers:
        return None
    target = paths.log_dir() / "inspector.log"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = RotatingFileHandler(
            target, maxBytes=1_000_000, backupCount=5, encoding="utf-8"
        )
    except OSError:
        root.addHandler(logging.NullHandler())
        return None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s"))
    root.addHandler(handler)
    return target


def catch_unexpected() -> None:
    """Send errors nobody caught, in any thread, to the log as well as to stderr."""
    logger = logging.getLogger("inspector.unexpected")
    previous = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        logger.critical("unexpected error", exc_info=(kind, error, trace))
        previous(kind, error, trace)

    def thread_hook(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            hook(args.exc_type, args.exc_value, args.exc_traceback)

    sys.excepthook = hook
    threading.excepthook = thread_hook
