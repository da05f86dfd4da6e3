"""A real browser to open pages in, where there is one."""

import re
import shutil
import subprocess

import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--enable-logging=stderr")
MEASURE = """<iframe id="page" src="page.html" width="380" height="2000" style="border: 0"></iframe><p id="told"></p>
<script>page.onload = () => {
  const whole = page.contentDocument.documentElement;
  told.textContent = `${whole.scrollWidth} of ${whole.clientWidth}, ${whole.querySelectorAll("svg, img").length} drawn`;
}</script>"""


@pytest.fixture
def chromium(tmp_path):
    """The browser, once: `chromium("page.html", "--dump-dom")` opens a file of tmp_path and answers what it printed."""
    if BROWSER is None:
        pytest.skip("no Chromium on this machine")

    def opened(file, *words):
        command = [BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'me'}", *words, f"file://{tmp_path / file}"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)

    return opened


@pytest.fixture
def on_a_phone(tmp_path, chromium):
    """Open a page 380 pixels wide: `on_a_phone(page)` answers "WIDTH of ROOM, N drawn", and what the console said."""

    def look(page):
        (tmp_path / "page.html").write_text(page)
        (tmp_path / "frame.html").write_text(MEASURE)
        words = ("--allow-file-access-from-files", "--virtual-time-budget=2000", "--window-size=800,2200", "--dump-dom")
        done = chromium("frame.html", *words)
        told = re.search(r'<p id="told">(.*?)</p>', done.stdout)[1]
        return told, [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    return look
