"""Hidden tests of the convolution assignment.

`functions` holds the references; each of the other modules holds, for one group of functions, the
known mistakes and what its hidden tests feed a student's function. Most mistakes are the reference
with its inputs or its result bent: what a student's slip amounts to. Inputs part right from wrong
by their shapes: height is never width, channels in are never channels out, kernels are not square,
batches hold more than one sample.
"""

from autograder.references import Rules
from autograder.references.convolution import (
    backward,
    columns,
    counting,
    forward,
    matrix,
    pooling,
    size,
)

TASKS = {task.__name__: task() for task in (
    size.conv_out_size,
    forward.conv2d,
    columns.im2col,
    columns.conv2d_im2col,
    columns.col2im,
    backward.conv2d_backward,
    matrix.conv_matrix,
    pooling.max_pool2d,
    pooling.max_pool2d_backward,
    counting.count_parameters,
    counting.count_macs,
)}

RULES = Rules(
    operations=frozenset({
        "convolution", "_convolution", "convolution_backward", "mkldnn_convolution",
        "_slow_conv2d_forward", "_slow_conv2d_backward", "conv2d", "conv_transpose2d",
        "im2col", "col2im", "unfold", "unfold_backward",
        "max_pool2d", "max_pool2d_with_indices", "max_pool2d_with_indices_backward",
        "adaptive_max_pool2d", "adaptive_max_pool2d_backward", "max_pool3d_with_indices",
        "conv_tbc", "slow_conv3d", "slow_conv3d_forward", "slow_conv_dilated2d",
        "mkldnn_max_pool2d", "quantized_max_pool2d", "_convolution_pointwise",
    }),
    words=frozenset({
        *(f"{stem}{n}d" for n in (1, 2, 3) for stem in (
            "conv", "conv_transpose", "max_pool", "adaptive_max_pool", "Conv", "ConvTranspose",
            "MaxPool", "AdaptiveMaxPool", "LazyConv")),
        "convolution", "unfold", "fold", "Unfold", "Fold",
        "autograd", "backward", "vjp", "jvp", "jacobian", "jacrev", "jacfwd", "hessian", "grad",
        "linearize", "conv_tbc", "slow_conv3d",
    }),
)
