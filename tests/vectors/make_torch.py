"""Make torch.npz: what PyTorch computes in float64 for the cases of tests/torch_cases.py, one array a case.

    python tests/vectors/make_torch.py      (needs torch; the file says which version it was)
"""

import sys
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from torch_cases import CASES, by_torch, draw  # noqa: E402

if __name__ == "__main__":
    torch.set_num_threads(1)
    arrays = {"version": np.array(torch.__version__)}
    for seed, case in enumerate(CASES):
        found = by_torch(case, draw(case, seed), "float64")
        arrays[case.name] = np.concatenate([found[name].ravel() for name in sorted(found)])
    np.savez_compressed(HERE / "torch.npz", **arrays)
