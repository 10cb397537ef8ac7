"""The yardstick of photos: decode, preprocess and model in one loop, without HTTP.

Reads a number of seconds per line, works for so long, answers with one line of JSON.
"""

import json
import sys
import time
from pathlib import Path

from benchmarks.rivals import same


def main() -> int:
    """Works until its input ends."""
    photos, body = same.Photos(), Path(sys.argv[1]).read_bytes()
    for line in sys.stdin:
        started, cpu = time.perf_counter(), time.process_time()
        end, count = started + float(line), 0
        while time.perf_counter() < end:
            photos.answers([photos.check(body)])
            count += 1
        figures = {
            "requests": count,
            "duration_s": time.perf_counter() - started,
            "cpu_s": time.process_time() - cpu,
        }
        sys.stdout.write(json.dumps(figures) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
