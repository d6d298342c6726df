"""Hidden tests of the normalization assignment.

`functions` holds the references; each of the other modules holds, for one group of functions, the
known mistakes and what its hidden tests feed a student's function. Where a test is about one thing,
its inputs are such that other slips make no difference: planes that are standardized already are
the same for every set of axes, and in wide pictures n and n - 1 are.
"""

from autograder.references import Rules
from autograder.references.normalization import (
    axes,
    backward,
    blocks,
    folding,
    forward,
    freezing,
    groups,
    layer,
    weights,
)

TASKS = {task.__name__: task() for task in (
    axes.which_axes,
    forward.batchnorm_forward,
    backward.batchnorm_backward,
    layer.BatchNorm2d,
    blocks.layer_norm,
    groups.group_norm,
    groups.instance_norm,
    weights.weight_norm,
    folding.fold_conv_bn,
    freezing.freeze_bn,
)}

RULES = Rules(
    operations=frozenset({
        "native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_functional",
        "_native_batch_norm_legit_no_training", "_batch_norm_with_update", "_batch_norm_no_update",
        "_batch_norm_with_update_functional", "cudnn_batch_norm", "miopen_batch_norm",
        "native_batch_norm_backward", "batch_norm_backward", "cudnn_batch_norm_backward",
        "miopen_batch_norm_backward", "batch_norm_update_stats",
        "native_layer_norm", "native_layer_norm_backward", "native_group_norm",
        "native_group_norm_backward", "_weight_norm_interface", "_weight_norm_interface_backward",
    }),
    words=frozenset({
        "batch_norm", "layer_norm", "group_norm", "instance_norm", "weight_norm", "_weight_norm",
        "native_batch_norm", "native_layer_norm", "native_group_norm", "batch_norm_update_stats",
        "LayerNorm", "GroupNorm", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d",
        "SyncBatchNorm", "FrozenBatchNorm2d", "_BatchNorm", "_NormBase", "parametrizations",
        "fuse_conv_bn_eval", "fuse_conv_bn_weights", "fusion",
        "autograd", "backward", "vjp", "jvp", "jacobian", "jacrev", "jacfwd", "hessian", "grad",
        "linearize",
    }),
)
