"""Optimizers, schedules, data loading, checkpoints and a training loop, as a plugin."""

from typing import TYPE_CHECKING

# Imported first: importing the core imports the active plugins, including this one.
from tinytorch_core.extend import lazy_names

if TYPE_CHECKING:
    from tinytorch_training.adam import Adam, AdamW
    from tinytorch_training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
    from tinytorch_training.clipping import clip_grad_norm, clip_grad_value
    from tinytorch_training.data import DataLoader, Dataset, TensorDataset
    from tinytorch_training.early_stopping import EarlyStopping
    from tinytorch_training.finite import NonFiniteError
    from tinytorch_training.metrics import accuracy
    from tinytorch_training.optimizer import Optimizer
    from tinytorch_training.plotting import plot_history
    from tinytorch_training.rmsprop import RMSprop
    from tinytorch_training.schedules import (
        CosineAnnealingLR,
        LinearLR,
        LRScheduler,
        SequentialLR,
        StepLR,
    )
    from tinytorch_training.sgd import SGD
    from tinytorch_training.trainer import Trainer

__version__ = "0.1.0"

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "CheckpointError",
    "CosineAnnealingLR",
    "DataLoader",
    "Dataset",
    "EarlyStopping",
    "LRScheduler",
    "LinearLR",
    "NonFiniteError",
    "Optimizer",
    "RMSprop",
    "SequentialLR",
    "StepLR",
    "TensorDataset",
    "Trainer",
    "accuracy",
    "clip_grad_norm",
    "clip_grad_value",
    "load_checkpoint",
    "plot_history",
    "save_checkpoint",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "adam": "Adam AdamW",
        "checkpoint": "CheckpointError load_checkpoint save_checkpoint",
        "clipping": "clip_grad_norm clip_grad_value",
        "data": "DataLoader Dataset TensorDataset",
        "early_stopping": "EarlyStopping",
        "finite": "NonFiniteError",
        "metrics": "accuracy",
        "optimizer": "Optimizer",
        "plotting": "plot_history",
        "rmsprop": "RMSprop",
        "schedules": "CosineAnnealingLR LinearLR LRScheduler SequentialLR StepLR",
        "sgd": "SGD",
        "trainer": "Trainer",
    },
)
