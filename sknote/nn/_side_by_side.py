"""Run independent networks in threads of their own, forward and backward."""

from concurrent.futures import ThreadPoolExecutor

import torch

__all__ = ["side_by_side"]


def side_by_side(networks, *inputs):
    """Call several networks that share no parameters, as many at a time as torch has threads.

    Small networks gain little from threads within an operation. Results and gradients are those
    of calling one after the other on a single thread.

    Parameters
    ----------
    networks : sequence of callable
        Each is called as ``network(*inputs)``. They must not draw from torch's global generator.
    *inputs : object
        Of which the tensors need no gradient; if one does, the calls come one after the other.

    Returns
    -------
    list of Tensor
        What each network returned.
    """
    n_threads = min(torch.get_num_threads(), len(networks))
    needy = any(isinstance(value, torch.Tensor) and value.requires_grad for value in inputs)
    on_cpu = all(value.device.type == "cpu" for value in inputs if isinstance(value, torch.Tensor))
    if n_threads < 2 or needy or not on_cpu or torch.compiler.is_compiling():
        return [network(*inputs) for network in networks]
    run = _Runner(n_threads)
    if not torch.is_grad_enabled():
        return run(lambda network: network(*inputs), networks)
    anchor = torch.zeros((), requires_grad=True)  # or else autograd would see nothing to do
    return list(_SideBySide.apply(anchor, run, networks, inputs))


class _SideBySide(torch.autograd.Function):
    @staticmethod
    def forward(ctx, anchor, run, networks, inputs):
        def call(network):
            with torch.enable_grad():
                return network(*inputs)

        ctx.run, ctx.outputs = run, run(call, networks)
        return tuple(output.detach() for output in ctx.outputs)

    @staticmethod
    def backward(ctx, *gradients):
        # the networks' parameters get their gradients here; nothing is left for the anchor
        pairs = list(zip(ctx.outputs, gradients))
        ctx.run(lambda pair: torch.autograd.backward(*pair), pairs)
        return None, None, None, None


class _Runner:
    """Map a function over items in threads with the caller's settings of torch."""

    def __init__(self, n_threads):
        self.n_threads = n_threads

    def __call__(self, function, items):
        threads = torch.get_num_threads()
        inference = torch.is_inference_mode_enabled()
        gradients = torch.is_grad_enabled()
        cast, dtype = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

        def call(item):
            torch.get_num_threads()  # else torch would set the number again when it first asks
            torch.set_num_threads(1)  # of this thread alone
            try:
                with (
                    torch.inference_mode(inference),
                    torch.set_grad_enabled(gradients),
                    torch.autocast("cpu", dtype=dtype, enabled=cast),
                ):
                    return function(item)
            finally:
                torch.set_num_threads(threads)  # what threads to come begin with

        with ThreadPoolExecutor(self.n_threads) as pool:
            return list(pool.map(call, items))
