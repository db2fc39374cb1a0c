"""A journal file that survives what dies in the middle of it: its lock, and its last line."""

import json
import os
import time
import uuid
import warnings
from contextlib import contextmanager, suppress

from optuna.exceptions import StorageInternalError
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from sknote.model_selection.search._process import is_dead, this_process

LOCK_GRACE_PERIOD = 30  # seconds after which a lock of who knows whom is lifted
PATIENCE = 2  # seconds of waiting for a lock of which nothing is said

_RECORD = b'{"op_code":'  # how a line of a journal begins
_BEGINS_TRIAL = 4  # the op_code of a line from which on there is one trial more


class DamagedJournalError(StorageInternalError):
    """A line is none that Optuna writes; the message says which one."""


class JournalFile(JournalFileBackend):
    """A journal that survives a writer which died, or a disk which filled, in the middle of a line.

    A line without its end would be joined by the next one, and nobody could read the journal again.
    """

    def __init__(self, path):
        self.path = os.path.realpath(path)
        self.lock = _Lock(self.path)
        self.line = 0  # number of the line that was read last, from 1
        self._read, self._n_trials = 0, 0  # lines that were read in a row, and trials begun there
        if os.path.exists(self.path) and not os.path.isfile(self.path):
            raise IsADirectoryError("it is a folder, or a device, and not a file")
        super().__init__(self.path, self.lock)
        self._refuse_other_file(path)
        with suppress(OSError), self._locked():  # who may not write, may look
            pass

    def read_logs(self, log_number_from):
        self.line, logs = log_number_from, super().read_logs(log_number_from)
        while True:
            self.line += 1
            try:
                log = next(logs, None)
            except ValueError as error:
                raise DamagedJournalError(f"line {self.line} is damaged: {error}") from error
            if log is None:
                return
            self._check_order(log)
            yield log

    def _check_order(self, log):
        """Refuse a record of a trial that was not begun before: the line that began it is lost."""
        if self.line == 1:
            self._read = self._n_trials = 0
        if self._read != self.line - 1:
            return
        self._read = self.line
        self._n_trials += log.get("op_code") == _BEGINS_TRIAL
        if "trial_id" in log and not 0 <= log["trial_id"] < self._n_trials:
            text = f"line {self.line} is of a trial whose beginning is missing before it"
            raise DamagedJournalError(text)

    def check_last_line(self):
        """Refuse a last line that is no record: Optuna would go on behind it, and then no more."""
        with open(self.path, "rb") as file:
            *whole, _ = file.read().split(b"\n")
        if whole and not _is_record(whole[-1]):
            self.line = len(whole)
            raise DamagedJournalError(f"line {self.line} is no record of a journal")

    def append_logs(self, logs):
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        try:
            with self._locked() as file:
                file.write(lines.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            with suppress(OSError), self._locked():
                pass
            raise StorageInternalError(str(error)) from error

    def _refuse_other_file(self, path):
        with open(self.path, "rb") as file:
            line = file.readline(2**20)
        # Without its end, the first line may itself be torn, or not have been begun.
        is_begun = line.startswith(_RECORD) or _RECORD.startswith(line)
        if _begins_study(line) if line.endswith(b"\n") else is_begun:
            return
        remedy = "Pass the path of a new file."
        if _is_record(line):
            remedy = f"It is one without its beginning. {remedy}"
        if line.startswith(b"SQLite format 3"):
            remedy = f"It is a database of SQLite: pass storage='sqlite:///{os.fspath(path)}'."
        raise ValueError(
            f"OptunaSearch: expected storage to be the path of a journal file of Optuna, got "
            f"{os.fspath(path)!r}, which is none. It was left as it is. {remedy}"
        )

    @contextmanager
    def _locked(self):
        """Open the file at its end, for this process alone, without the torn line of another."""
        self.lock.acquire()
        try:
            with open(self.path, "r+b") as file:
                end = file.seek(0, os.SEEK_END)
                if end:
                    file.seek(end - 1)
                    if file.read() != b"\n":
                        _cut_torn_line(file)
                yield file
        finally:
            self.lock.release()


def _cut_torn_line(file):
    file.seek(0)
    *whole, _ = file.read().split(b"\n")
    if not whole or _is_record(whole[-1]):
        file.truncate(sum(len(line) + 1 for line in whole))
    file.seek(0, os.SEEK_END)


def _begins_study(line):
    return _is_record(line) and json.loads(line)["op_code"] == 0


def _is_record(line):
    try:
        record = json.loads(line)
    except ValueError:
        return False
    return isinstance(record, dict) and "op_code" in record


class _Lock(JournalFileSymlinkLock):
    """Optuna's lock, a link that can be made only once; here it also names its holder.

    So it is known at once if that process is dead, on this machine. A holder elsewhere, or one that
    gives no name, is waited for as long as Optuna waits; what cannot be lifted then is an OSError,
    for which nobody waits again.
    """

    def __init__(self, path):
        super().__init__(path, LOCK_GRACE_PERIOD)
        self._path = path
        self._link = path + ".lock"
        self._name = None
        self._stuck = None  # a holder whose lock could not be lifted, and the error

    def acquire(self):
        self._name = json.dumps([*this_process(), uuid.uuid4().hex])
        seen, since, pause, has_said = None, time.monotonic(), 0.001, False
        try:
            while True:
                with suppress(FileExistsError):
                    os.symlink(self._name, self._link)
                    return True
                holder = self._holder()
                if self._stuck is not None and holder == self._stuck[0]:
                    raise self._stuck[1]
                if holder != seen:
                    seen, since = holder, time.monotonic()
                elif _is_dead(holder) or time.monotonic() - since > self.grace_period:
                    self._lift(holder)
                else:
                    if not has_said and time.monotonic() - since > PATIENCE:
                        has_said = True
                        self._say_what_is_waited_for()
                    time.sleep(pause)
                    pause = min(2 * pause, 0.1)
        except BaseException:
            self.release()
            raise

    def release(self):
        holder = self._holder()
        if holder is not None and holder[0] == self._name:
            os.unlink(self._link)

    def _say_what_is_waited_for(self):
        warnings.warn(
            f"OptunaSearch: waiting for {self._link!r}, by which another program, or another "
            f"machine, has locked the journal; what stays so for {self.grace_period} s is taken "
            "for left over, and lifted. Delete it if nobody else uses the journal.",
            UserWarning,
            stacklevel=2,
        )

    def _holder(self):
        """Name of the holder and the time since when; None if nobody holds the lock."""
        try:
            since = os.lstat(self._link).st_mtime_ns
            # other locks of Optuna are files
            return os.readlink(self._link) if os.path.islink(self._link) else "", since
        except FileNotFoundError:
            return None

    def _lift(self, holder):
        with _alone(self._path):  # else two that see the same could lift each other's
            if self._holder() != holder:
                return
            try:
                if os.path.isdir(self._link) and not os.path.islink(self._link):
                    os.rmdir(self._link)  # as some programs make
                else:
                    os.unlink(self._link)
            except FileNotFoundError:  # given back this very moment
                pass
            except OSError as error:
                text = f"the lock {self._link!r} cannot be lifted: {error.strerror}"
                self._stuck = holder, OSError(f"{text}. Delete it if nobody else uses the journal")
                raise self._stuck[1] from error


def _is_dead(holder):
    try:
        *process, _ = json.loads(holder[0])
        return is_dead(process)
    except (TypeError, ValueError):  # nobody, or of a process that gives no name
        return False


@contextmanager
def _alone(path):
    """Let one process of this machine at a time do what is inside, where the system can do that."""
    with open(path, "r+b") as file:
        with suppress(ImportError, OSError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)  # until the file is closed
        yield
