"""Benchmarks that compare TinyTorch with its peers: `make bench`, or `python -m benchmarks`."""
