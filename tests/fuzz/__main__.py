"""Fuzzing by hand, for as long as there is time.

    python -m tests.fuzz decoder --minutes 10 --seed 1
    python -m tests.fuzz keys --minutes 10 --seed 1

Ends 1 if something was found.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.fuzz import decoder, keys


def main() -> int:
    """Parse, fuzz, say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("decoder", "keys"))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--findings", type=Path, default=Path("build/fuzz"), help="where bad inputs are saved")
    asked = parser.parse_args()
    if asked.what == "decoder":
        found = decoder.fuzz(asked.minutes * 60, asked.seed, asked.findings)
    else:
        found = keys.fuzz(asked.minutes * 60, asked.seed)
    print(found.words())
    return 1 if found.findings else 0


if __name__ == "__main__":
    sys.exit(main())
