"""Manners towards servers: the section http."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from naflora_etl.recipe.section import Count, Section


class HostPolicy(Section):
    concurrency: Count = 2
    """Connections at a time; iDigBio's own ingestor uses 2."""
    per_second: Annotated[float, Field(gt=0)] = 2.0
    """Requests a second at most."""


class HttpOptions(Section):
    contact: str = ""
    """E-mail or web page in the User-Agent; needed before anybody but loopback is asked."""
    default: HostPolicy = HostPolicy()
    """Manners towards a host that is not named below."""
    hosts: dict[str, HostPolicy] = Field(default_factory=dict)
    """Manners towards single hosts, by name (and port, if it has one) or `*.domain`; known slow lanes are shipped."""
    lanes: str = ""
    """Folder through which processes, or machines that all see it, share a host's lane; empty: this machine's own."""
    allow_private_hosts: tuple[str, ...] = ()
    """Loopback or private hosts (host:port, or host) that may be asked; the sandbox's own are added by themselves."""
    tries: Count = 5
    """Tries for a transient failure, with exponential back-off and full jitter, or as Retry-After says."""
    total_timeout_s: Annotated[float, Field(gt=0)] = 120.0
    """Deadline for one answer, body included."""
    deadline_s: Annotated[float, Field(gt=0)] = 600.0
    """Deadline over all tries and redirects of one address; waiting for a turn at its host is not counted."""
    max_wait_s: Annotated[float, Field(ge=0)] = 120.0
    """Longest Retry-After that is waited for within a run; a longer one makes the failure transient."""
    obey_robots: bool = True
    """robots.txt and tdmrep.json of image servers, asked once a host, and opt-outs in headers."""

    @field_validator("allow_private_hosts")
    @classmethod
    def _hosts_alone(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:  # one that is no host would match nothing, and nobody would be told
            if "/" in host or "*" in host:
                raise ValueError(f"{host} is no host; name each one, as 127.0.0.1 or 127.0.0.1:8600")
        return value

    @property
    def known_hosts(self) -> Mapping[str, HostPolicy]:
        """The slow lanes that travel with the package, and why each is one: hosts.toml beside this file."""
        return known_hosts()


@lru_cache(maxsize=1)
def known_hosts() -> Mapping[str, HostPolicy]:
    """Return the manners of hosts.toml."""
    values = tomllib.loads(Path(__file__).with_name("hosts.toml").read_text(encoding="utf-8"))
    return {host: HostPolicy.model_validate(policy) for host, policy in values.items()}
