"""Benchmarks: what the hub costs, beside a floor and beside what others would write.

`bin/tongban bench [NAME]` runs them; README.md says what each figure means. Nothing of the hub
imports this package.
"""
