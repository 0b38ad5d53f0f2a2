#!/usr/bin/env python3
"""What partitions that tell each other through Redis know, beside one server that has all users.

    python3 bench/fraud/partitions.py --tandem build/release/apps/tandem [--transactions 600]
        [--partitions 2] [--rate 0,50,500] [--model MODEL] [--json]

Sends one simulated stream, in which users of all partitions share merchants, addresses and devices, to
one server, to partitions with Redis and to partitions without, and compares what each knew when it
decided: a rule that always holds says ten features in its reason. A rate of 0 waits after each
transaction until the others have read it. Prints the table of docs/fraud.md: in how many decisions
each feature is the same, and how far off it is in the others. Needs Debian's package redis-server.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import sys
import tempfile
import time
import zlib

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "fraud"))

FEATURES = ["merchant_count_1h", "merchant_count_24h", "merchant_users_24h", "ip_count_24h", "ip_users_24h",
            "device_count_24h", "device_users_30d", "component_users", "component_cycles",
            "user_count_24h"]
RULES = "version 1\nrule told when true weight 0.2 reason \"known: " + " ".join(
    "{" + name + "}" for name in FEATURES) + "\"\n"


def partition_of(transaction, count):
    return zlib.crc32(transaction["user_id"].encode()) % count


def known(answer):
    """The features that an answer says, in their order."""
    for reason in json.loads(answer)["reasons"]:
        if reason["text"].startswith("known: "):
            numbers = re.findall(r"-?\d[\d.,]*(?:e[+-]?\d+)?|unknown|nan", reason["text"].lower())
            assert len(numbers) == len(FEATURES), reason["text"]
            return [float(one.replace(",", "")) if one[0] in "-0123456789" else None for one in numbers]
    raise AssertionError(f"the rule did not hold: {answer}")


def stream(count, seed):
    """Transactions of users who share a lot, with the times at which they are sent left out."""
    from server import Source
    source = Source(seed=seed, users=40, prefix=f"p{seed}-")
    transactions = []
    for i in range(count):
        draw = source.random
        transactions.append(source.next(
            merchant_id=f"merchant-{min(draw.randrange(12), draw.randrange(12))}",
            ip_address=f"10.1.0.{draw.randrange(15)}",
            device_id=f"device-{draw.randrange(60)}"))
    return transactions


class Servers:
    """One, or partitions with or without Redis."""

    def __init__(self, model, folder, name, count, redis=None):
        from fleet import start
        rules = folder / "rules.txt"
        rules.write_text(RULES)
        self.count = count
        self.servers = []
        for i in range(count):
            options = ["--rules", rules, "--durability", "os"]
            if count > 1:
                options += ["--partition", f"{i}/{count}"]
            if redis:
                options += ["--redis", redis.place, "--redis-prefix", name]
            self.servers.append(start(model, folder / f"{name}-{i}", *options))
        self.sent = [0] * count
        self.connections = [server.connection() for server in self.servers]

    def heard(self, number):
        from fleet import metric
        return metric(self.servers[number], "tandem_fraud_elsewhere_read_total")

    def settle(self):
        """Until each has read what the others have decided."""
        from fleet import until
        for i in range(self.count):
            wanted = sum(self.sent) - self.sent[i]
            until(lambda i=i, wanted=wanted: self.heard(i) >= wanted, f"server {i} reads {wanted}")

    def send(self, transaction):
        number = partition_of(transaction, self.count)
        status, content = self.servers[number].ask("POST", "/v1/transactions", transaction,
                                                   connection=self.connections[number])
        assert status == 200, content
        self.sent[number] += 1
        return content

    def stop(self):
        for connection in self.connections:
            connection.close()
        for server in self.servers:
            assert server.stop() == 0


def run(servers, transactions, rate, settle):
    """What was known for each transaction; rate 0 sends one after the other and waits in between."""
    found = []
    began = time.monotonic()
    if rate == 0:
        for transaction in transactions:
            found.append(known(servers.send(transaction)))
            if settle:
                servers.settle()
        return found
    with concurrent.futures.ThreadPoolExecutor(max_workers=servers.count) as pool:
        # One connection for each partition: the order within a partition stays.
        waiting = [[] for _ in range(servers.count)]
        for i, transaction in enumerate(transactions):
            waiting[partition_of(transaction, servers.count)].append((i, transaction))
        found = [None] * len(transactions)

        def serve(number):
            for i, transaction in waiting[number]:
                time.sleep(max(0.0, began + i / rate - time.monotonic()))
                found[i] = known(servers.send(transaction))
        for done in [pool.submit(serve, number) for number in range(servers.count)]:
            done.result()
    return found


def differences(wanted, found):
    """For each feature: the share of decisions that know the same, and the mean of how far off the others
    are, as a share of what is right."""
    table = {}
    for at, name in enumerate(FEATURES):
        same, off = 0, []
        for right, here in zip(wanted, found):
            if right[at] == here[at]:
                same += 1
            else:
                off.append(abs((here[at] or 0) - (right[at] or 0)) / max(abs(right[at] or 0), 1))
        table[name] = {"same": round(same / len(wanted), 4), "off": round(sum(off) / len(off), 4) if off else 0}
    return table


def compare(model, folder, redis, count=600, partitions=2, rates=(0,), seed=1):
    """By a name for each way of running: differences() from one server."""
    from fleet import metric  # noqa: F401
    transactions = stream(count, seed)
    whole = Servers(model, folder, f"whole-{seed}", 1)
    wanted = run(whole, transactions, 0, False)
    whole.stop()
    found = {}
    alone = Servers(model, folder, f"alone-{seed}", partitions)
    found["without Redis"] = differences(wanted, run(alone, transactions, 0, False))
    alone.stop()
    for rate in rates:
        told = Servers(model, folder, f"told-{seed}-{rate}", partitions, redis)
        from fleet import until
        for server in told.servers:
            until(lambda server=server: b'"without"' not in server.ask("GET", "/v1/summary")[1] and
                  metric(server, 'tandem_redis_up{client="listens"}') == 1, "Redis is reached")
        name = f"{rate} a second" if rate else "each waits for the one before"
        found[name] = differences(wanted, run(told, transactions, rate, True))
        told.settle()
        told.stop()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tandem", default=str(ROOT / "build/release/apps/tandem"))
    parser.add_argument("--tests", default=str(ROOT / "build/release/tests/tandem_fraud_tests"))
    parser.add_argument("--model")
    parser.add_argument("--transactions", type=int, default=600)
    parser.add_argument("--partitions", type=int, default=2)
    parser.add_argument("--rate", default="0,50,500")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    os.environ["TANDEM_PROGRAM"] = arguments.tandem
    os.environ["TANDEM_FRAUD_TESTS"] = arguments.tests
    if arguments.model:
        os.environ["TANDEM_FRAUD_MODEL"] = arguments.model
    from fleet import Redis
    from server import train
    Redis.require()
    with tempfile.TemporaryDirectory(prefix="tandem-partitions-") as name:
        folder = pathlib.Path(name)
        model = folder / "fraud.tandem"
        train(model)
        redis = Redis()
        try:
            found = compare(model, folder, redis, arguments.transactions, arguments.partitions,
                            [int(rate) for rate in arguments.rate.split(",")])
        finally:
            redis.stop()
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    names = list(found)
    print("| feature | " + " | ".join(f"{name}: the same, else off by" for name in names) + " |")
    print("| --- |" + " --: |" * len(names))
    for feature in FEATURES:
        print(f"| `{feature}` | " + " | ".join(
            f"{found[name][feature]['same']:.1%}, {found[name][feature]['off']:.1%}" for name in names) + " |")


if __name__ == "__main__":
    main()
