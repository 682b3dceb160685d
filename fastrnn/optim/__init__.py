"""Optimisers, clipping of gradients, and schedules of the learning rate.

An optimiser works on dicts from names to arrays and knows nothing of layers:

    layer.update(optimiser.step(layer.parameters(), gradients))
"""
from .clipping import clip_by_norm, clip_by_value
from .optimisers import SGD, Adagrad, Adam, AdamW, RMSprop
from .schedules import constant, cosine, step_decay, warm_up

__all__ = [
    "SGD", "Adagrad", "Adam", "AdamW", "RMSprop",
    "clip_by_norm", "clip_by_value",
    "constant", "cosine", "step_decay", "warm_up",
]
