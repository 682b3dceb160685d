"""Models: compositions of layers."""
from ..io import ModelFileError
from ..nn import load
from .charlm import CharLM

__all__ = ["CharLM", "ModelFileError", "load"]
