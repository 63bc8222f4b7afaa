"""Optimizers, schedules, data loading, checkpoints and a training loop, as a plugin."""

from typing import TYPE_CHECKING

# Imported first: importing the core imports the active plugins, including this one.
from tinytorch_core.extend import lazy_names

if TYPE_CHECKING:
    from tinytorch_training.adagrad import Adagrad
    from tinytorch_training.adam import Adam, AdamW
    from tinytorch_training.adam_variants import NAdam, RAdam
    from tinytorch_training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
    from tinytorch_training.clipping import clip_grad_norm, clip_grad_value
    from tinytorch_training.cycles import CosineAnnealingWarmRestarts, OneCycleLR
    from tinytorch_training.data import DataLoader, Dataset, TensorDataset
    from tinytorch_training.early_stopping import EarlyStopping
    from tinytorch_training.ema import EMA
    from tinytorch_training.factors import ConstantLR, LambdaLR, MultiplicativeLR, PolynomialLR
    from tinytorch_training.finite import NonFiniteError
    from tinytorch_training.lbfgs import LBFGS
    from tinytorch_training.lion import Lion
    from tinytorch_training.metrics import accuracy
    from tinytorch_training.muon import Muon
    from tinytorch_training.optimizer import Optimizer
    from tinytorch_training.plateau import ReduceLROnPlateau
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
    "EMA",
    "LBFGS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "CheckpointError",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "DataLoader",
    "Dataset",
    "EarlyStopping",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "Lion",
    "MultiplicativeLR",
    "Muon",
    "NAdam",
    "NonFiniteError",
    "OneCycleLR",
    "Optimizer",
    "PolynomialLR",
    "RAdam",
    "RMSprop",
    "ReduceLROnPlateau",
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
        "adagrad": "Adagrad",
        "adam": "Adam AdamW",
        "adam_variants": "NAdam RAdam",
        "checkpoint": "CheckpointError load_checkpoint save_checkpoint",
        "clipping": "clip_grad_norm clip_grad_value",
        "cycles": "CosineAnnealingWarmRestarts OneCycleLR",
        "data": "DataLoader Dataset TensorDataset",
        "early_stopping": "EarlyStopping",
        "ema": "EMA",
        "factors": "ConstantLR LambdaLR MultiplicativeLR PolynomialLR",
        "finite": "NonFiniteError",
        "lbfgs": "LBFGS",
        "lion": "Lion",
        "metrics": "accuracy",
        "muon": "Muon",
        "optimizer": "Optimizer",
        "plateau": "ReduceLROnPlateau",
        "plotting": "plot_history",
        "rmsprop": "RMSprop",
        "schedules": "CosineAnnealingLR LinearLR LRScheduler SequentialLR StepLR",
        "sgd": "SGD",
        "trainer": "Trainer",
    },
)
