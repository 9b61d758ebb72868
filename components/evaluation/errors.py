"""Errors of the evaluation package.

Everything it raises on purpose:

    EvaluationError (a MixerError)
    ├── InvalidInputError (also ValueError)     an argument has the wrong shape, type or range
    ├── JournalError                            a results file cannot be continued
    └── MissingPackageError (also ImportError)  an optional package is needed and absent
"""

from __future__ import annotations

import importlib
from types import ModuleType

from mixer.errors import MixerError

__all__ = ["EvaluationError", "InvalidInputError", "JournalError", "MissingPackageError", "require"]


class EvaluationError(MixerError):
    """Base of everything this package raises on purpose."""


class InvalidInputError(EvaluationError, ValueError):
    """An argument does not have the expected shape, type or range; the message names all three."""


class JournalError(EvaluationError):
    """A results file belongs to another configuration, or is damaged before its last line."""


class MissingPackageError(EvaluationError, ImportError):
    """An optional package is not installed; the message says how to get it."""


def require(module: str, purpose: str) -> ModuleType:
    """Imports an optional module, or says what to install.

    Raises:
        MissingPackageError: the module's package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        message = f"{purpose} needs {package}, which is not installed: pip install {package}"
        raise MissingPackageError(message) from error
