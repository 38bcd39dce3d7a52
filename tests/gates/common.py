# SPDX-License-Identifier: Apache-2.0
"""What the gates in Python share: the tracked files, and findings as `file:line: what to do`."""

import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def git(*arguments):
    """The output of git in the repository; ends the gate when git fails."""
    done = subprocess.run(
        ["git", "-C", ROOT, *arguments], stdout=subprocess.PIPE, check=True, text=True
    )
    return done.stdout


def tracked(*patterns):
    """The tracked files that exist and match, relative to the root."""
    files = git("ls-files", "-z", "--", *patterns).split("\0")
    return [file for file in files if file and os.path.isfile(os.path.join(ROOT, file))]


def read(file):
    """The text of a tracked file; bytes that are not UTF-8 are replaced."""
    with open(os.path.join(ROOT, file), encoding="utf-8", errors="replace") as stream:
        return stream.read()


def is_text(file):
    with open(os.path.join(ROOT, file), "rb") as stream:
        return b"\0" not in stream.read(8192)


class Findings:
    def __init__(self):
        self.lines = {}

    def add(self, file, line, text):
        self.lines[f"{file}:{line}: {text}"] = None

    def finish(self):
        """Prints them and ends with 1 when there are any."""
        for line in self.lines:
            print(line)
        sys.exit(1 if self.lines else 0)
