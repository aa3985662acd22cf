#!/usr/bin/env python3
"""Draws the recorded session of a page as an SVG that plays it.

    contrib/session_svg.py docs/operations.md >docs/session.svg

Takes the first console block of the page: what a terminal showed, from the prompt to the end. To record it anew, start
the same parts as contrib/quickstart.sh --keep. Then run the commands of the block with 2>&1 | tee FILE, and put FILE
into the page. Pauses are cut to a second and a half. Without animation the picture shows the whole session.
"""

import html
import re
import sys

COLUMNS = 113
PAUSE = 1.5
LABEL = "A terminal session of prefect-podman worker start: two flow runs end well, one fails, SIGTERM stops the worker"
STYLE = (
    'text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre;'
    "animation:a .1s backwards}@keyframes a{from{opacity:0}}@media(prefers-reduced-motion){text{animation:none}}"
    ".c{fill:#f0f6fc;font-weight:bold}.l{fill:#8b949e}.w{fill:#d29922}.e{fill:#ff7b72}.t{fill:#ffa198}.b{fill:#7ee787}"
    ".o{fill:#e6edf3}"
)
LOG_LINE = re.compile(r"(\d\d):(\d\d):(\d\d\.\d+) \| (\w+)")


def session(page):
    block = re.search(r"```console\n(.*?)```", page, re.S)
    if block is None:
        sys.exit("no console block in the page")
    return block.group(1).splitlines()


def kind(line, before):
    """The class of LINE: command, log line, warning, error, text of an error, banner, or output of a container."""
    logged = LOG_LINE.match(line)
    if line.startswith("$ "):
        return "c"
    if logged:
        return {"WARNING": "w", "ERROR": "e", "CRITICAL": "e"}.get(logged.group(4), "l")
    if line.startswith("    ") and before in ("e", "t"):
        return "t"
    return "b" if re.match(r"Worker '.*' (started|stopped)!", line) else "o"


def timed(lines):
    """Each line with its class and when it appears, in seconds."""
    now, clock, before = 0.0, None, ""
    for line in lines:
        before = kind(line, before)
        logged = LOG_LINE.match(line)
        if logged:
            hours, minutes, seconds = (float(part) for part in logged.groups()[:3])
            at = hours * 3600 + minutes * 60 + seconds
            now += min(max(at - clock, 0), PAUSE) if clock is not None else 0.5
            clock = at
        else:
            now += 0.8 if before == "c" else 0.1
        yield line, before, now


def draw(lines):
    width, height = 34 + int(COLUMNS * 7.25), 39 + 17 * len(lines)
    yield f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    yield f' role="img" aria-label="{html.escape(LABEL)}">'
    yield f"<style>{STYLE}</style>"
    yield f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>'
    for x, colour in ((20, "#ff5f56"), (40, "#ffbd2e"), (60, "#27c93f")):
        yield f'<circle cx="{x}" cy="18" r="6" fill="{colour}"/>'
    for row, (line, name, at) in enumerate(timed(lines)):
        if len(line) > COLUMNS:
            line = line[: COLUMNS - 1] + "…"
        yield (
            f'<text class="{name}" x="16" y="{46 + 17 * row}" style="animation-delay:{at:.1f}s" xml:space="preserve">'
            f"{html.escape(line, quote=False)}</text>"
        )
    yield "</svg>"


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as page:
        for line in draw(session(page.read())):
            print(line)


main()
