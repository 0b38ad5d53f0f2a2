"""Ports for servers that are started again on the same one."""

import random
import socket


def free_port(address="127.0.0.1"):
    """A port that nobody uses now, and that the system gives to no outgoing connection: one of those
    would be in the way of a server that is started a moment later, or again."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        low, high = map(int, file.read().split())
    others = [port for port in range(10_000, 65_536) if not low <= port <= high]
    for port in random.SystemRandom().sample(others, min(1000, len(others))) or [0]:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind((address, port))
            except OSError:
                continue
            return one.getsockname()[1]
    raise OSError(f"no port of {address} is free")
