"""What never leaves this machine: the one thing that may go unencrypted.

A name is believed only where no resolver and no file could make it mean another machine.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, ip_address

_LOOPBACK_4 = IPv4Network("127.0.0.0/8")
_LOOPBACK_6 = IPv6Address("::1")


def is_this_machine(host: str) -> bool:
    """Whether `host`, a name or an address as an address bar has it, is `localhost`, in 127/8 or ::1."""
    if host.casefold() == "localhost":
        return True
    try:
        address = ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return address == _LOOPBACK_6 if isinstance(address, IPv6Address) else address in _LOOPBACK_4
