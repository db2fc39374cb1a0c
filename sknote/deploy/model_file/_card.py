"""model_card: what a file or a pipeline is, in words."""

import math
import os
import re

from sknote.confidence._answers import LEAF, UNKNOWN
from sknote.deploy._checks import WrongError
from sknote.deploy.model_file._hierarchy import decode_hierarchy
from sknote.deploy.model_file._model_file import ABOUT, reading, said_by
from sknote.deploy.model_file._pipeline import check_document, describe
from sknote.deploy.model_file._values import decode_axes

_NETWORKS = {"compact": "CompactNet", "analyzer": "NoteAnalyzer", "starter": "SimpleStarterModel"}
_MANY = 200  # rows of a table; of more, the first are shown


def model_card(model):
    """Tell of a model in Markdown: what it hears, how it was trained, and how good it is.

    All of it stands in the file that :func:`save` writes; of that, only the document is read.

    Parameters
    ----------
    model : str, path or Pipeline
        A file of `save`, or a pipeline that `save` takes.

    Returns
    -------
    str
        The card.

    Examples
    --------
    >>> from sknote.deploy import model_card
    >>> print(model_card("notes.sknote"))  # doctest: +SKIP
    # Notes to 2 labels
    ...
    """
    if isinstance(model, (str, os.PathLike)):
        with reading(model, "model_card") as archive:
            try:
                return _write(check_document(archive.document), archive.specs)
            except (AttributeError, LookupError, TypeError, ValueError) as error:
                raise WrongError(f"its steps are described otherwise ({error!r:.100})") from error
    with said_by("model_card"):
        document, arrays = describe(model, getattr(model, ABOUT, {}))
    return _write(document, {name: (one.dtype, one.shape) for name, one in arrays.items()})


def _write(document, specs):
    load, middle, classify = document["steps"]
    about, is_note = document["about"], document["kind"] == "note"
    labels = classify["classes"]["labels"]
    instruments = (classify if is_note else middle)["instruments"]
    n_numbers = sum(math.prod(shape) for _, shape in specs.values())
    facts = {
        "takes": f"recordings, decoded at {load['params']['sample_rate']} Hz",
        "looks at": _looks(middle, classify, is_note),
        "classifies by": _method(classify, specs, is_note, n_numbers),
        "instruments": ", ".join(instruments) or "none",
        "written by": ", ".join(f"{name} {one}" for name, one in document["versions"].items()),
    }
    if "confidence" in document:
        share = document["confidence"]["params"]["min_accuracy"]
        nodes = "a node above labels, " if document["confidence"]["rule"]["levels"] else ""
        asked = f"asked to be right in {share:g} of the answers"
        facts["answers"] = f"a label, {nodes}or unknown; {asked}"
    parts = [f"# Notes to {len(labels)} labels", _table(("", ""), facts.items())]
    if "confidence" in document:
        parts += ["## Answers out of fold", _measured(document["confidence"])]
    if about["scores"]:
        scores = {name: f"{value:.4g}" for name, value in about["scores"].items()}
        parts += ["## Scores", _table(("score", "value"), scores.items())]
    if about["data"]:
        parts += ["## Training data", _table(("", ""), about["data"].items())]
    counts = classify.get("class_count")
    parts.append("## Labels")
    if counts is None:
        parts.append(_table(("label",), [(label,) for label in labels]))
    else:
        rows = [(label, f"{count:g}") for label, count in zip(labels, counts)]
        parts.append(_table(("label", "training notes"), rows))
    if (hierarchy := about["hierarchy"]) is not None:
        named = hierarchy
        if not isinstance(hierarchy, str):
            named = ", ".join(decode_hierarchy(hierarchy).level_names)
        parts.append(f"Levels of the labels: {_plain(named)}.")
    told = [(name, value) for name, value in sorted(classify["params"].items())]
    parts += ["## Parameters of the classifier", _table(("parameter", "value"), told)]
    return "\n\n".join(parts) + "\n"


def _looks(middle, classify, is_note):
    if not is_note:
        return f"statistics of {middle['params']['n_mfcc']} cepstral coefficients"
    level = "" if classify["level"] == "absolute" else ", without their level"
    return f"spectrograms: {decode_axes(classify['axes'])}{level}"


def _method(classify, specs, is_note, n_numbers):
    if not is_note:
        (n_trees,) = specs["tree.n_nodes"][1]
        return f"gradient boosting, {n_trees} trees"
    module = classify["params"]["module"]
    name = _NETWORKS.get(module, module) if isinstance(module, str) else module["class"]
    epochs = len(classify["history"])
    return f"{name}, {n_numbers:,} numbers, trained for {epochs} epochs"


def _measured(confidence):
    """Tell what share of the notes of fit was answered at each level, and how many were right."""
    levels = [LEAF, *(level["name"] for level in confidence["rule"]["levels"]), UNKNOWN]
    shares = (confidence["measured"][name] for name in ("share", "accuracy"))
    shares = (["" if one is None else f"{one:.3f}" for one in own] for own in shares)
    return _table(("level", "share of the notes", "of it right"), zip(levels, *shares))


def _table(head, rows):
    rows = list(rows)
    lines = [head, ["---"] * len(head), *rows[:_MANY]]
    if len(rows) > _MANY:
        lines.append([f"... and {len(rows) - _MANY} more", *[""] * (len(head) - 1)])
    return "\n".join(f"| {' | '.join(map(_plain, line))} |" for line in lines)


def _plain(value):
    """Write a value so that nothing in it is taken for Markdown or HTML, and all is in one line."""
    text = value if isinstance(value, str) else repr(value)
    text = "".join(one if one.isprintable() else " " for one in text)[:300]
    for mark, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "&#124;")):
        text = text.replace(mark, entity)
    return re.sub(r"([\\`*_\[\]])", r"\\\1", text)
