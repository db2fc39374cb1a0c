"""``sknote listen``: how notes are played, while they are."""

import contextlib
import signal
import sys
import threading

from sknote._input.choices import what_is_known
from sknote.cli._listen_sources import source_of
from sknote.cli._main import ALL_FAILED, DONE, INTERRUPTED, SOME_FAILED, say
from sknote.cli._output import make_writer

_FIELDS = ("event", "note", "at", "onset", "offset", "label", "probability", "runner_up")
_FIELDS += ("runner_up_probability",)
_CONFIDENT = ("level", "reason")  # of models that say how sure they are
_DIGITS = 6


def run(options):
    """Carry the command out; each event is written as soon as it is known."""
    from sknote.deploy import NoteStream
    from sknote.passages import instruments_of

    sound = source_of(options)  # what does not fit is said before anything is loaded
    model = _load(options.model)
    failures, n_judged, code = [], 0, DONE

    def failed(error):
        failures.append(error)
        say(error)

    with contextlib.ExitStack() as stack:
        rate, chunks = stack.enter_context(sound)
        if options.instrument is None and (known := instruments_of(model)):
            say(
                "listen: no instrument is named, which counts as unknown to the model. "
                f"{what_is_known(known)} Pass --instrument."
            )
        stream = NoteStream(
            model,
            options.instrument,
            sample_rate=rate,
            hop=options.hop or None,
            window=options.window or None,
        )
        more = _CONFIDENT if hasattr(model, "predict_with_confidence") else ()
        write = make_writer(options.form, (*_FIELDS, *more), _as_text)
        sys.stdout.flush()

        def tell(source):
            nonlocal n_judged
            for event in stream.listen(source, on_error=failed):
                n_judged += event.kind == "judged"
                write(_as_row(event, more))
                sys.stdout.flush()

        try:
            with _Interruptible(chunks) as source:
                tell(source)
        except KeyboardInterrupt:
            code = INTERRUPTED
        tell([])  # what is left
    if code == INTERRUPTED:
        say(f"interrupted after {stream.position:.1f} s and {n_judged} notes")
        return code
    if failures:
        return SOME_FAILED if n_judged else ALL_FAILED
    if not n_judged:
        say(f"no notes were found in {stream.position:.1f} s of sound")
    return DONE


def _load(path):
    if path.lower().endswith(".onnx"):
        from sknote.deploy import OnnxNoteClassifier

        return OnnxNoteClassifier(path)
    from sknote.deploy import load

    return load(path)


def _as_row(event, more):
    row = {"event": event.kind, "note": event.number}
    for name in (*_FIELDS[2:], *more):
        value = getattr(event, name)
        row[name] = round(value, _DIGITS) if isinstance(value, float) else value
    if row.get("level") == "unknown":  # which has no probability
        row["probability"] = None
    return row


def _as_text(row):
    said = [f"{row['at']:.3f}", row["event"], str(row["note"]), f"{row['onset']:.3f}"]
    if row["label"] is not None:
        ends = "-" if row["offset"] is None else f"{row['offset']:.3f}"
        probability = "-" if row["probability"] is None else f"{row['probability']:.3f}"
        said += [ends, str(row["label"]), probability]
        said += [row["reason"]] if row.get("reason") else []
    return "\t".join(said)


class _Interruptible:
    """A source of chunks; Ctrl-C ends the waiting for the next one, and nothing in its middle."""

    def __init__(self, chunks):
        self._chunks = chunks
        self._is_waiting = self._is_due = False
        self._before = None

    @property
    def n_waiting(self):
        return getattr(self._chunks, "n_waiting", 0)

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, *_):
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def __iter__(self):
        chunks = iter(self._chunks)
        while True:
            self._is_waiting = True
            try:
                if self._is_due:
                    raise KeyboardInterrupt
                chunk = next(chunks)
            except StopIteration:
                return
            finally:
                self._is_waiting = False
            yield chunk

    def _on_signal(self, *_):
        self._is_due = True
        if self._is_waiting:
            raise KeyboardInterrupt
