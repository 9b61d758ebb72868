"""Structured logs; structlog is loaded when the first line is written, as it takes longer than all of mixer."""

from __future__ import annotations

from typing import Any


def logger(name: str) -> Any:
    """The structlog logger of that name, configured however the application configured structlog."""
    import structlog

    return structlog.get_logger(name)
