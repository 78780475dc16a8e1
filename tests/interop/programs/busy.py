"""A service that keeps a core busy, as far as it gets one."""

import sys
import time

end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    sum(range(10_000))
