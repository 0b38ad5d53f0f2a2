"""kill -9 under load: every event that was acknowledged is there afterwards."""

import http.client
import json
import random
import signal
import threading
import time
import unittest

from service import Recommending


class Crash(Recommending):
    def test_no_acknowledged_event_is_lost(self):
        acknowledged = {}
        for life in range(3):
            server = self.serve(history=False)
            for user, items in acknowledged.items():
                found = {one["content_id"] for one in server.get(f"/v1/users/{user}")["history"]}
                self.assertLessEqual(items, found, user)
            stop = threading.Event()
            lock = threading.Lock()

            def send(number):
                connection = http.client.HTTPConnection(server.host, timeout=120)
                count = 0
                while not stop.is_set():
                    user = f"life{life}-sender{number}-{count // 100}"
                    item = f"i{count % 100 + 1}"
                    try:
                        connection.request("POST", "/v1/events", json.dumps({"user": user, "item": item}))
                        response = connection.getresponse()
                        response.read()
                    except (OSError, http.client.HTTPException):
                        return
                    if response.status == 200:
                        with lock:
                            acknowledged.setdefault(user, set()).add(item)
                    count += 1

            threads = [threading.Thread(target=send, args=(number,), daemon=True) for number in range(4)]
            for thread in threads:
                thread.start()
            before = sum(map(len, acknowledged.values()))
            self.wait_for(lambda: sum(map(len, list(acknowledged.values()))) > before + 40)
            time.sleep(random.random() / 2)
            server.process.send_signal(signal.SIGKILL)
            stop.set()
            for thread in threads:
                thread.join()
            server.stop(signal.SIGKILL)
        self.assertGreater(sum(map(len, acknowledged.values())), 100)
        server = self.serve(history=False)
        for user, items in acknowledged.items():
            found = {one["content_id"] for one in server.get(f"/v1/users/{user}")["history"]}
            self.assertLessEqual(items, found, user)
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
