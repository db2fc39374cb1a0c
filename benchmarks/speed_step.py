"""What a training step consists of: its floating-point operations, and where its time goes."""

import pandas as pd
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
    """Count the operations of matrix products and convolutions of a call of `step`."""
    with (counter := FlopCounterMode(display=False)):
        step()
    return counter.get_total_flops()


def profile_epoch(make_batches, train):
    """Say where the time of an epoch goes, whose batches `train(make_batches())` trains on.

    Returns shares of the time, without what an operator calls in turn: of all ``groups``, and of
    the 12 costliest ``operators`` of the training steps.
    """
    batches, in_batches = _profiled(make_batches)
    _, operators = _profiled(lambda: train(batches))
    groups = operators.groupby(group_of).sum().reindex([*GROUPS, PYTHON], fill_value=0.0)
    groups[BATCHES] = in_batches.sum()
    total = groups.sum()
    costliest = operators.nlargest(12) / total
    return {"groups": (groups / total).to_dict(), "operators": costliest.to_dict()}


def _profiled(work):
    with profile(activities=[ProfilerActivity.CPU]) as profiler, record_function("sknote::work"):
        result = work()
    seconds = {event.key: event.self_cpu_time_total for event in profiler.key_averages()}
    return result, pd.Series(seconds, dtype=float)


def group_of(operator):
    """Tell which of the groups an operator belongs to, by its name in torch's profiler."""
    name = operator.lower()
    # what only calls others: its own time is the framework's; an optimizer's step calls the net
    if name.startswith(("autograd::", "sknote::", "optimizer.")) or name.endswith("backward0"):
        return PYTHON
    fitting = (group for group, words in GROUPS.items() if any(word in name for word in words))
    return next(fitting, PYTHON)
