"""Every exception of the project and every exit code, on one page.

All of them are picklable (positional arguments only), because they travel between processes.
A user's mistake never ends in a traceback: the CLI prints ``str(error)`` and exits with ``exit_code``.
"""

from __future__ import annotations

EXIT_OK = 0
"""Done, or nothing to do."""
EXIT_INTERNAL = 1
"""A fault of the program. ``train``, ``retrain``, ``schedule --once`` also: the training gave up (`TrainingError`)."""
EXIT_USAGE = 2
"""A mistake in the command, the pipeline, the model or the data; the message says what to change."""
EXIT_ITEMS_FAILED = 3
"""It ran, and the outcome is bad. ``run``, ``retry``: too many images failed. ``verify``: pictures are altered,
unmarked or missing. ``data``: files cannot be read. ``doctor``: a problem was found."""
EXIT_STORAGE = 4
"""Storage, or a Ray cluster that was at work, could not be reached or refused."""
EXIT_LOCKED = 5
"""Somebody else is at work there, or was first."""
EXIT_INTERRUPTED = 130
"""Stopped by Ctrl-C: 128 and the number of SIGINT."""
EXIT_BROKEN_PIPE = 141
"""Whoever read the output has closed it, as ``head`` does: 128 and the number of SIGPIPE."""
EXIT_TERMINATED = 143
"""Stopped by SIGTERM: 128 and its number."""

class TranslateError(Exception):
    """Root of the tree. The message says what was wrong, what was expected and what to do."""

    exit_code = EXIT_INTERNAL

class InvariantError(TranslateError):
    """What must hold before something is committed does not hold: a fault of the program. Nothing was committed."""

class UsageError(TranslateError):
    """A flag, name, path or combination that cannot work."""

    exit_code = EXIT_USAGE

class ConfigError(UsageError):
    """A pipeline YAML that is not valid: unknown key, wrong type, contradiction."""

class UnknownNameError(UsageError):
    """A public name (architecture, objective, engine, pipeline ...) that no file carries."""

class WorkDigestError(UsageError):
    """The outputs that are there were made by other work (model, format, pixels ...)."""

class ModelError(TranslateError):
    """A model is missing, damaged, or of a kind that cannot be read."""

    exit_code = EXIT_USAGE

class DataError(TranslateError):
    """A training set that cannot be used; names what is missing or unreadable."""

    exit_code = EXIT_USAGE

class TrainingError(TranslateError):
    """Training gave up (for example: the loss stayed non-finite)."""

class WorkersDiedError(TrainingError):
    """Workers of a training died again and again; the same command resumes from the last checkpoint."""

class StoreError(TranslateError):
    """Storage could not be reached or refused; not the fault of one item."""

    exit_code = EXIT_STORAGE

class NotFoundError(StoreError):
    """No object has this key."""

class PreconditionError(StoreError):
    """A conditional put or get did not apply: the object exists already, or was changed."""

class UnsupportedError(StoreError):
    """The store does not know such a request."""

class AccessError(StoreError):
    """The store refused the credentials, or the clock is off."""

class UnavailableError(StoreError):
    """The store was busy, timed out or broke off, also after our own retries."""

class BusyError(UnavailableError):
    """The store is there, but says that it has too much to do, or failed inside; it asks for patience."""

class NoWorkersError(UsageError):
    """Ray cannot be reached, does not start, or has too few processors; another time the same may do."""

class ClusterError(TranslateError):
    """Ray was lost while a training ran on it; the same command resumes from the last checkpoint."""

    exit_code = EXIT_STORAGE

class LockedError(TranslateError):
    """Another run holds the output."""

    exit_code = EXIT_LOCKED

class PointersMovedError(LockedError):
    """Somebody else moved a model's champion since it was looked at."""

class ItemsFailedError(TranslateError):
    """More items failed than the allowed share."""

    exit_code = EXIT_ITEMS_FAILED

class ItemError(TranslateError):
    """One image could not be translated; an outcome of the job, not its end.

    ``code`` is stable and documented: ``input.truncated``, ``input.empty``, ``input.not_an_image``,
    ``input.too_large``, ``input.too_slow``, ``input.damaged``, ``input.unsupported_mode``, ``input.animated``,
    ``input.changed``, ``input.gone``, ``input.poison`` (workers died over it), ``output.invalid``,
    ``output.key_refused``, ``store.integrity``, ``store.archived`` (has to be restored first), ``store.unavailable``,
    ``store.access``, ``signer.unavailable``, ``internal.<stage>`` (an exception that nobody foresaw);
    ``output.exists`` is the code of a skipped one.
    """

    exit_code = EXIT_ITEMS_FAILED

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
