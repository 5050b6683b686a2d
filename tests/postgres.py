"""A PostgreSQL of a test's own, with the programs that the machine has."""

import contextlib
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.prefect_server import free_port

USER = "prefect"


def _program(name: str) -> str | None:
    """Debian keeps them apart from what a shell finds, by version."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    return shutil.which(name, path=os.pathsep.join([*map(str, reversed(places)), os.environ.get("PATH", "")]))


@contextlib.contextmanager
def running_postgres() -> Iterator[str]:
    """Start a cluster with a password on this machine, in a folder of its own; its address for Prefect. Skips the test
    where PostgreSQL is not installed."""
    initdb, control = _program("initdb"), _program("pg_ctl")
    if initdb is None or control is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    # Not below pytest's folder, into which only this user may look.
    with tempfile.TemporaryDirectory(prefix="quire-postgres-") as name:
        folder, password, port = Path(name), secrets.token_hex(8), free_port()
        data, secret = folder / "data", folder / "password"
        secret.write_text(password)
        who = _who()
        for path in (folder, secret):
            os.chown(path, who.pw_uid, who.pw_gid)

        def run(*command: str) -> None:
            done = subprocess.run(
                command,
                cwd=folder,
                user=who.pw_uid if os.getuid() == 0 else None,
                group=who.pw_gid if os.getuid() == 0 else None,
                # What the server inherits it keeps open.
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, done.stderr

        run(initdb, "-D", str(data), "-U", USER, "-A", "scram-sha-256", "--pwfile", str(secret))
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        run(control, "-D", str(data), "-l", str(folder / "postgres.log"), "-o", options, "-w", "start")
        try:
            yield f"postgresql+asyncpg://{USER}:{password}@127.0.0.1:{port}/postgres"
        finally:
            run(control, "-D", str(data), "-m", "fast", "-w", "stop")


def _who() -> pwd.struct_passwd:
    """PostgreSQL refuses to run as root: then the user that its package made."""
    return pwd.getpwnam("postgres") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
