"""`translate` with the patience of a test: a store that is silent, and a run that is dead, are found out in seconds.

    python -m tests.chaos.impatient run --input ...

Only this process is impatient. Ray's workers are others; there a silent store takes as long as it takes users.
"""

from __future__ import annotations

from translate.cli.app import main
from translate.records import lease
from translate.stores import _s3_client

READ_TIMEOUT_S = 4
LEASE_S = 6.0

if __name__ == "__main__":
    _s3_client.READ_TIMEOUT_S = READ_TIMEOUT_S
    lease.EXPIRES_AFTER_S = LEASE_S
    main()
