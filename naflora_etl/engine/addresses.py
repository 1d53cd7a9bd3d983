"""Where no request may go: private, loopback and link-local addresses that the recipe does not name."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL


class AddressRefused(OSError):
    """The address lies in a network that must not be asked."""


def is_public(address: str) -> bool:
    """Return whether an IP address is one of the public internet's."""
    ip = ipaddress.ip_address(address)
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_global and not ip.is_multicast


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine by its very name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def host_of(url: URL) -> str:
    """Return the host of a URL, with the port where it is not the scheme's own."""
    host = (url.host or "").lower()
    return host if url.is_default_port() or url.port is None else f"{host}:{url.port}"


def check_url(url: URL, allowed: Collection[str]) -> None:
    """Raise AddressRefused unless `url` is http(s) and its host, when it is an address, is public or allowed."""
    if url.scheme not in ("http", "https") or not url.host:
        raise AddressRefused(f"{url} is not an http(s) address")
    if host_of(url) in allowed or url.host in allowed:
        return
    try:
        public = is_public(url.host)
    except ValueError:
        return  # a name: the resolver below looks at what it leads to
    if not public:
        raise AddressRefused(f"{url.host} is a private or loopback address")


class GuardedResolver(AbstractResolver):
    """Resolves names, and refuses those that lead to addresses which must not be asked."""

    def __init__(self, allowed: Collection[str]) -> None:
        self.allowed = allowed
        self.inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the public addresses of `host`; AddressRefused when it has none."""
        found = await self.inner.resolve(host, port, family)
        if host in self.allowed or f"{host}:{port}" in self.allowed:
            return found
        public = [address for address in found if is_public(address["host"])]
        if not public:
            raise AddressRefused(f"{host} leads to a private or loopback address")
        return public

    async def close(self) -> None:
        """Release the resolver."""
        await self.inner.close()


