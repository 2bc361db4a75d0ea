# SPDX-License-Identifier: BSD-2-Clause
"""A browser without a window, driven by the DevTools protocol over a pipe: NUL-ended JSON on the descriptors 3 and 4.

Only what the tests of the page need. Everything waits for an event or an answer, never for time to pass.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

PATIENCE_S = 60
NAMES = "chromium", "chromium-browser", "google-chrome"


def program():
    """The browser's path; None: there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Failed(Exception):
    pass


class Browser:
    """Ends its process, and what that has written, with the `with` block."""

    def __init__(self):
        self._folder = tempfile.mkdtemp(prefix="ringback-browser-")
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        command = [
            program(),
            "--headless",
            "--no-sandbox",
            "--remote-debugging-pipe",
            f"--user-data-dir={self._folder}",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-extensions",
            "--disable-sync",
            "--no-first-run",
            "--no-proxy-server",
            "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            "about:blank",
        ]
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "browser", *command],
            pass_fds=(to_browser, from_browser),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": self._folder},
        )
        os.close(to_browser)
        os.close(from_browser)
        self._buffer = b""
        self._number = 0
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.send("Browser.close")
        except (Failed, OSError):
            pass
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._read)
        os.close(self._write)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _message(self, until):
        while b"\0" not in self._buffer:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._read], [], [], left)[0]:
                raise Failed("the browser does not answer")
            octets = os.read(self._read, 1 << 20)
            if not octets:
                raise Failed("the browser has ended")
            self._buffer += octets
        line, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(line)

    def send(self, method, session=None, **parameters):
        """One command, and what it returns. Events that come before are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + PATIENCE_S
        while True:
            answer = self._message(until)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise Failed(f"{method}: {answer['error'].get('message')}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, session, method):
        """Until that event has come; those before it, and it, are kept."""
        until = time.monotonic() + PATIENCE_S
        while True:
            event = self._message(until)
            self.events.append(event)
            if event.get("sessionId") == session and event.get("method") == method:
                return event["params"]

    def tab(self):
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        return Tab(self, self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])


class Tab:
    def __init__(self, browser, session):
        self._browser, self._session = browser, session
        for domain in "Page", "Runtime", "Log", "Network", "DOM":
            self.send(f"{domain}.enable")

    def send(self, method, **parameters):
        return self._browser.send(method, self._session, **parameters)

    def open(self, url):
        """Until all of it is loaded."""
        self.send("Page.navigate", url=url)
        self._browser.wait(self._session, "Page.loadEventFired")

    def await_load(self):
        self._browser.wait(self._session, "Page.loadEventFired")

    def size(self, width, height):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)

    def dark(self, is_dark):
        self.send("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}])

    def scripts(self, wanted):
        self.send("Emulation.setScriptExecutionDisabled", value=not wanted)

    def run(self, script):
        """What an expression comes to; a promise is waited for."""
        result = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise Failed(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def until(self, script):
        """Waits, in the page, until an expression is true: looks again whenever the document changes."""
        return self.run(
            "new Promise((done, failed) => {"
            f"  const look = () => {{ const found = ({script}); if (found) {{ seen.disconnect(); done(found); }} }};"
            "  const seen = new MutationObserver(look);"
            "  seen.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});"
            f"  setTimeout(() => failed(new Error('never')), {PATIENCE_S * 500}); look(); }})"
        )

    def press(self, key, **more):
        for kind in "keyDown", "keyUp":
            self.send("Input.dispatchKeyEvent", type=kind, key=key, **more)

    def type(self, text):
        self.send("Input.insertText", text=text)

    def picture(self, path):
        """All of the page, not only what the window would show."""
        data = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def complaints(self):
        """What the console was told, exceptions, and requests to elsewhere or without an answer."""
        found = []
        for event in self._browser.events:
            if event.get("sessionId") != self._session:
                continue
            method, what = event["method"], event["params"]
            if method == "Runtime.exceptionThrown":
                found.append(str(what["exceptionDetails"]))
            elif method == "Runtime.consoleAPICalled":
                found.append(str(what["args"]))
            elif method == "Log.entryAdded":
                found.append(what["entry"]["text"])
        return found

    def requested(self):
        """The URLs of all requests."""
        return [
            event["params"]["request"]["url"]
            for event in self._browser.events
            if event.get("sessionId") == self._session and event["method"] == "Network.requestWillBeSent"
        ]
