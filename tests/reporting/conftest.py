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
def on_a_phone(tmp_path):
    """Open a page 380 pixels wide: `on_a_phone(page)` answers "WIDTH of ROOM, N drawn", and what the console said."""
    if BROWSER is None:
        pytest.skip("no Chromium on this machine")

    def look(page):
        (tmp_path / "page.html").write_text(page)
        (tmp_path / "frame.html").write_text(MEASURE)
        more = ("--allow-file-access-from-files", "--virtual-time-budget=2000", f"--user-data-dir={tmp_path / 'me'}")
        words = [BROWSER, *FLAGS, *more, "--window-size=800,2200", "--dump-dom", f"file://{tmp_path}/frame.html"]
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
        told = re.search(r'<p id="told">(.*?)</p>', done.stdout)[1]
        return told, [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    return look
