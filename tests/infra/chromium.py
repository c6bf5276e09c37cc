# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, driven through Debian's chromedriver with only the standard library."""

import base64
import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Chromium:
    """One browser with an empty profile; close() ends it."""

    def __init__(self, profile):
        for command in ("chromedriver", "chromium"):
            if shutil.which(command) is None:
                raise SystemExit(f"no {command}: apt-get install chromium chromium-driver")
        self._driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True
        )
        try:
            self._root = f"http://127.0.0.1:{self._port()}"
            self._start(profile)
        except BaseException:
            self._stop_driver()
            raise

    def _port(self):
        for line in self._driver.stdout:
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                return found.group(1)
        raise RuntimeError("chromedriver did not start")

    def _start(self, profile):
        wanted = {
            "goog:chromeOptions": {"args": [*FLAGS, f"--user-data-dir={profile}"]},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        answer = self._post("/session", {"capabilities": {"alwaysMatch": wanted}})
        self._root += f"/session/{answer['sessionId']}"
        # The new tab's own page makes a hundred requests. From here on requests are ours.
        self.open("about:blank")
        self.requests()

    def _post(self, path, body, method="POST"):
        request = urllib.request.Request(
            self._root + path,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path}: {error.read().decode()[:500]}") from error

    def command(self, name, **params):
        """Runs a command of the DevTools protocol."""
        return self._post("/goog/cdp/execute", {"cmd": name, "params": params})

    def open(self, url):
        """Loads a page; returns at its load event."""
        self._post("/url", {"url": url})

    def size(self, width, height):
        """Sets the page's size, which may be narrower than a real window."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def run(self, script, *words):
        """Runs a script's body in the page, waits for its promise, and returns its value."""
        return self._post("/execute/sync", {"script": script, "args": list(words)})

    def click(self, selector):
        """Clicks the first element of a selector, as a mouse would."""
        found = self._post("/element", {"using": "css selector", "value": selector})
        self._post(f"/element/{next(iter(found.values()))}/click", {})

    def log(self, kind):
        """Returns and clears a log: browser or performance."""
        return self._post("/se/log", {"type": kind})

    def requests(self):
        """Returns and clears the list of requested addresses."""
        messages = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    def screenshot(self, path, whole=False):
        """Writes a PNG of the window, or of the whole page."""
        shot = self.command("Page.captureScreenshot", captureBeyondViewport=whole, format="png")
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self):
        """Ends the browser and its driver."""
        try:
            self._post("", {}, method="DELETE")
        finally:
            self._stop_driver()

    def _stop_driver(self):
        self._driver.terminate()
        self._driver.wait()
        self._driver.stdout.close()
