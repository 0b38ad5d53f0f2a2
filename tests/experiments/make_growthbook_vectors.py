#!/usr/bin/env python3
"""Makes tests/experiments/growthbook_vectors.json with GrowthBook's own Python package.

    pip install growthbook==4.0.0
    make_growthbook_vectors.py > growthbook_vectors.json
    make_growthbook_vectors.py --check growthbook_vectors.json    ends with 1 where they differ

Ends with status 77 where the package is not installed.
"""

import json
import random
import sys

try:
    from growthbook import Experiment, GrowthBook
    from growthbook.core import (chooseVariation, evalCondition, gbhash, getBucketRanges,
                                 inNamespace)
except ImportError:
    print("skipped: the Python package growthbook is not installed")
    sys.exit(77)

SEEDS = ["", "my-test", "price-2026", "søk", "日本", "a" * 40]
UNITS = ["1", "2", "user-17", "a", "ÅSE", "Ω-19", "😀", "0f8fad5b-d9cb-469f-a165-70867728950e",
         "me@example.org", " blank ", "zz" * 30]

CONDITIONS = [
    ({"country": "NO"}, {"country": "NO"}),
    ({"country": "NO"}, {"country": "SE"}),
    ({"country": "NO"}, {}),
    ({"age": 18}, {"age": 18.0}),
    ({"age": 18}, {"age": "18"}),
    ({"age": {"$gte": 18, "$lt": 65}}, {"age": 18}),
    ({"age": {"$gte": 18, "$lt": 65}}, {"age": 65}),
    ({"age": {"$gt": 18}}, {"age": "20"}),
    ({"age": {"$gt": 18}}, {"age": True}),
    ({"age": {"$gt": 18}}, {}),
    ({"age": {"$lte": 18}}, {"age": 18}),
    ({"name": {"$gt": "b"}}, {"name": "c"}),
    ({"name": {"$lt": "b"}}, {"name": "c"}),
    ({"country": {"$in": ["NO", "SE"]}}, {"country": "SE"}),
    ({"country": {"$in": ["NO", "SE"]}}, {"country": "DK"}),
    ({"country": {"$in": ["NO", 3]}}, {"country": 3}),
    ({"tags": {"$in": ["a", "b"]}}, {"tags": ["c", "b"]}),
    ({"tags": {"$in": ["a", "b"]}}, {"tags": ["c"]}),
    ({"tags": {"$nin": ["a", "b"]}}, {"tags": ["c"]}),
    ({"country": {"$nin": ["NO"]}}, {}),
    ({"country": {"$ne": "NO"}}, {"country": "NO"}),
    ({"country": {"$ne": "NO"}}, {}),
    ({"country": {"$eq": "NO"}}, {"country": "NO"}),
    ({"tags": {"$eq": ["a"]}}, {"tags": ["a"]}),
    ({"tags": ["a"]}, {"tags": ["a"]}),
    ({"tags": ["a"]}, {"tags": ["a", "b"]}),
    ({"flag": True}, {"flag": 1}),
    ({"flag": {"$exists": True}}, {"flag": False}),
    ({"flag": {"$exists": True}}, {}),
    ({"flag": {"$exists": False}}, {}),
    ({"address.city": "Oslo"}, {"address": {"city": "Oslo"}}),
    ({"address.city": "Oslo"}, {"address": {"city": "Bergen"}}),
    ({"address.city": "Oslo"}, {"address": "Oslo"}),
    ({"address": {"city": "Oslo"}}, {"address": {"city": "Oslo"}}),
    ({"$and": [{"a": 1}, {"b": 2}]}, {"a": 1, "b": 2}),
    ({"$and": [{"a": 1}, {"b": 2}]}, {"a": 1, "b": 3}),
    ({"$and": []}, {}),
    ({"$or": [{"a": 1}, {"b": 2}]}, {"a": 0, "b": 2}),
    ({"$or": [{"a": 1}, {"b": 2}]}, {"a": 0, "b": 0}),
    ({"$or": []}, {}),
    ({"$nor": [{"a": 1}, {"b": 2}]}, {"a": 0, "b": 0}),
    ({"$nor": [{"a": 1}, {"b": 2}]}, {"a": 1, "b": 0}),
    ({"$nor": []}, {}),
    ({"$not": {"a": 1}}, {"a": 1}),
    ({"$not": {"a": 1}}, {"a": 2}),
    ({"a": {"$not": {"$gt": 3}}}, {"a": 2}),
    ({"a": {"$not": {"$gt": 3}}}, {"a": 4}),
    ({"a": {"$not": {"$gt": 3}}}, {}),
    ({"a": None}, {}),
    ({"a": {}}, {"a": 5}),
    ({}, {"a": 1}),
]


