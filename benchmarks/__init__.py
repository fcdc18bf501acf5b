"""Programs that print how fast and how small things are: `python -m benchmarks [name ...] [--quick]`.

A time alone says more about the machine than about the code. Every time here stands beside a yardstick that was measured in the
same loop, and what counts is the ratio.

Where the yardstick is a library in C, the ratio also tells how the interpreter was built. Linux distributions and python.org
build CPython with profile-guided optimization; one built from source without `--enable-optimizations` takes some 15 % longer
for everything but the signatures. So the tables name the build.
"""
