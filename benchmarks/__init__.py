"""Benchmarks: every number in ``docs/benchmarks.md`` comes from a script in this folder."""
