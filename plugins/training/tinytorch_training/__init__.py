"""Optimizers, schedules, data loading, checkpoints and a training loop, as a plugin."""

from typing import TYPE_CHECKING

# Imported first: importing the core imports the active plugins, including this one.
from tinytorch_core.extend import lazy_names

if TYPE_CHECKING:
    from tinytorch_training.adagrad import Adagrad
    from tinytorch_training.adam import Adam, AdamW
    from tinytorch_training.adam_variants import NAdam, RAdam
    from tinytorch_training.averaging import AveragedWeights
    from tinytorch_training.callback import Callback
    from tinytorch_training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
    from tinytorch_training.checkpointing import ModelCheckpoint
    from tinytorch_training.clipping import clip_grad_norm, clip_grad_value
    from tinytorch_training.cycles import CosineAnnealingWarmRestarts, OneCycleLR
    from tinytorch_training.data import Dataset, TensorDataset
    from tinytorch_training.early_stopping import EarlyStopping
    from tinytorch_training.ema import EMA
    from tinytorch_training.epoch_metrics import (
        confusion_matrix,
        f1_score,
        mean_absolute_error,
        over_epoch,
        precision,
        r2_score,
        recall,
        roc_auc,
    )
    from tinytorch_training.factors import ConstantLR, LambdaLR, MultiplicativeLR, PolynomialLR
    from tinytorch_training.finite import NonFiniteError
    from tinytorch_training.lbfgs import LBFGS
    from tinytorch_training.lion import Lion
    from tinytorch_training.loader import DataLoader
    from tinytorch_training.logs import CSVLogger, JSONLogger, TensorBoard
    from tinytorch_training.metrics import accuracy
    from tinytorch_training.muon import Muon
    from tinytorch_training.optimizer import Optimizer
    from tinytorch_training.plateau import ReduceLROnPlateau
    from tinytorch_training.plotting import plot_history
    from tinytorch_training.rate_finder import LRFinderResult, lr_find
    from tinytorch_training.rmsprop import RMSprop
    from tinytorch_training.samplers import (
        BatchSampler,
        RandomSampler,
        Sampler,
        SequentialSampler,
        SubsetRandomSampler,
        WeightedRandomSampler,
    )
    from tinytorch_training.schedules import (
        CosineAnnealingLR,
        LinearLR,
        LRScheduler,
        SequentialLR,
        StepLR,
    )
    from tinytorch_training.sgd import SGD
    from tinytorch_training.subsets import ConcatDataset, IterableDataset, Subset, random_split
    from tinytorch_training.timing import Timing
    from tinytorch_training.trainer import Trainer
    from tinytorch_training.workers import WorkerError

__version__ = "0.1.0"

__all__ = [
    "EMA",
    "LBFGS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "AveragedWeights",
    "BatchSampler",
    "CSVLogger",
    "Callback",
    "CheckpointError",
    "ConcatDataset",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "DataLoader",
    "Dataset",
    "EarlyStopping",
    "IterableDataset",
    "JSONLogger",
    "LRFinderResult",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "Lion",
    "ModelCheckpoint",
    "MultiplicativeLR",
    "Muon",
    "NAdam",
    "NonFiniteError",
    "OneCycleLR",
    "Optimizer",
    "PolynomialLR",
    "RAdam",
    "RMSprop",
    "RandomSampler",
    "ReduceLROnPlateau",
    "Sampler",
    "SequentialLR",
    "SequentialSampler",
    "StepLR",
    "Subset",
    "SubsetRandomSampler",
    "TensorBoard",
    "TensorDataset",
    "Timing",
    "Trainer",
    "WeightedRandomSampler",
    "WorkerError",
    "accuracy",
    "clip_grad_norm",
    "clip_grad_value",
    "confusion_matrix",
    "f1_score",
    "load_checkpoint",
    "lr_find",
    "mean_absolute_error",
    "over_epoch",
    "plot_history",
    "precision",
    "r2_score",
    "random_split",
    "recall",
    "roc_auc",
    "save_checkpoint",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "adagrad": "Adagrad",
        "adam": "Adam AdamW",
        "adam_variants": "NAdam RAdam",
        "averaging": "AveragedWeights",
        "callback": "Callback",
        "checkpoint": "CheckpointError load_checkpoint save_checkpoint",
        "checkpointing": "ModelCheckpoint",
        "clipping": "clip_grad_norm clip_grad_value",
        "cycles": "CosineAnnealingWarmRestarts OneCycleLR",
        "data": "Dataset TensorDataset",
        "early_stopping": "EarlyStopping",
        "ema": "EMA",
        "epoch_metrics": """
            confusion_matrix f1_score mean_absolute_error over_epoch precision r2_score recall
            roc_auc
        """,
        "factors": "ConstantLR LambdaLR MultiplicativeLR PolynomialLR",
        "finite": "NonFiniteError",
        "lbfgs": "LBFGS",
        "lion": "Lion",
        "loader": "DataLoader",
        "logs": "CSVLogger JSONLogger TensorBoard",
        "metrics": "accuracy",
        "muon": "Muon",
        "optimizer": "Optimizer",
        "plateau": "ReduceLROnPlateau",
        "plotting": "plot_history",
        "rate_finder": "LRFinderResult lr_find",
        "rmsprop": "RMSprop",
        "samplers": """
            BatchSampler RandomSampler Sampler SequentialSampler SubsetRandomSampler
            WeightedRandomSampler
        """,
        "schedules": "CosineAnnealingLR LRScheduler LinearLR SequentialLR StepLR",
        "sgd": "SGD",
        "subsets": "ConcatDataset IterableDataset Subset random_split",
        "timing": "Timing",
        "trainer": "Trainer",
        "workers": "WorkerError",
    },
)
