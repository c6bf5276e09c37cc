#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The morning page in headless Chromium, at desktop and phone widths.

Screenshots go to the first argument, else to Bazel's test outputs, else to a scratch folder.
"""

import os
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path[:0] = ["fuzz", "tests/infra"]

import chromium  # noqa: E402
import report_samples as samples  # noqa: E402
from report import page  # noqa: E402

SIZES = {"desk": (1280, 900), "phone": (390, 844), "small-phone": (360, 640)}
# Units of the axis of time.
TIMES = ("h", "min", "s")
NIGHTS = ("healthy", "hostile", "first", "trouble")

# Elements that are wider than the window, unless they scroll inside a box of their own. The width
# is an argument: on a phone innerWidth grows with such elements.
OVERFLOW = """
    const inner = (e) =>
        e && (getComputedStyle(e).overflowX !== 'visible' || inner(e.parentElement));
    const [width] = arguments;
    return [document.documentElement.scrollWidth > width,
        [...document.body.querySelectorAll('*')]
            .filter((e) => e.getBoundingClientRect().right > width + 1 && !inner(e))
            .map((e) => e.outerHTML.slice(0, 80))];
"""
OPEN_ALL = "document.querySelectorAll('details').forEach((d) => {d.open = true;})"
SHOW_ALL_PLOTS = """
    const settled = () => new Promise((done) =>
        requestAnimationFrame(() => requestAnimationFrame(done)));
    return (async () => {
        for (const canvas of document.querySelectorAll('canvas')) {
            canvas.scrollIntoView();
            await settled();
        }
        await settled();
    })();
"""
# Per canvas and axis, its ticks as [value, label].
TICKS = """
    return [...document.querySelectorAll('canvas')].flatMap((canvas) =>
        Object.values(Chart.getChart(canvas).scales)
            .map((scale) => scale.ticks.map((tick) => [tick.value, tick.label])));
"""
# Per canvas, how many pixels have the colour of a line and not of the grid or the labels.
COLOURED_PIXELS = """
    return [...document.querySelectorAll('canvas')].map((canvas) => {
        const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        let n = 0;
        for (let i = 0; i < data.length; i += 4) {
            const [r, g, b] = data.slice(i, i + 3);
            n += data[i + 3] > 100 && Math.max(r, g, b) - Math.min(r, g, b) > 60;
        }
        return n;
    });
"""
BLACK_PIXELS = """{
        const canvas = document.querySelector('canvas');
        const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return data.filter((value, i) =>
            i % 4 === 3 && value > 180 && Math.max(...data.slice(i - 3, i)) < 60).length;
    }
"""
NO_CLIPBOARD = """
    Object.defineProperty(navigator, 'clipboard', {value: undefined});
    document.execCommand = () => false;
"""
# The lowest contrast of text to its background, by WCAG's formula, and its element.
CONTRAST = """
    const rgb = (s) => (s.match(/[\\d.]+/g) || []).map(Number);
    const light = (c) => c.slice(0, 3).map((v) => v / 255)
        .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const back = (e) => {
        if (!e) return [255, 255, 255];
        const c = rgb(getComputedStyle(e).backgroundColor);
        return c.length === 4 && c[3] === 0 ? back(e.parentElement) : c;
    };
    let worst = [99, ''];
    for (const e of document.body.querySelectorAll('*')) {
        const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
        if (!own || e.disabled || !e.getClientRects().length) continue;
        const [a, b] = [light(rgb(getComputedStyle(e).color)), light(back(e))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < worst[0]) worst = [ratio, e.outerHTML.slice(0, 80)];
    }
    return worst;
