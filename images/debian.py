# SPDX-License-Identifier: Apache-2.0
"""What a program needs of Debian: libraries and data, and the packages they come from."""

import fnmatch
import functools
import hashlib
import os
import re
import urllib.parse

import content

SHARED_LICENCES = re.compile(r"/usr/share/common-licenses/([A-Za-z0-9][A-Za-z0-9.+-]*[A-Za-z0-9+])")


@functools.cache
def library_directories():
    name = content.output("dpkg-architecture", "-qDEB_HOST_MULTIARCH").strip()
    return [f"lib/{name}", f"usr/lib/{name}"]


@functools.cache
def architecture():
    return content.output("dpkg", "--print-architecture").strip()


@functools.cache
def distribution():
    with open("/etc/os-release", encoding="utf-8") as stream:
        fields = dict(line.rstrip("\n").split("=", 1) for line in stream if "=" in line)
    fields = {name: value.strip('"') for name, value in fields.items()}
    if fields.get("ID") != "debian":
        raise content.Failure("libraries are taken from Debian only: build on Debian 12")
    return f"debian-{fields['VERSION_ID']}"


@functools.cache
def dynamic(path):
    """(interpreter or None, sonames needed) of an ELF file."""
    text = content.output("readelf", "--wide", "--dynamic", "--program-headers", path)
    if re.search(r"\((RPATH|RUNPATH)\)", text):
        raise content.Failure(f"{path} looks for libraries in a path of its own: link it without")
    interpreter = re.search(r"\[Requesting program interpreter: (.*)\]", text)
    needed = re.findall(r"\(NEEDED\)\s+Shared library: \[(.*)\]", text)
    return (interpreter[1] if interpreter else None), needed


def find(soname):
    for directory in library_directories():
        path = f"/{directory}/{soname}"
        if os.path.exists(path):
            return path
    raise content.Failure(f"no package installed here has {soname}: install the one that has it")


def closure(program):
    """What a program needs, in the end: {name: path}, and who needs whom as pairs of names, the
    program's being ""."""
    interpreter, first = dynamic(program)
    if interpreter is None:
        raise content.Failure(f"{program} names no interpreter: link it dynamically")
    found = {os.path.basename(interpreter): interpreter}
    edges = set()
    waiting = [("", soname) for soname in [*found, *first]]
    while waiting:
        user, soname = waiting.pop()
        edges.add((user, soname))
        if user and soname in found:
            continue
        found.setdefault(soname, None)
        found[soname] = found[soname] or find(soname)
        needed = dynamic(found[soname])[1]
        waiting += [(soname, other) for other in needed]
    return found, edges


def owners(paths):
    """The name (with its architecture) of the package that has each file: {real path: name}."""
    # Packages of Debian 12 still say /lib for what is in /usr/lib.
    wanted = {re.sub(r"^/usr/lib", "/lib", path): path for path in paths}
    # It fails when it does not know one of the two names of a file.
    text = content.output("dpkg-query", "--search", *wanted, *paths, may_fail=True)
    found = {}
    for line in text.splitlines():
        package, _, name = line.partition(": ")
        name = re.sub(r"^/usr/lib", "/lib", name)
        if name in wanted and not package.startswith("diversion"):
            found[wanted[name]] = package
    for path in set(paths) - set(found):
        raise content.Failure(f"{path} is of no Debian package: remove it, or install the package")
    return found


@functools.cache
def sums(package):
    text = content.output("dpkg-query", "--control-show", package, "md5sums")
    return {name: value for value, name in (line.split("  ", 1) for line in text.splitlines())}


def read(package, real):
    """The bytes of a file, which must be those that the package brought."""
    with open(real, "rb") as stream:
        data = stream.read()
    names = (real[1:], re.sub(r"^usr/lib", "lib", real[1:]))
    wanted = [sums(package)[name] for name in names if name in sums(package)]
    if hashlib.md5(data, usedforsecurity=False).hexdigest() not in wanted:
        raise content.Failure(f"{real} is not what {package} brought: reinstall the package")
    return data


