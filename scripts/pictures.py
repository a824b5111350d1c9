"""Makes the README's pictures from the demo: `.venv/bin/python scripts/pictures.py`, with Chromium on this machine.

An alert as Slack would about draw it, and the results page in Airflow's own interface, each in light and dark.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
ORGANIZATION = "Bluebird Coffee"
CSS = """
:root { color-scheme: light dark; }
body { background: light-dark(#fff, #1a1d21); color: light-dark(#1d1c1d, #d1d2d3); font: 15px/1.46 Lato, "Noto Sans",
  "DejaVu Sans", sans-serif; margin: 0; padding: 18px 20px; width: 700px; }
.who { display: flex; gap: 8px; align-items: baseline; margin-bottom: 4px; font-weight: 700; }
.who span { border-radius: 3px; background: light-dark(#e8e8e8, #35373b); font-size: 10px; padding: 1px 4px; }
h1 { font-size: 18px; line-height: 1.33; margin: 6px 0; }
p { margin: 4px 0; white-space: pre-line; }
.context { color: light-dark(#616061, #ababad); font-size: 13px; }
hr { border: 0; border-top: 1px solid light-dark(#ddd, #3b3d41); }
code { background: light-dark(#f6f6f6, #232629); border: 1px solid light-dark(#ddd, #3b3d41); border-radius: 3px;
  color: light-dark(#c01343, #e8912d); font-size: 12px; padding: 1px 3px; }
a { color: light-dark(#1264a3, #1d9bd1); text-decoration: none; }
.button { border: 1px solid light-dark(#bbb, #565856); border-radius: 4px; display: inline-block; font-weight: 700;
  margin: 4px 8px 4px 0; padding: 4px 12px; }
"""


def drawn(message: dict[str, Any]) -> str:
    body = "".join(block(each) for each in message["blocks"])
    return f"<!doctype html><style>{CSS}</style><div class=who>Schema Sync <span>APP</span></div>{body}"


def block(value: dict[str, Any]) -> str:
    kind = value["type"]
    if kind == "header":
        return f"<h1>{html.escape(value['text']['text'])}</h1>"
    if kind == "divider":
        return "<hr>"
    if kind == "actions":
        return "".join(f"<span class=button>{html.escape(each['text']['text'])}</span>" for each in value["elements"])
    texts = value.get("elements") or [value[key] for key in ("text",) if key in value]
    inside = " ".join(marked(each["text"]) for each in texts if isinstance(each.get("text"), str))
    button = value.get("accessory", {}).get("text", {}).get("text")
    tail = f"<span class=button>{html.escape(button)}</span>" if button else ""
    return f'<p class="{kind}">{inside}</p>{tail}'


def marked(text: str) -> str:
    """Slack's mrkdwn, whose ``& < >`` are escaped already."""
    text = re.sub(r"<!date\^\d+\^[^|>]*\|([^>]*)>", r"\1", text)
    text = re.sub(r"<(?:https?:[^|>]*)\|([^>]*)>", r"<a>\1</a>", text)
    text = re.sub(r"`([^`\n]+)`", r"<code>\1</code>", text)
    text = re.sub(r"(?<![\w*])\*([^*\n]+)\*(?!\w)", r"<b>\1</b>", text)
    return re.sub(r"(?<![\w_])_([^_\n]+)_(?!\w)", r"<i>\1</i>", text)


def main() -> int:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("pictures: Chromium is not installed (Debian, Ubuntu: apt-get install chromium).", file=sys.stderr)
        return 1
    IMAGES.mkdir(exist_ok=True)
    command = [str(ROOT / "scripts" / "demo"), "--ui"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as demo:
        try:
            assert demo.stdout is not None
            found = next(filter(None, (re.search(r"(http\S+)/plugin\S+ +user (\S+), password (\S+)", line)
                                       for line in demo.stdout)), None)  # fmt: skip
            if found is None:
                print("pictures: the demo did not start; `scripts/demo --ui` says why.", file=sys.stderr)
                return 1
            with sync_playwright() as engine:
                browser = engine.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                for scheme in ("light", "dark"):
                    picture_page(browser, scheme, *found.groups())
                    picture_alert(browser, scheme)
        finally:
            demo.send_signal(signal.SIGTERM)
    return 0


def picture_page(browser: Browser, scheme: Any, url: str, user: str, password: str) -> None:
    context = browser.new_context(viewport={"width": 1180, "height": 620}, color_scheme=scheme)
    answer = context.request.post(f"{url}/auth/token", data={"username": user, "password": password})
    context.add_cookies([{"name": "_token", "value": answer.json()["access_token"], "url": url}])
    page = context.new_page()
    page.goto(f"{url}/schema-sync/")
    page.get_by_role("heading", name="Organizations").wait_for()
    page.screenshot(path=IMAGES / f"page-{scheme}.png")
    context.close()


def picture_alert(browser: Browser, scheme: Any) -> None:
    messages = json.loads((ROOT / ".demo" / "messages.json").read_text())
    alert = next(each for each in messages if ORGANIZATION in each["text"] and not each.get("thread_ts"))
    page = browser.new_page(viewport={"width": 740, "height": 200}, color_scheme=scheme)
    page.set_content(drawn(alert))
    page.screenshot(path=IMAGES / f"alert-{scheme}.png", full_page=True)
    page.close()


if __name__ == "__main__":
    sys.exit(main())
