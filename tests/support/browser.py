"""A headless Chromium that a test drives over its debugging pipe: nothing but Python is needed."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Seconds for one answer. On a machine with thirty programs for each core one took over a minute.
PATIENCE = 240


class Browser:
    """One page. call(), value() and wait_for() throw AssertionError where it does not do as asked."""

    def __init__(self, url="about:blank"):
        self.profile = tempfile.TemporaryDirectory(prefix="tandem-chromium-",
                                                   ignore_cleanup_errors=True)
        to_read, self.to = os.pipe()
        self.answers, to_write = os.pipe()

        def place_pipes():
            # Chromium reads commands from descriptor 3 and writes answers to 4.
            one, two = os.dup(to_read), os.dup(to_write)
            os.dup2(one, 3)
            os.dup2(two, 4)
            os.set_inheritable(3, True)
            os.set_inheritable(4, True)

        self.process = subprocess.Popen(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--no-first-run", "--remote-debugging-pipe", f"--user-data-dir={self.profile.name}",
             "about:blank"],
            preexec_fn=place_pipes, close_fds=False, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.buffer = b""
        self.count = 0
        self.events = []
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Runtime.enable")
        self.call("Network.enable")
        self.call("Page.enable")
        self.open(url)

    def open(self, url):
        """Goes there and waits until all that the page names is loaded."""
        self.events = []
        went = self.call("Page.navigate", url=url)
        if "errorText" in went:
            raise AssertionError(f"{url}: {went['errorText']}")
        end = time.monotonic() + PATIENCE
        while "loaderId" in went and not any(event.get("method") == "Page.loadEventFired"
                                             for event in self.events):
            self.events.append(self.receive(end - time.monotonic()))
        # What the page before asked for until it went is no matter of this one.
        for place, event in enumerate(self.events):
            if event.get("method") == "Page.frameNavigated" and (
                    event["params"]["frame"].get("loaderId") == went.get("loaderId")):
                self.events = self.events[place:]
                break

    def call(self, method, **parameters):
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive(PATIENCE)
            if answer.get("id") == self.count:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def receive(self, seconds):
        end = time.monotonic() + seconds
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.answers], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise AssertionError("Chromium does not answer")
            more = os.read(self.answers, 1 << 20)
            if not more:
                raise AssertionError("Chromium ended")
            self.buffer += more
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def value(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in result:
            raise AssertionError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait_for(self, expression, seconds=60):
        end = time.monotonic() + seconds
        while True:
            found = self.value(expression)
            if found:
                return found
            if time.monotonic() > end:
                raise AssertionError(f"{expression} did not come true; the page says: "
                                     + self.value("document.body.innerText")[:2000])
            time.sleep(0.1)

    def problems(self):
        """Exceptions in the page's scripts, and requests to anywhere but the page's own server."""
        found = []
        origin = self.value("location.origin")
        for event in self.events:
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(event["params"]["exceptionDetails"])
            if event.get("method") == "Network.requestWillBeSent":
                url = event["params"]["request"]["url"]
                if not url.startswith((origin, "about:", "data:")):
                    found.append(url)
        return found

    def set_layout(self, width, height, dark=False, paper=False):
        """The screen, or the sheet, that the page is laid out for."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", media="print" if paper else "screen",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        # Two frames later it is laid out anew.
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def look(self, width, dark, path=None, height=1400, whole=False):
        """A picture of what a screen of that size shows, or of the whole page."""
        self.set_layout(width, height, dark)
        return self.picture(path, whole)

    def picture(self, path=None, whole=False):
        picture = base64.b64decode(
            self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"])
        if path:
            with open(path, "wb") as out:
                out.write(picture)
        return picture

    def print_pdf(self, path):
        """The page on paper, A4, as PDF."""
        sheets = self.call("Page.printToPDF", printBackground=True, preferCSSPageSize=False,
                           paperWidth=8.27, paperHeight=11.69)["data"]
        with open(path, "wb") as out:
            out.write(base64.b64decode(sheets))

    def close(self):
        try:
            self.session = None
            self.call("Browser.close")
        except (AssertionError, OSError):
            pass
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.to)
        os.close(self.answers)
        self.profile.cleanup()
