#!/usr/bin/env python3
"""One person's working day in small: browses, uses the file share, looks names up, now and then logs in by ssh.

Usage: office_worker.py USER PASSWORD SEED SECONDS [no-share]. Runs inside the workstation's namespace with real
programs (curl, smbclient, ssh, dig, ping). The order of work depends on the seed only.
"""
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

USER, PASSWORD = sys.argv[1], sys.argv[2]
DICE = random.Random(int(sys.argv[3]))
UNTIL = time.monotonic() + float(sys.argv[4])
SHARE_ALLOWED = "no-share" not in sys.argv
WORK = Path(tempfile.mkdtemp(prefix="worker-"))
PAGES = ["index", "about", "team", "report1", "report2", "report3"]
SITES = ["http://intranet.corp.example", "https://intranet.corp.example", "http://www.example.com",
         "https://www.example.com", "https://news.example.org", "http://news.example.org"]
WRONG_NAMES = ["intranett.corp.example", "printer7.corp.example", "wpad.corp.example", "old-wiki.corp.example"]
COMMANDS = ["ls -l", "cat notes.txt", "uptime", "df -h .", "whoami", "tail -5 notes.txt", "date", "wc notes.txt"]


def run(*command: str, text: str | None = None) -> None:
    subprocess.run(command, input=text, text=True, timeout=90, check=False,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def browse() -> None:
    site = DICE.choice(SITES)
    files = [f"{DICE.choice(PAGES)}.html", "style.css", "logo.png"][: DICE.randint(1, 3)]
    if DICE.random() < 0.15:
        files.append("missing.html")
    run("curl", "-sk", *[f"{site}/{name}" for name in files])
    if DICE.random() < 0.4:  # the reader follows a link a few seconds later
        time.sleep(DICE.uniform(2, 5))
        run("curl", "-sk", f"{site}/{DICE.choice(PAGES)}.html")


def send_form() -> None:
    note = WORK / "form.txt"
    note.write_text("".join(f"line {n} of a form\n" for n in range(DICE.randint(200, 6000))))
    run("curl", "-sk", "-F", f"file=@{note}", f"{DICE.choice(SITES)}/index.html")


def use_share() -> None:
    """A mapped drive: one session with a few reads and writes and pauses between them."""
    plan = f"plan{DICE.randint(1, 6)}.txt"
    mine = WORK / f"{USER}-{DICE.randint(1, 99)}.txt"
    mine.write_text("".join(f"{USER} writes line {n}\n" for n in range(DICE.randint(100, 5000))))
    steps = ["ls", f"get {plan} {WORK}/{plan}", f"put {mine} {mine.name}", f"get {mine.name} {WORK}/back.txt"]
    session = subprocess.Popen(
        ["smbclient", "//files.corp.example/projects", "-s", "/dev/null", "-U", f"{USER}%{PASSWORD}", "-W", "CORP"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
    for step in steps[: DICE.randint(2, 4)]:
        time.sleep(DICE.uniform(0.5, 4))
        session.stdin.write(step + "\n")
        session.stdin.flush()
    time.sleep(DICE.uniform(1, 8))
    session.communicate("quit\n", timeout=30)


def look_up() -> None:
    name = DICE.choice(WRONG_NAMES) if DICE.random() < 0.6 else DICE.choice(["files", "intranet", "gw"]) + ".corp.example"
    run("dig", "+tries=1", name)


def ping() -> None:
    run("ping", "-c", str(DICE.randint(2, 4)), DICE.choice(["gw.corp.example", "intranet.corp.example"]))


def administer() -> None:
    """An interactive shell: keys typed one by one, so the server echoes one by one."""
    session = subprocess.Popen(
        ["sshpass", "-p", PASSWORD, "ssh", "-tt", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
         f"{USER}@intranet.corp.example"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
    time.sleep(2)
    for command in [*DICE.sample(COMMANDS, DICE.randint(2, 5)), "exit"]:
        for key in command + "\r":
            session.stdin.write(key)
            session.stdin.flush()
            time.sleep(DICE.uniform(0.05, 0.2))
        time.sleep(DICE.uniform(1, 4))
    session.communicate(timeout=30)


def main() -> None:
    tasks = [(browse, 8), (look_up, 3), (ping, 1), (send_form, 1)]
    tasks += [(use_share, 4)] if SHARE_ALLOWED else []
    tasks += [(administer, 2)] if USER in ("anna", "ben") else []
    while time.monotonic() < UNTIL:
        task = DICE.choices([t for t, _ in tasks], [weight for _, weight in tasks])[0]
        try:
            task()
        except (BrokenPipeError, subprocess.TimeoutExpired) as reason:  # the peer hung up; people try again later
            print(f"{task.__name__} stopped: {reason}", file=sys.stderr)
        time.sleep(DICE.uniform(3, 12))


main()
