"""Benchmarks: ratios measured in one run, since speeds drift between runs. `./dev bench [NAME]` runs them."""
