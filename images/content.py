# SPDX-License-Identifier: Apache-2.0
"""What an image is made of: files, each of a package, and the directories that hold them."""

import dataclasses
import hashlib
import os
import subprocess

NONE = "NOASSERTION"


class Failure(Exception):
    """What went wrong, to what, and what to do."""


def output(*command, may_fail=False, **options):
    """What a command prints; a Failure with its last words when it fails."""
    environment = dict(os.environ, LC_ALL="C")
    try:
        done = subprocess.run(command, env=environment, capture_output=True, **options)
    except FileNotFoundError:
        raise Failure(f"there is no {command[0]}: run tests/environment/packages images") from None
    if done.returncode != 0 and not may_fail:
        last = done.stderr.decode(errors="replace").strip()[-400:]
        raise Failure(f"`{' '.join(map(str, command))}` failed: {last}")
    return done.stdout.decode()


@dataclasses.dataclass(frozen=True)
class Package:
    """Where files come from. `layer` 0 changes with Debian and Node.js only, 1 with each commit."""

    name: str
    version: str
    purl: str
    layer: int
    supplier: str = NONE
    source: str = ""
    licence: str = NONE
    licence_comment: str = ""
    comment: str = ""


@dataclasses.dataclass(frozen=True)
class File:
    path: str
    mode: int
    data: bytes
    package: Package

    def digest(self, algorithm):
        return hashlib.new(algorithm, self.data).hexdigest()


class Root:
    """The root directory of an image. Paths are relative to it; all is owned by root but the
    directories that were added with a mode."""

    def __init__(self):
        self.files = {}
        self.directories = {}
        self.depends = set()

    def add(self, path, data, package, mode=0o644):
        """The same file may come twice, as licences that several packages share do."""
        old = self.files.get(path)
        if old and old.data != data:
            raise Failure(f"two files want to be /{path} of the image")
        if not old:
            self.files[path] = File(path, mode, data, package)

    def add_directory(self, path, mode):
        self.directories[path] = mode

    def packages(self):
        found = {file.package for file in self.files.values()}
        return sorted(found, key=lambda package: (package.purl, package.name))

    def inputs(self):
        """A digest of all that was put in, which does not depend on when that was."""
        whole = hashlib.sha256()
        for path, mode in sorted(self.directories.items()):
            whole.update(f"{path} {mode:o}\n".encode())
        for path, file in sorted(self.files.items()):
            whole.update(f"{path} {file.mode:o} {file.digest('sha256')} {file.package}\n".encode())
        return whole.hexdigest()
