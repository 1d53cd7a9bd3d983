"""Where no request may go: private, loopback and link-local addresses that the recipe does not name."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
ODD_HOST = re.compile(r"[%\s/\\@#?<>^|]")
"""Characters that no host has; whoever writes them hopes that two readers read them differently."""


class AddressRefused(OSError):
    """The address lies in a network that must not be asked."""


def is_public(address: str) -> bool:
    """Return whether an IP address is one of the public internet's, and leads to no other one by being translated."""
    ip = ipaddress.ip_address(address)
    if ip.is_multicast or ip.is_reserved or not ip.is_global:
        mapped = getattr(ip, "ipv4_mapped", None)
        return mapped is not None and mapped.is_global and not mapped.is_multicast
    return ip.version == 4 or all(inner.is_global and not inner.is_multicast for inner in _carried(ip))


def _carried(ip: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 addresses to which gateways would pass on what is sent to `ip`: 6to4, Teredo, NAT64."""
    carried = [ip.sixtofour] if ip.sixtofour else []
    carried += ip.teredo or ()
    if ip in NAT64:
        carried.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    return carried


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
    host = (url.raw_host or "").rstrip(".")
    if ODD_HOST.search(host):
        raise AddressRefused(f"{url.host} is no host")
    try:
        public = is_public(host)
    except ValueError:
        if _is_number(host):
            raise AddressRefused(f"{url.host} is an address in disguise") from None
        return  # a name: the resolver below looks at what it leads to
    if not public:
        raise AddressRefused(f"{url.host} is a private or loopback address")


def _is_number(host: str) -> bool:
    """Return whether the system would read `host` as an address though it is not written as one (127.1, 0x7f.1)."""
    try:
        socket.inet_aton(host)
    except (OSError, UnicodeError):
        return host.replace(".", "").isdigit()
    return True


def without_login(url: URL) -> URL:
    """Return `url` without the name and password that it may carry, and without a fragment: neither is ever sent."""
    bare = url.with_fragment(None)
    return bare.with_user(None) if url.user is not None or url.password is not None else bare


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


