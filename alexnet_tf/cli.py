"""What the verbs' command lines share: exit codes, and one line for a user's mistake."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from alexnet_tf.errors import JobError, UserError


def run(main: Callable[[Sequence[str] | None], int | None]) -> None:
    """Calls a verb's main and exits: 0 done, 1 failed, 2 a user's mistake, 130 interrupted."""
    try:
        sys.exit(main(None) or 0)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except JobError as error:
        print(f"failed: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
