"""`tandem recommend serve`: answers, events, filters, caches, experiments, reload, tokens."""

import json
import os
import pathlib
import signal
import subprocess
import threading
import time
import unittest

from service import PROGRAM, Recommending, Server, ids, rows, tandem

QUIET = {"method": "none"}


class Service(Recommending):
    def test_answers_have_what_was_promised(self):
        server = self.serve("--config", self.configuration(version="v7", exploration=QUIET))
        answer = server.recommended("u1")
        self.assertEqual(answer["configuration"], "v7")
        self.assertEqual(len(answer["recommendations"]), 10)
        self.assertEqual(answer["missing"], [])
        seen = {row["item"] for row in rows(self.data) if row["user"] == "u1"}
        for one in answer["recommendations"]:
            self.assertLessEqual({"content_id", "title", "genre", "thumbnail_url", "score", "score_parts",
                                  "recommendation_type", "explanation"}, set(one))
            self.assertIsNone(one["thumbnail_url"])
            self.assertNotIn(one["content_id"], seen)
            self.assertIn(one["recommendation_type"],
                          ["trending", "similar_to_watched", "collaborative", "discovery"])
            self.assertAlmostEqual(one["score"], one["boost"] * sum(one["score_parts"].values()), places=4)
            if one["because"]:
                self.assertLessEqual(set(one["because"]), seen)
        self.assertEqual(len(set(ids(answer))), 10)
        # The same question has the same answer.
        self.assertEqual(ids(server.recommended("u1")), ids(answer))
        self.assertEqual(server.stop(), 0)

    def test_an_event_changes_the_next_answer(self):
        server = self.serve("--config", self.configuration(version="v", exploration=QUIET))
        before = server.recommended("u2")
        self.assertEqual(server.recommended("u2")["answer"], before["answer"])  # from the cache
        first = ids(before)[0]
        self.assertEqual(server.event("u2", first, answer=before["answer"]),
                         {"accepted": 1, "known_already": 0})
        after = server.recommended("u2")
        self.assertNotEqual(after["answer"], before["answer"])
        self.assertNotIn(first, ids(after))
        self.assertEqual(server.get("/v1/users/u2")["history"][0]["content_id"], first)
        # What is hidden is gone, and does not come back.
        server.event("u2", ids(after)[0], "hide")
        self.assertNotIn(ids(after)[0], ids(server.recommended("u2", 50)))
        # An event of the same id is one event.
        for known in [0, 1]:
            self.assertEqual(server.event("u2", "i3", id="e1")["known_already"], known)
        status = server.get("/v1/status")
        self.assertGreaterEqual(status["cache"]["hits"], 1)
        self.assertEqual(server.stop(), 0)

    def test_who_is_new_gets_what_is_popular_and_then_what_is_alike(self):
        server = self.serve("--config", self.configuration(version="v", exploration=QUIET))
        answer = server.recommended("nobody")
        self.assertTrue(answer["cold_start"])
        self.assertEqual(len(ids(answer)), 10)
        drama = next(row for row in rows(self.items) if row["genre"] == "drama")
        for _ in range(2):
            server.event("nobody", drama["item"])
        answer = server.recommended("nobody")
        self.assertFalse(answer["cold_start"])
        self.assertIn(drama["item"], [item for one in answer["recommendations"] for item in one["because"]])

    def test_filters_boosts_caps_and_blocks(self):
        server = self.serve("--config", self.configuration(
            version="v", exploration=QUIET, max_per_genre=2, blocked=["i1", "i2"],
            boosts=[{"genre": "music", "times": 50}]))
        answer = server.recommended("u3")
        counts = {}
        for one in answer["recommendations"]:
            counts[one["genre"]] = counts.get(one["genre"], 0) + 1
        self.assertLessEqual(max(counts.values()), 2)
        self.assertEqual(answer["recommendations"][0]["genre"], "music")
        self.assertEqual(answer["recommendations"][0]["boost"], 50)
        everything = server.recommended("somebody new", 200)
        self.assertTrue({"i1", "i2"}.isdisjoint(ids(everything)))
        horror = server.recommended("u3", 2, genre="horror")
        self.assertEqual({one["genre"] for one in horror["recommendations"]}, {"horror"})
        ages = {row["item"]: int(row["age"]) for row in rows(self.items)}
        self.assertTrue(all(ages[item] <= 12 for item in ids(server.recommended("u3", 50, age=12))))

    def test_malformed_questions_are_refused_and_named(self):
        server = self.serve(history=False)
        for path, word in [("/v1/recommendations", "'user' is missing"),
                           ("/v1/recommendations?user=u1&n=0", "'n' is '0'"),
                           ("/v1/recommendations?user=u1&n=201", "from 1 to 200"),
                           ("/v1/recommendations?user=u1&n=x", "'n' is 'x'"),
                           ("/v1/recommendations?user=u1&age=-1", "'age' is '-1'"),
                           ("/v1/recommendations?user=u1&m=3", "unknown parameter 'm'"),
                           ("/v1/recommendations?user=u1&user=u2", "'user' is given more than once"),
                           ("/v1/recommendations?user=" + "u" * 300, "longer than 256")]:
            status, answer = server.ask("GET", path)
            self.assertEqual(status, 400, path)
            self.assertIn(word, answer["error"])
        for body, word in [("", "'user' is missing"), ("[1]", "object"), ("{", ""),
                           ({"user": "u", "item": "nowhere"}, "there is no item 'nowhere'"),
                           ({"events": [{"user": "u", "item": "i1"}] * 1001}, "more than 1000")]:
            status, answer = server.ask("POST", "/v1/events", body)
            self.assertIn(status, [400, 413], body)
            self.assertIn(word, answer["error"])
        self.assertEqual(server.get("/v1/users/u")["known"], False)
        self.assertEqual(server.get("/v1/experiment", 404)["error"].split(";")[0], "no experiment is running")

    def test_forgetting_is_durable(self):
        server = self.serve()
        self.assertTrue(server.get("/v1/users/u4")["known"])
        status, answer = server.ask("DELETE", "/v1/users/u4")
        self.assertEqual((status, answer), (200, {"forgotten": "u4"}))
        self.assertFalse(server.get("/v1/users/u4")["known"])
        server.stop(signal.SIGKILL)
        server = self.serve()
        self.assertFalse(server.get("/v1/users/u4")["known"])
        self.assertTrue(server.get("/v1/users/u5")["known"])
        server.event("u6", "i9", id="one-of-u6")
        server.ask("DELETE", "/v1/users/u6")
        self.assertEqual(server.stop(), 0)  # which erases what the disk has
        for file in (self.state / "events").iterdir():
            self.assertNotIn(b"one-of-u6", file.read_bytes(), file)

    def test_a_late_source_is_said(self):
        server = self.serve("--config", self.configuration(
            version="v", exploration=QUIET, deadlines_ms={"collaborative": 0, "content": 0}))
        answer = server.recommended("u1")
        self.assertEqual(answer["missing"], ["collaborative", "content"])
        self.assertEqual(len(ids(answer)), 10)
        self.assertRegex(server.get("/metrics").decode(),
                         r'tandem_recommend_source_missing_total\{source="content"\} 1')

    def test_many_who_ask_the_same_get_one_answer(self):
        server = self.serve("--workers", 4, "--config", self.configuration(version="v"))
        answers = []

        def ask():
            answers.append(server.recommended("u7")["answer"])

        threads = [threading.Thread(target=ask) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(set(answers)), 1)
        cache = server.get("/v1/status")["cache"]
        self.assertEqual(cache["misses"], 1)
        self.assertEqual(cache["hits"] + cache["joined"], 23)
        self.assertAlmostEqual(cache["hit_rate"], 23 / 24)

    def test_reload_takes_new_files_and_keeps_the_old_ones_where_they_are_wrong(self):
        configuration = self.configuration(version="one", exploration=QUIET)
        server = self.serve("--config", configuration)
        self.assertEqual(server.recommended("u1")["configuration"], "one")
        self.configuration(version="two", weights={"content": 1}, exploration=QUIET)
        server.process.send_signal(signal.SIGHUP)
        self.wait_for(lambda: server.recommended("u1")["configuration"] == "two")
        parts = server.recommended("u1")["recommendations"][0]["score_parts"]
        self.assertEqual(parts["collaborative"], 0)
        configuration.write_text("{")
        server.process.send_signal(signal.SIGHUP)
        self.wait_for(lambda: "is no JSON" in pathlib.Path(server.log.name).read_text())
        self.assertEqual(server.recommended("u1")["configuration"], "two")

    def test_tokens_and_roles(self):
        tokens = self.path / "tokens"
        tokens.write_text("predict 0123456789abcdef reader\nadmin fedcba9876543210 keeper\n")
        os.chmod(tokens, 0o600)
        server = self.serve("--tokens", tokens)
        reader = {"Authorization": "Bearer 0123456789abcdef"}
        keeper = {"Authorization": "Bearer fedcba9876543210"}
        self.assertEqual(server.ask("GET", "/v1/recommendations?user=u1")[0], 401)
        self.assertEqual(server.ask("GET", "/v1/recommendations?user=u1", headers=reader)[0], 200)
        self.assertEqual(server.ask("DELETE", "/v1/users/u1", headers=reader)[0], 403)
        self.assertEqual(server.ask("DELETE", "/v1/users/u1", headers=keeper)[0], 200)
        self.assertEqual(server.ask("GET", "/v2/health/ready")[0], 200)

    def test_an_experiment_is_sticky_and_counts(self):
        definition = self.path / "experiment.json"
        definition.write_text(json.dumps({
            "name": "ranking", "unit": "user",
            "arms": [{"name": "personal", "weight": 0.5, "version": "p"},
                     {"name": "popular", "weight": 0.5, "version": "q"}],
            "metrics": [{"name": "watch"}]}))
        configurations = self.configuration(
            {"version": "p", "exploration": QUIET},
            {"version": "q", "weights": {"trending": 1}, "exploration": QUIET})
        options = ["--config", configurations, "--experiment", definition]
        server = self.serve(*options)
        arms = {}
        for number in range(1, 41):
            answer = server.recommended(f"u{number}")
            self.assertEqual(answer["configuration"], {"personal": "p", "popular": "q"}[answer["arm"]])
            arms[f"u{number}"] = answer["arm"]
        self.assertEqual(set(arms.values()), {"personal", "popular"})
        server.event("u1", "i1")
        found = server.get("/v1/experiment")
        self.assertEqual(found["experiment"], "ranking")
        self.assertEqual(server.stop(), 0)
        again = self.serve(*options)
        for user, arm in arms.items():
            self.assertEqual(again.recommended(user)["arm"], arm)
        again.stop()
        mixed = self.serve(*options, "--interleave")
        answer = mixed.recommended("u1")
        self.assertEqual({one["team"] for one in answer["recommendations"]}, {0, 1})
        chosen = answer["recommendations"][0]
        mixed.event("u1", chosen["content_id"], "click", answer=answer["answer"])
        wins = mixed.get("/v1/experiment")["wins"]
        self.assertEqual(wins, [1, 0] if chosen["team"] == 0 else [0, 1])

    def test_a_guard_ends_an_experiment(self):
        definition = self.path / "guarded.json"
        definition.write_text(json.dumps({
            "name": "guarded", "unit": "user",
            "arms": [{"name": "personal", "weight": 0.5, "version": "p"},
                     {"name": "popular", "weight": 0.5, "version": "q"}],
            "metrics": [{"name": "watch"},
                        {"name": "dislike", "better": "decrease", "guard": True, "margin": 0.05}]}))
        options = ["--config", self.configuration(
            {"version": "p", "exploration": QUIET},
            {"version": "q", "weights": {"trending": 1}, "exploration": QUIET}),
            "--experiment", definition, "--guard-seconds", 0.2, "--cache", 0]
        server = self.serve(*options)
        for number in range(300):
            answer = server.recommended(f"visitor{number}", 1)
            if answer["arm"] == "popular" and number % 2:
                server.event(f"visitor{number}", ids(answer)[0], "dislike")
        self.wait_for(lambda: server.get("/v1/experiment")["ended"] == "guard dislike is breached by popular")
        for number in range(20):
            answer = server.recommended(f"visitor{number}", 1)
            self.assertEqual((answer["configuration"], answer["arm"]), ("p", None))
        self.assertIn('tandem_experiment_running{experiment="guarded"} 0', server.get("/metrics").decode())
        self.assertIn("the experiment has ended", pathlib.Path(server.log.name).read_text())
        self.assertEqual(server.stop(), 0)
        # It stays so.
        server = self.serve(*options)
        self.assertEqual(server.recommended("visitor1", 1)["arm"], None)
        self.assertEqual(server.get("/v1/experiment")["ended"], "guard dislike is breached by popular")

    def test_events_of_one_viewer_need_not_name_them(self):
        server = self.serve(history=False)
        status, answer = server.ask("POST", "/v1/events?user=v%20w",
                                    {"events": [{"item": "i1"}, {"item": "i2", "user": "v w"}]})
        self.assertEqual((status, answer["accepted"]), (200, 2))
        self.assertEqual(len(server.get("/v1/users/v%20w")["history"]), 2)
        for path, body, word in [("/v1/events?user=a", {"user": "b", "item": "i1"}, "'user' is 'b'"),
                                 ("/v1/events?viewer=a", {"item": "i1"}, "unknown parameter 'viewer'"),
                                 ("/v1/events?user=a&user=b", {"item": "i1"}, "more than once"),
                                 ("/v1/events?user=", {"item": "i1"}, "'user' is missing")]:
            status, answer = server.ask("POST", path, body)
            self.assertEqual(status, 400, path)
            self.assertIn(word, answer["error"])

    def test_the_monitor_says_how_it_goes(self):
        server = self.serve()
        for number in range(1, 31):
            server.recommended(f"u{number}")
        self.assertEqual(server.ask("GET", "/v1/recommendations?user=u1&genre=" + "g" * 257)[0], 400)
        # An answer is counted once it was sent.
        self.wait_for(lambda: server.get("/v1/status")["monitor"]["answers"] == 30)
        monitor = server.get("/v1/status")["monitor"]
        self.assertGreater(monitor["p50_ms"], 0)
        self.assertLessEqual(monitor["p50_ms"], monitor["p99_ms"])
        self.assertFalse(monitor["scale_up"])
        text = server.get("/metrics").decode()
        for stage in ["fold_in", "retrieve", "rank", "explain", "write"]:
            self.assertIn(f'tandem_recommend_stage_seconds_count{{stage="{stage}"}} 30', text)

    def test_a_genre_that_there_is_not_has_no_items(self):
        server = self.serve()
        self.assertEqual(ids(server.recommended("u1", 5, genre="western")), [])
        self.assertEqual(ids(server.recommended("u1", 5, genre="drama%")), [])

    def test_exploration_is_logged_and_judged(self):
        server = self.serve("--cache", 0, "--config", self.configuration(
            version="v", exploration={"method": "epsilon", "share": 0.5, "pool": 5}))
        discovered = 0
        for number in range(1, 61):
            answer = server.recommended(f"u{number}", 5)
            last = answer["recommendations"][-1]
            if last["explanation"].startswith("Something to discover: drawn"):
                discovered += 1
                self.assertEqual(last["recommendation_type"], "discovery")
            if number % 2:
                server.event(f"u{number}", last["content_id"], "click", answer=answer["answer"])
        self.assertGreater(discovered, 5)
        self.assertEqual(server.stop(), 0)
        found = json.loads(tandem("recommend", "policies", "--state", self.state, "--json"))
        self.assertEqual((found["choices"], found["clicked"]), (60, 30))
        for policy in found["policies"]:
            # Every other viewer clicked. What is drawn differs from run to run, and of a hundred
            # intervals of 95 % five would miss it: two and a half times as wide, none does.
            low, high = policy["inverse_propensity"]["low"], policy["inverse_propensity"]["high"]
            self.assertLess(abs((low + high) / 2 - 0.5), 2.5 * (high - low) / 2)

    def test_a_name_of_a_repository_is_served(self):
        repository = self.path / "repository"
        tandem("models", "register", repository, "films", self.model)
        error = tandem("recommend", "serve", "--model", repository / "films", "--state", self.state, status=2)
        self.assertIn("no version of films is in production", error)
        tandem("models", "promote", repository, "films", 1)
        given = ["--model", repository / "films", "--state", self.state]
        server = Server(*given, log=self.path / "serve.log")
        self.servers.append(server)
        answer = server.recommended("nobody", 3)
        self.assertEqual(len(ids(answer)), 3)
        self.assertIsNone(answer["recommendations"][0]["genre"])
        self.assertEqual(server.stop(), 0)

    def test_wrong_usage_is_named(self):
        for arguments, word in [([], "expected --model"),
                                (["--model", self.model], "expected --state"),
                                (["--model", self.path / "none", "--state", self.state], "is no file"),
                                (["--model", self.data, "--state", self.state], "watched.csv"),
                                (["--model", self.model, "--state", self.state, "--interleave"],
                                 "interleaving needs an experiment"),
                                (["--model", self.model, "--state", self.state, "--test-fraction", "0.2"],
                                 "not for tandem recommend serve")]:
            error = tandem("recommend", "serve", *arguments, status=2)
            self.assertIn(word, error)

    def test_a_signal_while_it_reads_ends_it(self):
        # A pipe that nobody writes to is read for ever.
        pipe = self.path / "pipe.csv"
        os.mkfifo(pipe)
        process = subprocess.Popen([PROGRAM, "recommend", "serve", "--model", self.model, "--state",
                                    self.state, "--history", pipe, "--http", "127.0.0.1:0"],
                                   stderr=subprocess.PIPE, text=True)
        self.wait_for(lambda: (self.state / "events").exists())
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130, error)
        self.assertIn("stopped before it answered", error)

    def test_two_servers_do_not_share_a_state(self):
        self.serve()
        error = tandem("recommend", "serve", "--model", self.model, "--state", self.state, "--http",
                       "127.0.0.1:0", status=2)
        self.assertRegex(error, "in use|used by")


if __name__ == "__main__":
    unittest.main()
