"""The threads in which episodes and graders wait for servers and boxes."""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

THREADS: Final = ThreadPoolExecutor(max_workers=512, thread_name_prefix="opencwm")
"""Of this process; threads begin when there is work for them."""
