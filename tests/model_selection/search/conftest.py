"""What tests of searches share: a search that nothing disturbs, and a PostgreSQL server.

The server is on loopback, with its data in a temporary directory.
"""

import glob
import os
import shutil
import socket
import subprocess
import tempfile

import pytest
from toy_searches import X, Y, outcome, search


def _programs():
    """Folder of initdb and pg_ctl; Debian keeps them off the path."""
    on_path = shutil.which("initdb")
    if on_path:
        return os.path.dirname(os.path.realpath(on_path))
    return max(glob.glob("/usr/lib/postgresql/*/bin"), default="")


@pytest.fixture(scope="session")
def postgresql():
    """URL of a new, empty database, by name: ``postgresql("one")``."""
    pytest.importorskip("psycopg", reason="the extra 'cluster' is not installed")
    programs = _programs()
    if not os.path.exists(os.path.join(programs, "initdb")):
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    as_postgres = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []  # not as root
    folder = tempfile.mkdtemp(prefix="pg-", dir="/tmp")  # a socket's path must be short
    if as_postgres:
        shutil.chown(folder, "postgres")

    def run(program, *args):
        command = [*as_postgres, os.path.join(programs, program), *args]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout}{done.stderr}")

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data, log = os.path.join(folder, "data"), os.path.join(folder, "log")
    options = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off"
    server = ("-D", data, "-w", "-l", log)
    connect = ("-h", "127.0.0.1", "-p", str(port), "-U", "sknote")
    try:
        run("initdb", "-D", data, "-U", "sknote", "--auth=trust", "--encoding=UTF8", "--no-sync")
        run("pg_ctl", *server, "-o", options, "start")
        try:
            made = []

            def database(name):
                if name not in made:
                    run("createdb", *connect, name)
                    made.append(name)
                return f"postgresql+psycopg://sknote@127.0.0.1:{port}/{name}"

            yield database
        finally:
            run("pg_ctl", *server, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    log = str(tmp_path_factory.mktemp("undisturbed") / "log")
    return outcome(search(None, log, study_name=None, resume=False).fit(X, Y))
