"""A service that keeps 5 MB more every second."""

import sys
import time

kept = []
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    kept.append(bytearray(b"x") * 500_000)
    time.sleep(0.1)
