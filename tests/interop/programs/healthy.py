"""A service with little to do."""

import sys
import time

end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    sum(range(1_000))
    time.sleep(0.1)
