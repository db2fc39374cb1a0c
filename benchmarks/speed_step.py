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

    Parameters
    ----------
    step : callable
        Called once.

    Returns
    -------
    int
        A multiplication and an addition are two.
    """
    counter = FlopCounterMode(display=False)
    with counter:
        step()
    return counter.get_total_flops()


def profile_epoch(make_batches, train, *, top=12):
    """Say where the time of an epoch goes.

    Parameters
    ----------
    make_batches : callable
        Returns a list of batches.
    train : callable
        Called with the list; trains a step on each.
    top : int, default=12
        How many operators to name.

    Returns
    -------
    dict
        ``groups``: group → share of the time, without what an operator calls in turn (they sum to
        1); ``operators``: the dearest ones of the training steps → share.
    """
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        with record_function("sknote::batches"):
            batches = make_batches()
        with record_function("sknote::steps"):
            train(batches)
    groups = dict.fromkeys([BATCHES, *GROUPS, PYTHON], 0.0)
    operators = {}
    for event in profiler.events():
        root = _root(event)
        if root not in ("sknote::batches", "sknote::steps"):
            continue
        seconds = event.self_cpu_time_total / 1e6
        if root == "sknote::batches":
            groups[BATCHES] += seconds
            continue
        groups[group_of(event.name)] += seconds
        operators[event.name] = operators.get(event.name, 0.0) + seconds
    total = sum(groups.values())
    dearest = sorted(operators, key=operators.get, reverse=True)[:top]
    return {
        "groups": {name: seconds / total for name, seconds in groups.items()},
        "operators": {name: operators[name] / total for name in dearest},
    }


def group_of(operator):
    """Tell which of the groups an operator belongs to, by its name.

    Parameters
    ----------
    operator : str
        As torch's profiler calls it.

    Returns
    -------
    str
    """
    name = operator.lower()
    # what only calls others: its own time is the framework's; an optimizer's step calls the net
    if name.startswith(("autograd::", "sknote::", "optimizer.")) or name.endswith("backward0"):
        return PYTHON
    for group, words in GROUPS.items():
        if any(word in name for word in words):
            return group
    return PYTHON


def _root(event):
    while event.cpu_parent is not None:
        event = event.cpu_parent
    return event.name