"""


def _shots():
    folder = os.environ.get("TEST_UNDECLARED_OUTPUTS_DIR") or tempfile.mkdtemp()
    folder = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else folder)
    folder.mkdir(parents=True, exist_ok=True)
    print(f"screenshots: {folder}", file=sys.stderr)
    return folder


class PageInChromiumTest(unittest.TestCase):
    """One browser for all tests. Each test loads its page."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.browser = chromium.Chromium(cls.folder / "profile")
        cls.addClassCleanup(cls.browser.close)
        for name in NIGHTS:
            page.write_page(getattr(samples, name)(), samples.SOURCES, cls.path(name))

    @classmethod
    def path(cls, night):
        """The path of a night's page."""
        return cls.folder / f"{night}.html"

    def load(self, night, size="desk", colours="light"):
        """Opens a night's page."""
        self.browser.command(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": colours}],
        )
        self.browser.size(*SIZES[size])
        self.browser.open(self.path(night).as_uri())

    def count(self, selector):
        """The number of elements."""
        return self.browser.run(f"return document.querySelectorAll({selector!r}).length")

    def command(self):
        """The first command to copy."""
        return self.browser.run("return document.querySelector('[data-copy]').textContent")

    def test_page_requests_nothing_and_logs_nothing(self):
        for night in NIGHTS:
            with self.subTest(night):
                self.browser.log("browser")
                self.browser.requests()
                self.load(night)
                self.browser.run(SHOW_ALL_PLOTS)
                self.assertEqual([], self.browser.log("browser"))
                asked = [u for u in self.browser.requests() if not u.startswith("data:")]
                self.assertEqual([self.path(night).as_uri()], asked)

    def test_this_test_sees_requests_and_logs(self):
        self.load("first")
        self.browser.requests()
        self.browser.log("browser")
        self.browser.run("console.error('seen'); new Image().src = 'http://127.0.0.1:9/x.png';")
        text = " ".join(entry["message"] for entry in self.browser.log("browser"))
        self.assertIn("seen", text)
        self.assertIn("Content Security Policy", text)

    def test_hostile_text_runs_nothing(self):
        self.load("hostile")
        # An alert would make this fail: the driver refuses scripts while one is open.
        self.assertEqual(0, self.count("img"))

    def test_page_never_scrolls_sideways(self):
        for night in NIGHTS:
            for size in SIZES:
                with self.subTest(f"{night}, {size}"):
                    self.load(night, size)
                    self.browser.run(OPEN_ALL)
                    self.browser.run(SHOW_ALL_PLOTS)
                    overflow = self.browser.run(OVERFLOW, SIZES[size][0])
                    self.assertEqual([False, []], overflow)

    def test_every_plot_has_lines_in_both_colour_schemes(self):
        for colours in ("light", "dark"):
            with self.subTest(colours):
                self.load("healthy", colours=colours)
                self.browser.run(SHOW_ALL_PLOTS)
                pixels = self.browser.run(COLOURED_PIXELS)
                self.assertEqual(6, len(pixels))
                self.assertGreater(min(pixels), 200)

    def ticks_of_plots(self, least, most):
        """The axes of a page whose plots range from least to most."""
        points = samples.series("seeded", most)
        for i, point in enumerate(points):
            value = round(least + (most - least) * i / (len(points) - 1))
            point.update(edges=value, execs_per_s=value, corpus=value)
        target = samples.target("slab_fuzz", series=points)
        page.write_page(samples.healthy(targets=[target]), samples.SOURCES, self.path("flat"))
        self.load("flat")
        self.browser.run(SHOW_ALL_PLOTS)
        axes = self.browser.run(TICKS)
        self.assertEqual(6, len(axes))
        return axes

    def test_labels_of_an_axis_are_all_different(self):
        for least, most in ((1388, 1412), (1400, 1400), (96, 104), (900, 1050), (0, 70_000)):
            for ticks in self.ticks_of_plots(least, most):
                with self.subTest(least=least, most=most, ticks=ticks):
                    labels = [label for _, label in ticks]
                    self.assertGreater(len(labels), 1)
                    self.assertEqual(len(labels), len(set(labels)))

    def test_label_of_a_value_is_exact(self):
        units = {"K": 1000, "M": 1_000_000}
        for least, most in ((1388, 1412), (900, 1050), (0, 70_000), (0, 3_000_000)):
            axes = self.ticks_of_plots(least, most)
            values = [tick for ticks in axes for tick in ticks if not tick[1].endswith(TIMES)]
            self.assertGreater(len(values), 6)
            for value, label in values:
                number = float(label.rstrip("KM").replace(",", ""))
                self.assertEqual(value, round(number * units.get(label[-1], 1)), label)

    def comes_true(self, condition):
        """True if an expression of the page becomes true within 300 frames."""
        return self.browser.run(
            f"""let n = 300;
            return (async () => {{
                while (!({condition}) && --n) {{
                    await new Promise(requestAnimationFrame);
                }}
                return n > 0;
            }})();"""
        )

    def test_plot_shows_its_values_under_the_pointer(self):
        self.load("healthy")
        self.browser.run(SHOW_ALL_PLOTS)
        x, y = self.browser.run(
            """const canvas = document.querySelector('canvas');
            canvas.scrollIntoView({block: 'center'});
            const box = canvas.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];"""
        )
        # On a light plot only the box of values and letters are nearly black.
        self.browser.run(f"window.black = () => {BLACK_PIXELS}")
        self.assertLess(self.browser.run("return window.black()"), 500)
        self.browser.command("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self.assertTrue(self.comes_true("window.black() > 2000"))

    def test_plots_follow_a_change_of_colours(self):
        self.load("healthy")
        self.browser.run(SHOW_ALL_PLOTS)
        self.browser.run("window.light = document.querySelector('canvas').toDataURL()")
        self.browser.command(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark"}],
        )
        changed = "document.querySelector('canvas').toDataURL() !== window.light"
        self.assertTrue(self.comes_true(changed))

    def test_file_opens_to_its_lines_on_a_click(self):
        self.load("healthy")
        self.assertEqual(0, self.count(".code li"))
        self.browser.click("details[data-source='0'] summary")
        self.browser.run(SHOW_ALL_PLOTS)
        self.assertEqual(899, self.count(".code li"))
        line = "const l = document.querySelectorAll('.code li')[399];"
        self.assertEqual(
            ["has-code uncovered lost", '4000    if (a < 400 && b > 0) { "</script>"; }'],
            self.browser.run(line + " return [l.className, l.textContent]"),
        )
        self.browser.click(".steps button")
        self.assertEqual(1, self.count(".current"))
        self.browser.screenshot(SHOTS / "lines.png")

    def test_file_opens_by_keyboard(self):
        self.load("healthy")
        self.browser.run("document.querySelector('details[data-source] summary').focus()")
        for kind in ("keyDown", "keyUp"):
            self.browser.command(
                "Input.dispatchKeyEvent",
                type=kind,
                key="Enter",
                text="\r",
                windowsVirtualKeyCode=13,
            )
        self.browser.run(SHOW_ALL_PLOTS)
        self.assertEqual(899, self.count(".code li"))

    def copy(self):
        """Clicks the first copy button; returns its text after that."""
        self.browser.click("button.copy")
        self.assertTrue(self.comes_true("document.querySelector('.copy').textContent !== 'Copy'"))
        return self.browser.run("return document.querySelector('.copy').textContent")

    def test_copy_button_copies_the_command(self):
        self.load("hostile")
        self.browser.command("Browser.grantPermissions", permissions=["clipboardReadWrite"])
        self.assertEqual("Copied", self.copy())
        copied = self.browser.run("return navigator.clipboard.readText()")
        self.assertEqual(self.command(), copied)

    def test_copy_button_selects_the_command_if_it_may_not_copy(self):
        self.load("hostile")
        self.browser.run(NO_CLIPBOARD)
        self.assertEqual("Press Ctrl-C", self.copy())
        selected = self.browser.run("return getSelection().toString()")
        self.assertEqual(self.command(), selected)

    def test_text_stands_out_in_both_colour_schemes(self):
        for colours in ("light", "dark"):
            for night in NIGHTS:
                with self.subTest(f"{night}, {colours}"):
                    self.load(night, colours=colours)
                    self.browser.run(OPEN_ALL)
                    self.browser.run(SHOW_ALL_PLOTS)
                    ratio, where = self.browser.run(CONTRAST)
                    self.assertGreaterEqual(ratio, 4.5, where)

    def test_page_is_readable_without_scripts(self):
        self.browser.command("Emulation.setScriptExecutionDisabled", value=True)
        self.addCleanup(
            self.browser.command, "Emulation.setScriptExecutionDisabled", value=False
        )
        self.load("hostile")
        self.browser.screenshot(SHOTS / "hostile-desk-no-scripts.png")
        text = self.browser.run("return document.body.innerText")
        said = ("Without JavaScript", "2 new findings, 1 known", "slab_fuzz", "allocator/slab/objects.c")
        for words in said:
            self.assertIn(words, text)
        self.assertEqual(0, self.count("button"))

    def test_screenshots_are_taken(self):
        for night in NIGHTS:
            for size in ("desk", "phone"):
                for colours in ("light", "dark"):
                    self.load(night, size, colours)
                    shot = SHOTS / f"{night}-{size}-{colours}.png"
                    self.browser.run(SHOW_ALL_PLOTS)
                    self.browser.run("scrollTo(0, 0)")
                    self.browser.screenshot(shot, whole=True)
                    self.assertGreater(shot.stat().st_size, 10_000)


if __name__ == "__main__":
    SHOTS = _shots()
    unittest.main()