def experiments():
    """Whole assignments: an experiment, attributes, and the index of the arm, -1 for none."""
    draw = random.Random(2026)
    for number in range(40):
        arms = draw.choice([2, 2, 3, 4])
        parts = [draw.randint(1, 9) for _ in range(arms)]
        weights = [part / sum(parts) for part in parts]
        experiment = {
            "key": f"experiment-{number}",
            "weights": weights,
            "coverage": draw.choice([1, 1, 0.5, 0.1]),
            "hashVersion": draw.choice([1, 2]),
            "seed": draw.choice([None, "shared-seed"]),
            "namespace": draw.choice([None, ["group", 0, 0.5], ["group", 0.3, 1]]),
            "condition": draw.choice([None, {"country": {"$in": ["NO", "SE"]}}]),
        }
        for _ in range(6):
            attributes = {"id": f"unit-{draw.randrange(10 ** 6)}",
                          "country": draw.choice(["NO", "DK"])}
            yield experiment, attributes


def whole_assignments():
    for experiment, attributes in experiments():
        book = GrowthBook(attributes=attributes)
        result = book.run(Experiment(
            key=experiment["key"], variations=list(range(len(experiment["weights"]))),
            weights=experiment["weights"], coverage=experiment["coverage"],
            hashVersion=experiment["hashVersion"], seed=experiment["seed"],
            namespace=experiment["namespace"] and tuple(experiment["namespace"]),
            condition=experiment["condition"]))
        arm = result.variationId if result.inExperiment else -1
        yield {"experiment": experiment, "attributes": attributes, "arm": arm}


def vectors():
    hashes = [{"seed": seed, "unit": unit, "version": version,
               "hash": gbhash(seed, unit, version)}
              for seed in SEEDS for unit in UNITS for version in (1, 2)]
    draw = random.Random(7)
    ranges = []
    for _ in range(60):
        arms = draw.randint(1, 6)
        parts = [draw.randint(1, 20) for _ in range(arms)]
        weights = [part / sum(parts) for part in parts]
        coverage = draw.choice([1, 0.5, 0.25, draw.random(), 0])
        made = getBucketRanges(arms, coverage, weights)
        places = [draw.randrange(10000) / 10000 for _ in range(8)]
        ranges.append({"weights": weights, "coverage": coverage, "ranges": made,
                       "chosen": [[place, chooseVariation(place, made)] for place in places]})
    groups = [{"unit": unit, "group": [name, low, high],
               "in": inNamespace(unit, (name, low, high))}
              for unit in UNITS for name in ("checkout", "søk")
              for low, high in ((0, 0.4), (0.4, 1), (0, 0.25))]
    conditions = [{"condition": condition, "attributes": attributes,
                   "holds": evalCondition(attributes, condition)}
                  for condition, attributes in CONDITIONS]
    return {"made_with": "growthbook 4.0.0 (PyPI), make_growthbook_vectors.py", "hashes": hashes,
            "ranges": ranges, "groups": groups, "conditions": conditions,
            "assignments": list(whole_assignments())}


def main():
    made = vectors()
    if len(sys.argv) == 3 and sys.argv[1] == "--check":
        with open(sys.argv[2], encoding="utf-8") as file:
            kept = json.load(file)
        made = json.loads(json.dumps(made))
        wrong = [name for name in made if made[name] != kept.get(name)]
        print("the same" if not wrong else "differ in " + ", ".join(wrong))
        sys.exit(bool(wrong))
    json.dump(made, sys.stdout, ensure_ascii=True, separators=(",", ":"))
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
