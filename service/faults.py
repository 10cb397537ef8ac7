"""Ends the process at a fault that it cannot outlive, so that whoever runs it starts it again."""

import logging
import os
import threading
from contextlib import suppress
from typing import NoReturn

EXIT_CODE = os.EX_SOFTWARE
_TELL_S = 2.0

_log = logging.getLogger("bentofleet")


def end_process(reason: str) -> NoReturn:
    """Says why in one line of the log, and ends the process whatever its threads do."""
    # In a thread of its own: the stuck one may hold the log's lock, or its reader may be gone.
    teller = threading.Thread(target=_log.critical, args=(reason,), daemon=True)
    with suppress(RuntimeError):  # no more threads can be had
        teller.start()
        teller.join(_TELL_S)
    os._exit(EXIT_CODE)
