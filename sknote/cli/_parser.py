"""The commands and their options; imports little more than argparse."""

import argparse
import re

_EXIT_CODES = """\
exit codes: 0 done; 1 nothing was done; 2 the command is wrong, or names something that is not
there; 3 some recordings failed, and the others are done; 130 interrupted. Results go to standard
output, everything else to standard error.
"""
_DATA = (
    "a folder instrument/label/*.wav, or a table (CSV) with the columns audio, instrument, label "
    "and group"
)


def make_parser():
    """Make the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="sknote",
        description="Hear how well single musical notes were played.",
        epilog=_EXIT_CODES,
    )
    parser.add_argument("--version", action=_Version, help="show the version and exit")
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=_Command
    )

    train = _add(commands, "train", "_train", "train a model on recordings, and write it to a file")
    _add_data(train)
    train.add_argument(
        "-o", "--output", type=_name, required=True, metavar="MODEL", help="file to write"
    )
    train.add_argument("--licence", metavar="NAME", help="of the recordings, for the model's card")

    evaluate = _add(
        commands, "evaluate", "_evaluate", "cross-validate on recordings, by whole groups"
    )
    _add_data(evaluate)
    evaluate.add_argument(
        "--folds", type=_folds, default=5, metavar="N", help="number of folds (default: 5)"
    )
    evaluate.add_argument(
        "--report",
        type=_name,
        metavar="FILE",
        help="writes an HTML page of tables and pictures, which needs nothing else",
    )
    _add_forms(evaluate)

    predict = _add(commands, "predict", "_predict", "tell how recorded notes were played")
    predict.add_argument("model", metavar="MODEL", help="a file of sknote train, or an .onnx file")
    predict.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="recordings; a folder stands for those in it, a table (.csv) with the columns audio "
        "and instrument for its rows, and - for names on standard input, one a line",
    )
    predict.add_argument("--instrument", metavar="NAME", help="that plays in the recordings")
    predict.add_argument(
        "--jobs", type=_positive, metavar="N", help="threads that read (default: all cores)"
    )
    predict.add_argument(
        "--cache",
        type=_name,
        metavar="FILE",
        help="keeps answers in a file, so that none is computed twice; made if it is not there",
    )
    _add_forms(predict)

    segment = _add(commands, "segment", "_segment", "cut recorded passages into notes")
    segment.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="recordings of one instrument each; also folders, tables and -, as in predict",
    )
    segment.add_argument("--model", metavar="MODEL", help="judges each note; as in predict")
    segment.add_argument("--instrument", metavar="NAME", help="that plays in the recordings")
    segment.add_argument(
        "--jobs", type=_positive, metavar="N", help="threads that read (default: all cores)"
    )
    _add_forms(segment)

    listen = _add(commands, "listen", "_listen", "tell how notes are played, while they are")
    _add_listening(listen)
    _add_forms(listen)

    export = _add(commands, "export", "_export", "write a model in a form for other programs")
    export.add_argument("model", metavar="MODEL", help="a file of sknote train")
    export.add_argument("folder", nargs="?", metavar="DIR", help="folder to write, with --web")
    form = export.add_mutually_exclusive_group(required=True)
    form.add_argument("--onnx", type=_name, metavar="FILE", help="ONNX file to write")
    form.add_argument(
        "--web", action="store_true", help="write a page that hears notes in a browser, into DIR"
    )
    export.add_argument("--title", metavar="TEXT", help="what the page calls the model")

    card = _add(commands, "card", "_card", "show what a model is and where it comes from")
    card.add_argument("model", metavar="MODEL", help="a file of sknote train")
    return parser


def _add(commands, name, module, text):
    parser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.set_defaults(module=module, command=name)
    return parser


def _add_data(parser):
    parser.add_argument("data", metavar="DATA", help=_DATA)
    parser.add_argument(
        "--group-pattern",
        type=_pattern,
        metavar="REGEX",
        help="finds what belongs together in the names of files, e.g. '^(?P<player>[^-]+)-'",
    )
    parser.add_argument(
        "--group-column", default="group", metavar="NAME", help="of a table (default: group)"
    )
    parser.add_argument(
        "--min-notes",
        type=_positive,
        default=1,
        metavar="N",
        help="leave out labels with fewer notes (default: 1)",
    )
    parser.add_argument(
        "--model",
        choices=["compact", "analyzer", "starter", "baseline"],
        default="compact",
        help="network, or the classical baseline (default: compact)",
    )
    parser.add_argument(
        "--practice", action="store_true", help="for recordings as users make them, anywhere"
    )
    text = "passes over the notes (default: 40, and up to 100 where notes are few)"
    parser.add_argument("--epochs", type=_positive, metavar="N", help=text)
    parser.add_argument("--seed", type=_seed, default=0, metavar="N", help="default: 0")
    parser.add_argument(
        "--min-accuracy",
        type=_share,
        metavar="SHARE",
        help="answer only where so many of the answers are right, such as 0.95, with part of the "
        "label where that is surer, and else 'unknown'; trains six times instead of once",
    )
    parser.add_argument(
        "--inner-folds",
        type=_folds,
        metavar="N",
        help="of --min-accuracy, which trains on each but one to hear what it is sure of (default: "
        "5, or fewer where no label is in so many groups)",
    )
    levels = parser.add_mutually_exclusive_group()
    levels.add_argument(
        "--levels",
        type=_levels,
        metavar="NAMES",
        help="of the labels, with what stands between them, such as tone/fault for labels like "
        "bad/air (default: quality-aspect-specific)",
    )
    levels.add_argument(
        "--hierarchy",
        choices=["good-sounds", "philharmonia"],
        help="levels and spelling of the labels, as in this data set",
    )


def _add_listening(parser):
    parser.add_argument("model", metavar="MODEL", help="a file of sknote train, or an .onnx file")
    parser.add_argument(
        "source",
        nargs="?",
        metavar="SOURCE",
        help="a recording, or - for standard input, WAV or --raw (default: the microphone)",
    )
    parser.add_argument("--instrument", metavar="NAME", help="that plays")
    parser.add_argument(
        "--device", type=_device, metavar="NAME", help="microphone, by its number or name"
    )
    parser.add_argument("--rate", type=_positive, metavar="HZ", help="of --raw or a microphone")
    parser.add_argument("--raw", choices=["int16", "float32"], help="SOURCE is samples alone")
    parser.add_argument("--channels", type=_channels, metavar="N", help="of --raw (default: 1)")
    for name, default, text in (
        ("--hop", 0.5, "from one provisional verdict to the next; 0 for none"),
        ("--window", 1.0, "that a provisional verdict hears; 0 for the whole note"),
    ):
        text = f"seconds {text} (default: {default:g})"
        parser.add_argument(name, type=_seconds, default=default, metavar="S", help=text)


def _add_forms(parser):
    forms = parser.add_mutually_exclusive_group()
    for form, text in (("csv", "a table with a header"), ("json-lines", "an object a line")):
        forms.add_argument(
            f"--{form}", dest="form", action="store_const", const=form, default="text", help=text
        )


def _positive(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return int(text)


def _folds(text):
    if not text.isdecimal() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"expected a whole number above 1, got {text!r}")
    return int(text)


def _levels(text):
    """Return what stands between names, and these."""
    names, separators = re.findall(r"[^\W_]+", text), re.findall(r"[\W_]+", text)
    if len(set(names)) != len(separators) + 1 or len(set(separators)) != 1:
        raise argparse.ArgumentTypeError(
            f"expected different names with the same sign between any two, such as tone/fault, "
            f"got {text!r}"
        )
    return separators[0], tuple(names)


def _seed(text):
    if not text.isdecimal() or int(text) >= 1 << 32:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 2**32 - 1, got {text!r}")
    return int(text)


def _name(text):
    if not text:
        raise argparse.ArgumentTypeError("expected the name of a file, got an empty one")
    return text


def _pattern(text):
    try:
        compiled = re.compile(text)
    except re.error as error:
        message = f"expected a regular expression, got {text!r}: {error}"
        raise argparse.ArgumentTypeError(message) from error
    if not compiled.groupindex:
        raise argparse.ArgumentTypeError(
            f"expected named parts, as in '^(?P<player>[^-]+)-', got {text!r}"
        )
    return text


def _share(text):
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"expected a number between 0 and 1, got {text!r}")
    return value


def _channels(text):
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"expected 1 to 64 channels, got {text!r}")
    return int(text)


def _device(text):
    return int(text) if text.isdecimal() else text


def _seconds(text):
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"expected seconds from 0 to 3600, got {text!r}")
    return value


class _Command(argparse.ArgumentParser):
    """A command whose words may stand before, between and behind its options."""

    _is_intermixed = False

    def parse_known_args(self, args=None, namespace=None):
        """Parse; of words that are too many, an error tells how the command is used."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown and not self._is_intermixed:
            self._is_intermixed = True  # as which it calls this method
            found, unknown = self.parse_known_intermixed_args(args, namespace)
            self._is_intermixed = False
            if unknown:
                self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown


class _Version(argparse.Action):
    def __init__(self, *args, **options):
        super().__init__(*args, nargs=0, **options)

    def __call__(self, parser, *_):
        from sknote import __version__

        print(f"sknote {__version__}")
        parser.exit()