def copyright_of(package):
    path = f"/usr/share/doc/{package.partition(':')[0]}/copyright"
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        raise content.Failure(f"{path} is missing: reinstall {package} with its documents") from None


def licence_names(text):
    """The licences that a machine-readable copyright file names. They are those of the source
    package, its build scripts included, and so say nothing certain about one file."""
    if not re.match(r"Format:.*copyright-format", text):
        return ""
    names = re.findall(r"^License:[ \t]*(\S.*)$", text, re.MULTILINE)
    return "The copyright file names: " + ", ".join(sorted(set(names)))


@functools.cache
def describe(package):
    """The content.Package of an installed Debian package."""
    form = "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}"
    fields = content.output("dpkg-query", "--show", f"--showformat={form}", package).split("\t")
    name, version, machine, source, source_version = fields

    def escaped(text):
        return urllib.parse.quote(text, safe=".-_~")

    return content.Package(
        name=name,
        version=version,
        purl=f"pkg:deb/debian/{escaped(name)}@{escaped(version)}?arch={machine}"
        f"&distro={distribution()}&upstream={escaped(f'{source}@{source_version}')}",
        layer=0,
        supplier="Organization: Debian",
        source=f"built by Debian from the source package {source} {source_version}",
        licence_comment=licence_names(copyright_of(package).decode(errors="replace")),
        comment="Only the files named here are in the image.",
    )


def add_licences(root, package):
    """Its copyright file, and the texts which that refers to."""
    data = copyright_of(package)
    name = package.partition(":")[0]
    root.add(f"usr/share/doc/{name}/copyright", data, describe(package))
    shared = SHARED_LICENCES.findall(data.decode(errors="replace"))
    for text in shared:
        path = f"usr/share/common-licenses/{text}"
        root.add(path, read("base-files", os.path.realpath(f"/{path}")), describe("base-files"))
    if shared and package != "base-files":
        add_licences(root, "base-files")


def add_libraries(root, program, of):
    """Puts what the program (of the content.Package `of`) needs into the image."""
    libraries, edges = closure(program)
    real = {name: os.path.realpath(path) for name, path in libraries.items()}
    package_of = owners(set(real.values()))
    packages = {"": of}
    for name, path in sorted(libraries.items()):
        package = package_of[real[name]]
        packages[name] = describe(package)
        # The kernel starts the interpreter by its path; the interpreter finds the rest.
        is_interpreter = os.path.dirname(path)[1:] not in library_directories()
        inside = path[1:] if is_interpreter else f"{library_directories()[1]}/{name}"
        data = read(package, real[name])
        root.add(inside, data, packages[name], mode=0o755 if is_interpreter else 0o644)
        add_licences(root, package)
    for user, used in edges:
        if packages[user] != packages[used]:
            root.depends.add((packages[user], packages[used]))


def add_data(root, row, of):
    """Puts files of a package that no program links to into the image: those below a directory, but
    the ones that match a pattern of `without`. What a link leads to stands in its place."""
    package, directory = row["package"], f"/{row['directory']}"
    listed = content.output("dpkg-query", "--listfiles", package).splitlines()
    wanted = [path for path in listed if path.startswith(f"{directory}/")]
    added = 0
    for path in sorted(wanted):
        inside = path[len(directory) + 1 :]
        real = os.path.realpath(path)
        if (
            os.path.isdir(path)
            or not real.startswith(f"{directory}/")
            or any(fnmatch.fnmatch(inside, pattern) for pattern in row["without"])
        ):
            continue
        root.add(path[1:], read(package, real), describe(package))
        added += 1
    if added == 0:
        raise content.Failure(f"{package} has nothing in {directory}: reinstall the package")
    add_licences(root, package)
    root.depends.add((of, describe(package)))
