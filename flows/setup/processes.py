"""Processes and ports of this machine, as `flows.setup.servers` needs them."""

import contextlib
import os
import signal
import socket
import urllib.request
from typing import Any

# A proxy of the user's has no business with addresses of this machine.
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answers(url: str) -> bool:
    try:
        with direct.open(url, timeout=3) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
        return True


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def is_pid(value: Any) -> bool:
    # 0 and below would be groups of processes.
    return type(value) is int and value > 0


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def send_signal(pid: int, number: signal.Signals) -> None:
    """To the server and what it started: it leads a process group of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
