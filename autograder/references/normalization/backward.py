"""The backward pass of batch norm: known mistakes and hidden tests."""

from autograder.references import Behaviour, Mistake, Task
from autograder.references.normalization import functions as right
from autograder.references.normalization.inputs import per_channel, picture, positive


def _axes(x):
    return (0, *range(2, x.dim()))


def _by_x(change):
    """Another gradient by x; `change` gets the gradients by x_hat and the cache, ready to use."""
    def wrong(grad_output, cache):
        x_hat, inv_std, gamma, training = cache
        found = change(grad_output * per_channel(gamma, x_hat), x_hat,
                       per_channel(inv_std, x_hat), training, grad_output)
        return found, *right.batchnorm_backward(grad_output, cache)[1:]
    return wrong


def _closed(mean=True, slope=True, axes=_axes, total=lambda g, axes: g.mean(axes, keepdim=True),
            scale=lambda inv_std: inv_std, whose=lambda g, plain: g):
    """The closed form of the gradient by x, with some of its parts replaced or left out."""
    def change(g, x_hat, inv_std, training, plain):
        g, over = whose(g, plain), axes(x_hat)
        rest = g
        if training and mean:
            rest = rest - total(g, over)
        if training and slope:
            rest = rest - x_hat * total(g * x_hat, over)
        return rest * scale(inv_std)
    return _by_x(change)


def _by_parameters(change):
    """Other gradients by gamma and beta, from grad_output, x_hat and the right ones."""
    def wrong(grad_output, cache):
        by_x, by_gamma, by_beta = right.batchnorm_backward(grad_output, cache)
        return by_x, *change(grad_output, cache[0], by_gamma, by_beta)
    return wrong


BATCHNORM_BACKWARD = [
    Mistake("the mean and the variance count as constants",
            "x moves them: subtract the mean of g, and x_hat times the mean of g * x_hat, where "
            "g = gamma * grad_output.",
            _closed(mean=False, slope=False)),
    Mistake("the way through the mean is left out",
            "Raising one x raises the mean: subtract the mean of g.",
            _closed(mean=False)),
    Mistake("the way through the variance is left out",
            "x moves the variance: subtract x_hat times the mean of g * x_hat.",
            _closed(slope=False)),
    Mistake("sums stand where means belong",
            "Both corrections are means over the n numbers of a channel: divide by n.",
            _closed(total=lambda g, axes: g.sum(axes, keepdim=True))),
    Mistake("the corrections are divided by n - 1",
            "The batch's variance is the biased one: both are means over n.",
            _closed(total=lambda g, axes: g.sum(axes, keepdim=True)
                    / (g.numel() // g.shape[1] - 1))),
    Mistake("the corrections are means over the samples alone",
            "With pictures, a channel's mean goes over its rows and columns, too.",
            _closed(axes=lambda x: (0,))),
    Mistake("the corrections are means over each sample's pixels alone",
            "A channel's mean goes over all samples, too.",
            _closed(axes=lambda x: tuple(range(2, x.dim())) or (0,))),
    Mistake("the corrections are means over everything",
            "Each channel has its own: leave out axis 1.",
            _closed(axes=lambda x: tuple(range(x.dim())))),
    Mistake("gamma is left out of the gradient by x",
            "The gradient by x_hat is gamma * grad_output.",
            _closed(whose=lambda g, plain: plain)),
    Mistake("inv_std is left out of the gradient by x",
            "x was divided by the standard deviation: so is its gradient.",
            _closed(scale=lambda inv_std: 1)),
    Mistake("the gradient by x is divided by inv_std",
            "inv_std is 1 / sqrt(var + eps) already: multiply by it.",
            _closed(scale=lambda inv_std: 1 / inv_std)),
    Mistake("evaluation mode is treated as training",
            "The running statistics do not depend on x: with training=False nothing is subtracted.",
            lambda grad_output, cache: right.batchnorm_backward(grad_output, (*cache[:3], True))
            if cache[3] else _closed()(grad_output, (*cache[:3], True))),
    Mistake("x_hat is left out of the gradient by gamma",
            "gamma[c] multiplied x_hat: sum grad_output * x_hat.",
            _by_parameters(lambda g, x_hat, dg, db: (db, db))),
    Mistake("gamma's and beta's gradients are swapped",
            "The order is x, gamma, beta.",
            _by_parameters(lambda g, x_hat, dg, db: (db, dg))),
    Mistake("the gradients by gamma and beta are means",
            "Add up, do not average: each was used at every position of every sample.",
            _by_parameters(lambda g, x_hat, dg, db: (
                (g * x_hat).mean(_axes(g)), g.mean(_axes(g))))),
    Mistake("the gradients by gamma and beta are summed over the samples alone",
            "Their shape is (C,): sum over rows and columns, too.",
            _by_parameters(lambda g, x_hat, dg, db: ((g * x_hat).sum(0), g.sum(0)))),
    Mistake("the gradients by gamma and beta keep axes of size 1",
            "Their shape is (C,), that of gamma.",
            _by_parameters(lambda g, x_hat, dg, db: (per_channel(dg, g), per_channel(db, g)))),
]


def _upstream(draw, shape, training=True):
    """Arguments of batchnorm_backward: a gradient and what a forward pass kept."""
    x, gamma = picture(draw, *shape), draw.normal(shape[1]) - 2
    zero = 0 * gamma
    kept = right.batchnorm_forward(x, gamma, zero, zero.clone(), positive(draw, shape[1]),
                                   training, eps=0.1)[1]
    return draw.normal(*shape) + 0.5 * x.cos() + 1, kept


def batchnorm_backward():
    """Tests of the three gradients."""
    pictures = (4, 3, 5, 7), (2, 4, 2, 4), (1, 3, 6, 4), (3, 2, 1, 2)

    def behaviour(which, shapes, training=True):
        return Behaviour(lambda draw: [_upstream(draw, shape, training) for shape in shapes],
                         driver=f"normalization.{which}")

    return Task(right.batchnorm_backward, {
        "grad_x": behaviour("grad_x", pictures),
        "grad_gamma": behaviour("grad_gamma", pictures),
        "grad_beta": behaviour("grad_beta", pictures),
        "vectors": behaviour("grad_x", ((5, 3), (2, 4), (7, 2))),
        "eval": behaviour("grad_x", ((2, 3, 4, 5), (1, 2, 1, 1), (4, 3)), training=False),
    }, BATCHNORM_BACKWARD)
