"""What lies around a command and would end it in a traceback of a library before a line of ours runs."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from assets.domain.errors import ConfigError
from config.loading import read_dotenv

_PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY")
_SOCKS = ("socks5", "socks5h")


def check_surroundings(environ: Mapping[str, str], folder: Path) -> None:
    """Raise ConfigError for a ``.env`` in ``folder`` that Prefect cannot read, which it does while it is imported
    (3.9.1), and for a proxy that the HTTP clients cannot use: they look at all of them when they are made."""
    read_dotenv(folder / ".env")
    for name in (*_PROXIES, *map(str.lower, _PROXIES)):
        if not (proxy := environ.get(name)):
            continue
        scheme = urlsplit(proxy if "://" in proxy else f"http://{proxy}").scheme
        if scheme in _SOCKS and find_spec("socksio") is None:
            raise ConfigError(
                "a SOCKS proxy needs the package socksio: pip install socksio, or take the variable out",
                source="environment",
                key=name,
            )
        if scheme not in ("http", "https", *_SOCKS):
            raise ConfigError(
                f"a proxy of the kind {scheme}:// is not known; http, https, socks5 and socks5h are",
                source="environment",
                key=name,
            )
