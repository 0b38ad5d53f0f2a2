"""`tandem fraud serve` and `replay` over sockets: decisions, ids that come again, labels, reviews,
rules that change, users who are erased, restarts."""

import json
import os
import signal
import subprocess
import threading
import time
import unittest

from server import PROGRAM, Fraud, Server, Source, replay, tandem, timestamp, without_time

RULES = """version {version}
rule large when amount > {amount} action {action} weight 0.1 reason "an amount of {{amount}}"
rule watched when true weight 1 dry-run reason "always"
"""


class Decisions(Fraud):
    def serve(self, name, *options):
        server = Server(self.model, self.path / name, *options)
        self.addCleanup(server.stop)
        return server

    def send(self, server, transaction, status=200):
        found, content = server.ask("POST", "/v1/transactions", transaction)
        self.assertEqual(found, status, content)
        return content

    def test_a_decision_says_what_was_promised(self):
        server = self.serve("promise")
        source = Source()
        answer = json.loads(self.send(server, source.next()))
        for name in ["transaction_id", "risk_score", "risk_level", "action", "reasons", "confidence",
                     "processing_time_ms", "model_version"]:
            self.assertIn(name, answer)
        self.assertTrue(0 <= answer["risk_score"] <= 1)
        self.assertTrue(0 <= answer["confidence"] <= 1)
        for _ in range(300):
            one = json.loads(self.send(server, source.next()))
            score = one["risk_score"]
            level = ("critical" if score >= 0.8 else "high" if score >= 0.6 else
                     "medium" if score >= 0.3 else "low")
            action = {"critical": "decline", "low": "approve"}.get(level, "manual_review")
            self.assertEqual((one["risk_level"], one["action"]), (level, action))
            self.assertAlmostEqual(min(1, sum(one["parts"].values())), score, delta=1e-5)
        # A list has an answer per transaction, in order.
        several = [source.next() for _ in range(5)]
        answers = server.post("/v1/transactions", several)
        self.assertEqual([one["transaction_id"] for one in answers],
                         [one["transaction_id"] for one in several])

    def test_what_is_no_transaction_is_refused_by_name(self):
        server = self.serve("refused")
        source = Source()
        for change, named in [({"amount": -1}, "amount"), ({"amount": "5"}, "amount"),
                              ({"currency": "XYZ"}, "currency"), ({"location": [91, 0]}, "location"),
                              ({"timestamp": "2026-01-31 12:00"}, "timestamp"),
                              ({"timestamp": timestamp(-3600)}, "timestamp"),
                              ({"card_last_four": "12"}, "card_last_four"),
                              ({"ip_address": "300.1.1.1"}, "ip_address"), ({"user_id": None}, "user_id"),
                              ({"colour": "red"}, "colour")]:
            answer = json.loads(self.send(server, source.next(**change), 400))
            self.assertIn(named, answer["error"])
        for body in ["", "{", "[]", "7", '{"amount": 1, "amount": 2}', "[" * 100, '"' + "x" * 1000,
                     "[{}]", "null", '{"a":{"b":{"c":{"d":1}}}}']:
            status, content = server.ask("POST", "/v1/transactions", body)
            self.assertEqual(status, 400, (body, content))
        # Nothing of a list is decided where one of it is none.
        good, bad = source.next(), source.next(amount=-1)
        status, content = server.ask("POST", "/v1/transactions", [good, bad])
        self.assertEqual(status, 400)
        self.assertIn("transaction 1", content.decode())
        server.get("/v1/transactions/" + good["transaction_id"], 404)

    def test_an_id_gives_its_first_answer_again(self):
        server = self.serve("again")
        source = Source()
        transaction = source.next()
        first = self.send(server, transaction)
        for _ in range(20):
            self.send(server, source.next(user_id=transaction["user_id"]))
        self.assertEqual(self.send(server, transaction), first)
        reordered = dict(reversed(list(transaction.items())))
        self.assertEqual(self.send(server, json.dumps(reordered, indent=3)), first)
        self.assertEqual(server.ask("GET", "/v1/transactions/" + transaction["transaction_id"]),
                         (200, first))
        for change in [{"amount": transaction["amount"] + 1}, {"user_id": "other"},
                       {"device_id": "other"}, {"timestamp": timestamp(1)}]:
            self.send(server, {**transaction, **change}, 409)
        self.assertEqual(self.send(server, transaction), first)
        server.get("/v1/transactions/nobody", 404)
        # Within one list too.
        one, other = source.next(), source.next()
        answers = server.post("/v1/transactions", [one, other, one, {**one, "amount": 1e6}])
        self.assertEqual(answers[0], answers[2])
        self.assertIn("error", answers[3])
        # And at the same time, over many connections.
        together = source.next()
        found = []
        threads = [threading.Thread(target=lambda: found.append(self.send(server, together)))
                   for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(set(found)), 1)
        # And after a restart, by snapshot and by log.
        for number in [signal.SIGTERM, signal.SIGKILL]:
            more = self.send(server, source.next())
            server.stop(number)
            server = self.serve("again")
            self.assertEqual(self.send(server, transaction), first)
            self.assertEqual(server.ask("GET", "/v1/transactions/" + json.loads(more)["transaction_id"]),
                             (200, more))
            self.send(server, {**transaction, "amount": 3}, 409)

    def test_replay_gives_the_same_bytes(self):
        for durability in ["sync", "os"]:
            name = "replay-" + durability
            server = self.serve(name, "--durability", durability, "--snapshot-records", 150)
            source = Source(seed=3, users=12)
            answers = {}
            for i in range(500):
                transaction = source.next()
                answers[transaction["transaction_id"]] = self.send(server, transaction)
                if i % 50 == 20:
                    server.post("/v1/labels", {"transaction_id": transaction["transaction_id"],
                                               "fraud": i % 100 == 20})
            wanted = [without_time(answer) for answer in answers.values()]
            # While the server runs, and after it was killed, restarted and stopped.
            self.assertEqual(replay(self.path / name, answers), wanted)
            server.stop(signal.SIGKILL)
            self.assertEqual(replay(self.path / name, answers), wanted)
            server = self.serve(name, "--durability", durability)
            transaction = source.next()
            answers[transaction["transaction_id"]] = self.send(server, transaction)
            self.assertEqual(server.stop(), 0)
            wanted = [without_time(answer) for answer in answers.values()]
            self.assertEqual(replay(self.path / name, answers), wanted)
            summary = json.loads(tandem("fraud", "replay", "--state", self.path / name, "--json"))
            self.assertEqual(summary["transactions"], 501)
            self.assertEqual(summary["labels"], 10)
            # No identifier is in what was written.
            for file in (self.path / name).rglob("*"):
                if file.is_file():
                    content = file.read_bytes()
                    for text in [b"user-1", b"merchant-", b"device-", b"10.0."]:
                        self.assertNotIn(text, content, file)
            # Other rules decide otherwise: what is printed is computed.
            rules = self.path / "other-rules.txt"
            rules.write_text(RULES.format(version=9, amount=0, action="decline"))
            other = replay(self.path / name, answers, "--by-rules", rules)
            self.assertEqual(len(other), len(wanted))
            self.assertTrue(all(a != b and '"action":"decline"' in a for a, b in zip(other, wanted)))

    def test_rules_are_swapped_while_it_decides(self):
        server = self.serve("rules")
        source = Source(seed=5)
        answers = {}

        def send(**changes):
            transaction = source.next(**changes)
            answers[transaction["transaction_id"]] = self.send(server, transaction)
            return json.loads(answers[transaction["transaction_id"]])

        send()
        rules = RULES.format(version=2, amount=1000, action="decline")
        checked = server.post("/v1/rules?check=1", rules)
        self.assertEqual((checked["rules"], checked["in_force"]), (2, False))
        self.assertNotIn("rules 2-", send(amount=5000.0)["decided_by"])
        server.post("/v1/rules", rules)
        declined = send(amount=5000.0)
        self.assertEqual((declined["action"], declined["risk_level"]), ("decline", "critical"))
        self.assertIn("an amount of 5000", [reason["text"] for reason in declined["reasons"]])
        self.assertIn("rules 2-", declined["decided_by"])
        hits = {rule["name"]: rule["hits"] for rule in server.get("/v1/rules")["rules"]}
        self.assertEqual(hits, {"large": 1, "watched": 1})
        # What is wrong is said by line and column, and changes nothing.
        error = server.post("/v1/rules", "version 3\nrule r when amout > 1", 400)["error"]
        self.assertIn("rules:2:13: there is no feature 'amout'; did you mean amount?", error)
        self.assertEqual(send(amount=5000.0)["action"], "decline")
        # By the file and SIGHUP.
        (server.state / "rules.txt").write_text(RULES.format(version=3, amount=1000, action="approve"))
        server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 30
        last = send(amount=5000.0)
        while "rules 3-" not in last["decided_by"] and time.monotonic() < end:
            time.sleep(0.01)
            last = send(amount=5000.0)
        self.assertEqual(last["action"], "approve")
        (server.state / "rules.txt").write_text("version x")
        server.process.send_signal(signal.SIGHUP)
        self.assertEqual(send(amount=5000.0)["action"], "approve")
        # Replay knows which rules decided when; a start with a broken file is refused.
        wanted = [without_time(answer) for answer in answers.values()]
        server.stop()
        self.assertEqual(replay(server.state, answers), wanted)
        self.assertIn("rules.txt:1:9", tandem("fraud", "serve", "--model", self.model, "--state",
                                              server.state, "--http", "127.0.0.1:0", status=2))

    def test_labels_and_reviews(self):
        server = self.serve("labels")
        source = Source(seed=7)
        server.post("/v1/rules", RULES.format(version=2, amount=10, action="review"))
        transactions = [source.next(amount=20.0 if i % 3 == 0 else 5.0) for i in range(30)]
        for transaction in transactions:
            self.send(server, transaction)
        found = server.get("/v1/reviews?most=100")
        self.assertGreaterEqual(found["waiting"], 10)
        self.assertEqual(found["waiting"], len(found["reviews"]))
        review = found["reviews"][0]
        self.assertIn(review["transaction_id"], [one["transaction_id"] for one in transactions])
        answer = server.post("/v1/reviews/" + review["key"], {"fraud": True})
        self.assertEqual(answer, {"key": review["key"], "fraud": True, "known_before": False})
        again = server.post("/v1/reviews/" + review["key"], {"fraud": True})
        self.assertTrue(again["known_before"])
        second = found["reviews"][1]
        server.post("/v1/reviews/" + second["key"], {"fraud": False})
        self.assertEqual(server.get("/v1/reviews")["waiting"], found["waiting"] - 2)
        server.post("/v1/reviews/0000000000000000", {"fraud": True}, 404)
        server.post("/v1/reviews/xyz", {"fraud": True}, 400)
        server.post("/v1/reviews/" + second["key"], {"fraud": 1}, 400)
        # By the bank, later; a label of what is not known is refused.
        some = transactions[1]["transaction_id"]
        self.assertFalse(server.post("/v1/labels", {"transaction_id": some, "fraud": True})["known_before"])
        several = server.post("/v1/labels", {"labels": [
            {"transaction_id": some, "fraud": True}, {"transaction_id": "nobody", "fraud": True},
            {"transaction_id": transactions[2]["transaction_id"], "fraud": False,
             "timestamp": timestamp()}]})["labels"]
        self.assertEqual([one.get("known_before") for one in several], [True, None, False])
        server.post("/v1/labels", {"transaction_id": "nobody", "fraud": True}, 404)
        server.post("/v1/labels", {"transaction_id": some}, 400)
        summary = server.get("/v1/summary")
        self.assertEqual(summary["state"]["labels"], 4)
        # Said otherwise, and once more, in one list: the last one counts, once. What is found out is
        # found out by now.
        user = "taken-back"
        wrong = source.next(user_id=user)
        self.send(server, wrong)
        said = server.post("/v1/labels", {"labels": [
            {"transaction_id": wrong["transaction_id"], "fraud": fraud}
            for fraud in [True, True, False, True, False]]})["labels"]
        self.assertEqual([one["known_before"] for one in said], [False, True, False, False, False])
        server.post("/v1/rules", "version 9 rule offender when user_frauds >= 1 action decline reason \"known\"")
        self.assertNotEqual(json.loads(self.send(server, source.next(user_id=user)))["action"], "decline")
        server.post("/v1/labels", {"transaction_id": wrong["transaction_id"], "fraud": True})
        self.assertEqual(json.loads(self.send(server, source.next(user_id=user)))["action"], "decline")
        for when, why in [(timestamp(-4000), "ahead of the server's clock"), ("yesterday", "timestamp")]:
            refused = server.post("/v1/labels", {"labels": [
                {"transaction_id": some, "fraud": True},
                {"transaction_id": some, "fraud": True, "timestamp": when}]}, 400)
            self.assertIn("label 1: ", refused["error"])
            self.assertIn(why, refused["error"])
        # What waits is known after a restart, too, without its id.
        waiting = server.get("/v1/reviews")["waiting"]
        server.stop(signal.SIGKILL)
        server = self.serve("labels")
        after = server.get("/v1/reviews")
        self.assertEqual(after["waiting"], waiting)
        self.assertEqual(after["reviews"][0]["transaction_id"], "")

    def test_a_user_who_is_erased_is_gone(self):
        server = self.serve("erased", "--snapshot-records", 100)
        source = Source(seed=9, users=6)
        answers = {}
        for _ in range(250):
            transaction = source.next()
            answers[transaction["transaction_id"]] = (transaction, self.send(server, transaction))
        theirs = [one for one, _ in answers.values() if one["user_id"] == "user-3"]
        server.post("/v1/labels", {"transaction_id": theirs[0]["transaction_id"], "fraud": False})
        status, content = server.ask("DELETE", "/v1/users/user-3")
        self.assertEqual(status, 200, content)
        gone = json.loads(content)
        self.assertEqual((gone["known"], gone["answers_erased"], gone["log_records_erased"]),
                         (True, len(theirs), len(theirs) + 1))
        server.get("/v1/transactions/" + theirs[0]["transaction_id"], 404)
        # The state is the same before and after restarts, and others still have their answers.
        transaction = source.next(user_id="user-3")
        first = self.send(server, transaction)
        other = next(one for one in answers.values() if one[0]["user_id"] == "user-2")
        for number in [signal.SIGKILL, signal.SIGTERM]:
            server.stop(number)
            server = self.serve("erased")
            self.assertEqual(self.send(server, transaction), first)
            self.assertEqual(self.send(server, other[0]), other[1])
            server.get("/v1/transactions/" + theirs[0]["transaction_id"], 404)
        self.assertIn('"erased":true', "".join(replay(server.state)))
        summary = json.loads(tandem("fraud", "replay", "--state", server.state, "--json"))
        self.assertEqual((summary["erased_users"], summary["erased_records"]), (1, len(theirs) + 1))
        server.ask("DELETE", "/v1/users/nobody")
        self.assertEqual(server.get("/v2/health/ready"), {"ready": True})

    def test_it_begins_with_a_history(self):
        source = Source(seed=13, users=5)
        history = self.path / "history.csv"
        columns = ["transaction_id", "user_id", "amount", "currency", "transaction_type",
                   "merchant_id", "timestamp", "card_last_four", "ip_address"]
        past = [source.next(timestamp=timestamp(86400 * 3 - 60 * i)) for i in range(300)]
        with open(history, "w") as out:
            out.write(",".join(columns) + ",is_fraud,label_timestamp\n")
            for i, one in enumerate(past):
                fraud = f"1,{timestamp(3600)}" if i == 50 else "0,"
                out.write(",".join(str(one[name]) for name in columns) + f",{fraud}\n")
        server = self.serve("history", "--history", history)
        state = server.get("/v1/summary")["state"]
        self.assertEqual((state["events"], state["labels"]), (300, 1))
        server.post("/v1/rules", "version 2 rule offender when user_known_transactions > 9 and "
                    "user_frauds == 1 action decline reason \"known\"")
        answers = {}

        def send(user):
            transaction = source.next(user_id=user)
            answers[transaction["transaction_id"]] = self.send(server, transaction)
            return json.loads(answers[transaction["transaction_id"]])["action"]

        guilty = past[50]["user_id"]
        self.assertEqual(send(guilty), "decline")
        self.assertNotEqual(send("somebody-new"), "decline")
        # It is read once, and replay has it.
        server.stop(signal.SIGKILL)
        server = self.serve("history", "--history", history)
        self.assertEqual(server.get("/v1/summary")["state"]["events"], 302)
        self.assertEqual(send(guilty), "decline")
        self.assertEqual(replay(server.state, answers), [without_time(one) for one in answers.values()])
        self.assertEqual(json.loads(tandem("fraud", "replay", "--state", server.state, "--json"))["history"],
                         300)
        # A user's part of it goes with the user.
        server.ask("DELETE", "/v1/users/" + guilty)
        summary = json.loads(tandem("fraud", "replay", "--state", server.state, "--json"))
        theirs = sum(one["user_id"] == guilty for one in past)
        self.assertEqual(summary["history"], 300 - theirs)
        history.write_text(history.read_text().replace(",EUR,", ",XXX,", 1))
        self.assertIn("row 2, column currency", tandem(
            "fraud", "serve", "--model", self.model, "--state", self.path / "other-history",
            "--history", history, "--http", "127.0.0.1:0", status=2))

    def test_it_can_be_stopped_while_it_reads(self):
        """SIGTERM and Ctrl-C end a start at once, whatever it waits for."""
        for number in [signal.SIGTERM, signal.SIGINT]:
            pipe = self.path / f"pipe{number}"
            os.mkfifo(pipe)
            state = self.path / f"stopped{number}"
            process = subprocess.Popen(
                [PROGRAM, "fraud", "serve", "--model", str(self.model), "--state", str(state), "--http",
                 "127.0.0.1:0", "--log", str(state) + ".log", "--history", str(pipe)],
                stdout=subprocess.PIPE)
            self.addCleanup(process.stdout.close)
            # It reads: the other end can be opened, and what is written is more than a pipe holds.
            with open(pipe, "w") as out:
                out.write("transaction_id,user_id,amount,currency,transaction_type,timestamp,"
                          "card_last_four,ip_address\n")
                for i in range(3000):
                    out.write(f"{i},u,5,EUR,payment,{timestamp(9000)},1234,192.0.2.1\n")
                out.flush()
                began = time.monotonic()
                process.send_signal(number)
                self.assertEqual(process.wait(timeout=60), 130)
                self.assertLess(time.monotonic() - began, 5)
            self.assertIn("remove the folder", tandem("fraud", "serve", "--model", self.model, "--state", state,
                                                      "--http", "127.0.0.1:0", status=2))

    def test_tokens_and_roles(self):
        tokens = self.path / "tokens"
        tokens.write_text("predict 0123456789abcdef bank\nadmin fedcba9876543210 person\n")
        tokens.chmod(0o600)
        server = self.serve("guarded", "--tokens", tokens)
        predict = {"Authorization": "Bearer 0123456789abcdef"}
        admin = {"Authorization": "Bearer fedcba9876543210"}
        transaction = Source().next()
        self.assertEqual(server.ask("POST", "/v1/transactions", transaction)[0], 401)
        self.assertEqual(server.ask("POST", "/v1/transactions", transaction, predict)[0], 200)
        self.assertEqual(server.ask("DELETE", "/v1/users/user-1", None, predict)[0], 403)
        self.assertEqual(server.ask("POST", "/v1/rules", "version 2", predict)[0], 403)
        self.assertEqual(server.ask("DELETE", "/v1/users/user-1", None, admin)[0], 200)
        self.assertEqual(server.ask("GET", "/v2/health/live")[0], 200)
        self.assertEqual(server.ask("GET", "/")[0], 200)
        self.assertEqual(server.ask("GET", "/v1/summary")[0], 401)
        status, metrics = server.ask("GET", "/metrics", None, predict)
        self.assertIn(b"tandem_fraud_decisions_total{action=", metrics)

    def test_options_of_the_configuration(self):
        state = self.path / "options"
        state.mkdir()
        server = self.serve("plain")
        standard = server.get("/v1/configuration")
        standard.update(version=2, explore_share=1, explore_most_amount=50, similar_seconds=60)
        (state / "configuration.json").write_text(json.dumps(standard))
        (state / "rules.txt").write_text(RULES.format(version=1, amount=10, action="decline"))
        server = self.serve("options")
        source = Source(seed=11)
        answers = {}

        def send(**changes):
            transaction = source.next(**changes)
            answers[transaction["transaction_id"]] = self.send(server, transaction)
            return json.loads(answers[transaction["transaction_id"]])

        small = send(amount=20.0)
        self.assertEqual((small["action"], small["risk_level"], small["explored"]),
                         ("approve", "critical", True))
        same = dict(user_id="twin", amount=70.0, merchant_id="m", transaction_type="purchase",
                    device_id="d")
        large = send(**same)
        self.assertEqual((large["action"], large.get("explored")), ("decline", None))
        similar = send(**same)
        self.assertTrue(similar["from_similar"])
        self.assertEqual(similar["risk_score"], large["risk_score"])
        before = server.get("/v1/summary")["state"]["events"]
        send(**same)
        self.assertEqual(server.get("/v1/summary")["state"]["events"], before + 1)
        server.stop(signal.SIGKILL)
        self.assertEqual(replay(state, answers), [without_time(answer) for answer in answers.values()])
        (state / "configuration.json").write_text('{"version": 1, "modell_weight": 1}')
        error = tandem("fraud", "serve", "--model", self.model, "--state", state, "--http",
                       "127.0.0.1:0", status=2)
        self.assertIn("did you mean model_weight?", error)

    def test_a_repository_and_its_production_version(self):
        repository = self.path / "repository"
        tandem("models", "register", repository, "card", self.model, "--stage", "production")
        state = self.path / "registered"
        server = Server(f"{repository}/card", state)
        self.addCleanup(server.stop)
        source = Source()
        answers = {}

        def send():
            transaction = source.next()
            answers[transaction["transaction_id"]] = self.send(server, transaction)
            return json.loads(answers[transaction["transaction_id"]])

        self.assertEqual(send()["model_version"], "card/1")
        tandem("models", "register", repository, "card", self.model)
        tandem("models", "promote", repository, "card", "2")
        # The service looks at the registry about once a second.
        end = time.monotonic() + 30
        last = None
        while last != "card/2" and time.monotonic() < end:
            last = send()["model_version"]
            time.sleep(0.01)
        self.assertEqual(last, "card/2")
        self.assertEqual(replay(state, answers), [without_time(answer) for answer in answers.values()])
        self.assertIn("in use", tandem("fraud", "serve", "--model", self.model, "--state", state,
                                       "--http", "127.0.0.1:0", status=2))


if __name__ == "__main__":
    unittest.main()
