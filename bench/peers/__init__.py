"""fastrnn beside PyTorch, ONNX Runtime and JAX: the same weights and inputs, one process each, in turns.

`python -m bench.peers --help`; how it measures and why: bench/README.md.
"""
