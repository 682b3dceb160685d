"""Benchmarks.  Every one checks its answer before it times it; ratios travel, absolute times do not."""
