# SPDX-License-Identifier: Apache-2.0
"""Node.js and the packages of npm that a service needs."""

import fnmatch
import json
import os
import shutil
import urllib.parse

import content

# Those that packages of npm really have; each is an identifier of SPDX.
LICENCES = {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"}
# What npm itself writes, and programs that are only of use to a person with a shell.
LEFT_OUT = {".bin", ".package-lock.json"}


def install(directory, cache):
    """What the lock file of a directory says, in a directory of its own below cache."""
    with open(os.path.join(directory, "package-lock.json"), "rb") as stream:
        lock = stream.read()
    done = os.path.join(cache, "installed-lock.json")
    if os.path.exists(done):
        with open(done, "rb") as stream:
            if stream.read() == lock:
                return os.path.join(cache, "node_modules")
    shutil.rmtree(cache, ignore_errors=True)
    os.makedirs(cache)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(os.path.join(directory, name), os.path.join(cache, name))
    content.output(
        "npm", "ci", "--prefix", cache, "--ignore-scripts", "--omit=dev", "--no-audit",
        "--no-fund", "--loglevel=error", "--no-update-notifier", cwd=cache,
    )  # fmt: skip
    # Written last: it says that all of it was installed.
    with open(done, "wb") as stream:
        stream.write(lock)
    return os.path.join(cache, "node_modules")


def describe(name, version, licence, comment=""):
    known = licence in LICENCES
    return content.Package(
        name=name,
        version=version,
        purl=f"pkg:npm/{urllib.parse.quote(name, safe='/')}@{version}",
        layer=0,
        licence=licence if known else content.NONE,
        licence_comment="" if known else f"Its package.json says: {licence}",
        comment=comment,
    )


def add_node(root, program):
    """The program of a package that holds a build of Node.js, and its licence."""
    directory = os.path.dirname(os.path.dirname(program))
    with open(os.path.join(directory, "package.json"), encoding="utf-8") as stream:
        about = json.load(stream)
    package = describe(
        about["name"], about["version"], about.get("license"),
        "Only the files named here are in the image. The licence names what is linked into it.",
    )  # fmt: skip
    for path, inside, mode in (
        (program, "usr/bin/node", 0o755),
        (os.path.join(directory, "LICENSE"), "usr/share/doc/node/LICENSE", 0o644),
    ):
        with open(path, "rb") as stream:
            root.add(inside, stream.read(), package, mode)
    return package


def walk(directory):
    """The files below a directory, as paths relative to it."""
    for base, directories, files in os.walk(directory):
        directories[:] = [name for name in directories if name not in LEFT_OUT]
        for name in files:
            if name not in LEFT_OUT:
                yield os.path.relpath(os.path.join(base, name), directory)


def add_modules(root, modules, inside, of):
    """The installed packages, each with all of its files; the one of `of` depends on each."""
    with open(os.path.join(modules, ".package-lock.json"), encoding="utf-8") as stream:
        entries = json.load(stream)["packages"]
    packages = {}
    for place, entry in entries.items():
        name = entry.get("name") or place.rpartition("node_modules/")[2]
        packages[place] = describe(name, entry["version"], entry.get("license"))
        root.depends.add((of, packages[place]))
    for path in walk(modules):
        place = os.path.dirname(os.path.join("node_modules", path))
        while place not in packages:
            place = os.path.dirname(place)
            if not place:
                raise content.Failure(f"{modules}/{path} is of no package: remove {modules}")
        with open(os.path.join(modules, path), "rb") as stream:
            root.add(f"{inside}/node_modules/{path}", stream.read(), packages[place])


def add_sources(root, directory, tracked, row, inside, package):
    """The tracked files of a service that the image's row of the table names."""
    found = False
    for path in tracked:
        name = os.path.relpath(path, directory)
        # A star stands for no slash here.
        named = [
            any(
                fnmatch.fnmatchcase(name, pattern) and name.count("/") == pattern.count("/")
                for pattern in patterns
            )
            for patterns in (row["files"], row["without"])
        ]
        if named == [True, False]:
            with open(path, "rb") as stream:
                root.add(f"{inside}/{name}", stream.read(), package)
            found = True
    if not found:
        raise content.Failure(f"{directory} has none of {row['files']}")
