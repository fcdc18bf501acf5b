"""Programs that print how fast and how small things are: `python -m benchmarks [name ...] [--quick]`.

A time alone says more about the machine than about the code. Every time here stands beside a yardstick that was measured in the
same loop, and what counts is the ratio.
"""
