"""Benchmarks: what a night costs. `python -m tests.bench --help` says how to run them.

No timed tests. Each benchmark runs its variants in turn in one go and gives medians and ratios,
because seconds say nothing about another machine.
"""

import sys
from pathlib import Path

# As pytest has it, whose tests import each other by their folders.
sys.path.append(str(Path(__file__).parents[1]))
