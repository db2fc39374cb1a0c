"""The way from an epoch of a network to the search that runs it, without importing Optuna."""

from contextvars import ContextVar

REPORT = ContextVar("report", default=None)  # what a search listens with while a fit runs


def report_epoch(score, epoch):
    """Report the score of an epoch to the search that runs this fit, if one does.

    Call it from a callback of a network at the end of each epoch, with a score on the network's
    *own* validation part: the fold that the trial is scored on must stay unseen. `NoteClassifier`
    does so, with the accuracy, if its `validation_fraction` is set. Outside of a
    search, or in one with ``steps_per_fold=1``, it does nothing. A fit that the pruner finds
    hopeless ends here.

    Parameters
    ----------
    score : float
        Greater is better, on the scale of the metric of the search.
    epoch : int
        Number of the epoch, from 0. Epochs from ``steps_per_fold - 1`` on are not reported.

    See Also
    --------
    OptunaSearch : its `steps_per_fold` and `pruner`.

    Examples
    --------
    >>> from sknote.model_selection import report_epoch
    >>> report_epoch(0.5, epoch=0)  # no search is running: nothing happens
    """
    report = REPORT.get()
    if report is not None:
        report(score, epoch)
