"""Benchmarks: what a night costs. `python -m tests.bench --help` says how to run them.

No timed tests. Each benchmark runs its variants in turn in one go and gives medians and ratios,
because seconds say nothing about another machine.
"""
