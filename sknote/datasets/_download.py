"""Downloads that continue where they were cut off, checked by pooch."""

import http.client
import re
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

_CHUNK = 1 << 20


class ResumingDownloader:
    """Downloader for `pooch.retrieve` that asks the server only for what is still missing.

    pooch's own downloader writes to a temporary file that is thrown away when the connection is
    lost. This one collects the bytes in the file ``part``, which stays until the download is
    complete, and asks for the rest with an HTTP range request (RFC 9110, section 14), in the same
    call or in a later one. It makes so many ``attempts`` in a call, the second one after ``wait``
    seconds and each further one after twice as many; ``timeout`` seconds without a byte end an
    attempt.
    """

    def __init__(self, part, *, attempts=5, wait=2.0, timeout=60.0, progressbar=False):
        self.part = Path(part)
        self.attempts = attempts
        self.wait = wait
        self.timeout = timeout
        self.progressbar = progressbar

    def __call__(self, url, output_file, pooch, check_only=False):
        """Download ``url`` to ``output_file``; the signature is pooch's.

        If the server refuses, or cut the connection at every attempt, that is a ConnectionError;
        what has come so far is kept.
        """
        for attempt in range(self.attempts):
            if attempt:
                time.sleep(self.wait * 2 ** (attempt - 1))
            try:
                if self._continue(url):
                    shutil.move(self.part, output_file)
                    return
                reason = "the connection was cut"
            except urllib.error.HTTPError as error:
                # The client is at fault (4xx): the same request again cannot help.
                if error.code < 500:
                    raise ConnectionError(f"{url}: the server answered {error}.") from error
                reason = str(error)
            except (OSError, http.client.HTTPException) as error:
                reason = str(error)
        raise ConnectionError(
            f"{url}: not complete after {self.attempts} attempts ({reason}). The "
            f"{self._size()} bytes that came are kept in {self.part}: call again to continue."
        )

    def _size(self):
        return self.part.stat().st_size if self.part.exists() else 0

    def _continue(self, url):
        """Append what the server gives; true when the file is as long as the server says."""
        have = self._size()
        # Without "identity" a server may compress, and byte positions would mean nothing.
        request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"})
        if have:
            request.add_header("Range", f"bytes={have}-")
        try:
            response = urllib.request.urlopen(request, timeout=self.timeout)
        except urllib.error.HTTPError as error:
            if error.code != 416:
                raise
            # Nothing lies beyond our end: all is here already, or these are not its bytes.
            error.close()
            if error.headers.get("Content-Range", "").endswith(f"/{have}"):
                return True
            self.part.unlink()
            return False
        with response:
            start, total = _extent(response)
            # A server that ignores ranges sends everything again, from the start.
            mode = "ab" if start == have else "wb"
            if start not in (0, have):
                raise ConnectionError(f"asked for byte {have}, the server sent byte {start}")
            bar = tqdm(
                desc=self.part.stem,
                total=total,
                initial=start,
                unit="B",
                unit_scale=True,
                disable=not self.progressbar,
            )
            with bar, open(self.part, mode) as file:
                while chunk := response.read(_CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))
        return total is None or self._size() == total


def _extent(response):
    """First byte that a response holds, and the length of the whole file (None if not told)."""
    if response.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        if match is None:
            raise ConnectionError("the server sent a part without saying which")
        return int(match[1]), int(match[2])
    length = response.headers.get("Content-Length")
    return 0, None if length is None else int(length)


def download(url, path, *, md5, progressbar=False, **options):
    """Download a file, unless it is there already with the right checksum, and return its path.

    Until it is complete and checked it is ``<path>.part``. What was cut off is a ConnectionError,
    and goes on when this is called again; with a wrong checksum, a ValueError, the file is deleted.
    ``options`` are further parameters of `ResumingDownloader`.
    """
    import pooch

    path = Path(path)
    downloader = ResumingDownloader(
        path.with_name(f"{path.name}.part"), progressbar=progressbar, **options
    )
    pooch.retrieve(
        url, known_hash=f"md5:{md5}", fname=path.name, path=path.parent, downloader=downloader
    )
    return path
