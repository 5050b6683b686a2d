"""Which addresses are asked: those of the open internet, unless a person allows others. A manifest is written by
somebody else; it could name the machine beside this one, and what that gives would lie among the pages.

A name is looked up once, here, and the connection is made to what was found: a second look-up could give another
answer.
"""

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit
from urllib.request import getproxies

import anyio
import httpcore
import httpx

from assets.domain.errors import FetchError

ALLOW = "set iiif.allow_private_addresses: true if it is meant"
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
MAX_ADDRESS_CHARS = 4_000


def check_address(address: str, *, allow_private: bool) -> None:
    """Raise FetchError for what is no address of a web server, or by its words alone one of this network's."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise FetchError(address, "is no address") from None
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise FetchError(address, "is no address that begins with http:// or https://")
    if len(address) > MAX_ADDRESS_CHARS or not address.isprintable():
        raise FetchError(address, "is no address: it is too long, or holds a character that none has")
    if parts.username is not None or parts.password is not None:
        raise FetchError(f"{parts.scheme}://...@{host}", "holds a name or a password, which Quire does not send")
    if allow_private:
        return
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith((".localhost", ".local", ".internal")):
        raise FetchError(address, f"is an address of this network; {ALLOW}")
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return
    if not is_public(str(found)):
        raise FetchError(address, f"is an address of this network; {ALLOW}")


def is_public(text: str) -> bool:
    """Whether an IP address is one of the open internet. Raises ValueError."""
    found = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


def transport(*, allow_private: bool) -> httpx.AsyncHTTPTransport | None:
    """What connects to public addresses alone; None, httpx's own, where any may be asked, or where a proxy is set in
    the environment: then only that one can look names up, and says who may be asked."""
    proxies = getproxies()
    if allow_private or any(name in proxies for name in ("http", "https", "all")):
        return None
    made = httpx.AsyncHTTPTransport()
    # httpx has no parameter for it (0.28); this is the pool that it makes itself, but for how it connects.
    made._pool = httpcore.AsyncConnectionPool(
        ssl_context=httpx.create_ssl_context(), max_connections=10, network_backend=_PublicBackend()
    )
    return made


class _PublicBackend(httpcore.AsyncNetworkBackend):
    def __init__(self) -> None:
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host} is not known: {error}") from None
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        # One of this network's among others could be taken the next time.
        if not addresses or not all(is_public(each) for each in addresses):
            raise FetchError(host, f"is an address of this network; {ALLOW}")
        failed: Exception | None = None
        for address in addresses:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed or httpcore.ConnectError(host)

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)
