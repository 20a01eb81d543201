"""`make bench`: requests and events a second. To come with the first issue on speed."""

from __future__ import annotations

import sys


def main() -> int:
    print("bench: nothing is measured yet", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
