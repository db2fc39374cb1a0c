"""What a training step consists of: its floating-point operations, and where its time goes."""

from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils.flop_counter import FlopCounterMode

# Group → parts of the names of torch's operators; the first that fits counts
GROUPS = {
    "optimizer": ("adam", "optimizer", "clip_grad", "foreach"),
    "convolution": ("conv",),
    "matmul": ("aten::mm", "addmm", "bmm", "matmul", "linear", "einsum", "attention"),
    "normalisation": ("norm",),
    "dropout and random": ("dropout", "bernoulli", "rand", "uniform", "exponential"),
    "copies and types": ("copy", "clone", "aten::cat", "contiguous", "index", "gather", "empty"),
    "elementwise": ("aten::", "backward"),
}
BATCHES, PYTHON = "batches and augmentation", "Python and the framework"


def count_flops(step):
    """Count the operations of matrix products and convolutions, forward and backward.

    `step` is called once; a multiplication and an addition are two operations.
    """
    with (counter := FlopCounterMode(display=False)):
        step()
    return counter.get_total_flops()


def profile_epoch(make_batches, train, *, top=12):
    """Say where the time of an epoch goes, whose batches `train(make_batches())` trains on.

    Returns a dict: ``groups``, group → share of the time, without what an operator calls in turn
    (they sum to 1); ``operators``, the `top` costliest ones of the training steps → share.
    """
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        with record_function("sknote::batches"):
            batches = make_batches()
        with record_function("sknote::steps"):
            train(batches)
    groups, operators = dict.fromkeys([BATCHES, *GROUPS, PYTHON], 0.0), {}
    for event in profiler.events():
        root, seconds = event, event.self_cpu_time_total / 1e6
        while root.cpu_parent is not None:
            root = root.cpu_parent
        if root.name == "sknote::batches":
            groups[BATCHES] += seconds
        elif root.name == "sknote::steps":
            groups[group_of(event.name)] += seconds
            operators[event.name] = operators.get(event.name, 0.0) + seconds
    total = sum(groups.values())
    costliest = sorted(operators, key=operators.get, reverse=True)[:top]
    return {
        "groups": {name: seconds / total for name, seconds in groups.items()},
        "operators": {name: operators[name] / total for name in costliest},
    }


def group_of(operator):
    """Tell which of the groups an operator belongs to, by its name in torch's profiler."""
    name = operator.lower()
    # what only calls others: its own time is the framework's; an optimizer's step calls the net
    if name.startswith(("autograd::", "sknote::", "optimizer.")) or name.endswith("backward0"):
        return PYTHON
    fitting = (group for group, words in GROUPS.items() if any(word in name for word in words))
    return next(fitting, PYTHON)
