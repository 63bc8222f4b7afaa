"""Cases of normalization layers: calls and input shapes."""

SEQUENCE = (2, 4, 3)
IMAGE = (2, 4, 2, 3)

# In training and in evaluation.
CASES = [
    ("BatchNorm1d(3, track_running_stats=False)", (4, 3)),
    ("BatchNorm2d(4, bias=False)", IMAGE),
    ("InstanceNorm1d(4)", SEQUENCE),
    ("InstanceNorm1d(4, affine=True, track_running_stats=True)", SEQUENCE),
    ("InstanceNorm1d(4, momentum=None, track_running_stats=True)", SEQUENCE),
    ("InstanceNorm2d(4, 0.1, 0.3, affine=True, track_running_stats=True)", IMAGE),
    ("InstanceNorm2d(4, affine=True, bias=False)", IMAGE),
]

# The same in training and in evaluation.
STATELESS = [
    ("GroupNorm(2, 4)", (3, 4)),
    ("GroupNorm(1, 4, eps=0.1)", SEQUENCE),
    ("GroupNorm(4, 4, affine=False)", IMAGE),
    ("GroupNorm(2, 4, bias=False)", IMAGE),
    ("RMSNorm(4)", (3, 4)),
    ("RMSNorm((3, 4), eps=0.1)", (2, 3, 4)),
    ("RMSNorm(4, elementwise_affine=False)", (4,)),
]

# Inputs without a batch axis.
UNBATCHED = [
    ("InstanceNorm1d(4, affine=True, track_running_stats=True)", (4, 3)),
    ("InstanceNorm2d(4)", (4, 2, 3)),
]
