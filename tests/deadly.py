"""A folder in which reading one picture kills the process, as memory or a fault in a library would."""

from __future__ import annotations

import os
import signal
import sys

from jobs import make_job

from translate.batch.run import prepare, run
from translate.errors import TranslateError
from translate.progress import silent
from translate.records import lease
from translate.stores import open_store
from translate.stores.file import FileStore

DEADLY = "set1/0007.png"


class DeadlyFolder(FileStore):
    """Kills whoever gets `DEADLY`."""

    def get(self, key, **options):
        """As the contract says, for the other keys."""
        if key == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().get(key, **options)


if __name__ == "__main__":
    source, output, registry = sys.argv[1:]
    lease.EXPIRES_AFTER_S = 1.0
    try:
        ended = run(prepare(make_job(DeadlyFolder(source), open_store(output), registry)), "local", 1, silent, bool)
    except TranslateError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    print(ended.totals.ok, ended.totals.failed, ended.totals.codes)
