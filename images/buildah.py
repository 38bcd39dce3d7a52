# SPDX-License-Identifier: Apache-2.0
"""Makes images with buildah, in a storage that is gone afterwards. Every byte of an image follows
from what is put in; its archive has times of its own."""

import json
import os
import shutil
import tarfile
import tempfile

import content

# What buildah calls the members of the OCI specification's config.
OPTIONS = {
    "Entrypoint": lambda value: ["--entrypoint", json.dumps(value)],
    "Env": lambda value: [word for one in value for word in ("--env", one)],
    "User": lambda value: ["--user", value],
    "WorkingDir": lambda value: ["--workingdir", value],
}


def stage(directory, entries):
    """Writes {path: (mode, bytes or None for a directory)} below a directory."""
    for path, (mode, data) in sorted(entries.items()):
        place = os.path.join(directory, path)
        if data is None:
            os.mkdir(place)
        else:
            with open(place, "wb") as stream:
                stream.write(data)
        os.chmod(place, mode)


def with_parents(entries):
    for path in list(entries):
        while path := path.rpartition("/")[0]:
            entries.setdefault(path, (0o755, None))
    return entries


class Storage:
    def __init__(self, owner):
        self.owner = f"{owner}:{owner}"
        self.directory = tempfile.mkdtemp(prefix="sonde-images-")
        os.chmod(self.directory, 0o755)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Without rights, what is in it can belong to other users: buildah may remove that.
        self.run("rmi", "--all", "--force", may_fail=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def run(self, *arguments, may_fail=False):
        places = [f"--root={self.directory}/storage", f"--runroot={self.directory}/run"]
        command = ["buildah", *places, "--storage-driver=vfs", *arguments]
        return content.output(*command, may_fail=may_fail).strip()

    def copy(self, container, entries, inside, owner):
        with tempfile.TemporaryDirectory(dir=self.directory) as place:
            os.chmod(place, 0o755)
            stage(place, entries)
            self.run("copy", "--quiet", f"--chown={owner}", container, place, inside)

    def commit(self, container, name, seconds):
        """A layer more, of which all times are those seconds since 1970."""
        told = ["--identity-label=false", "--omit-history", "--format=oci"]
        self.run("commit", "--quiet", "--rm", *told, f"--timestamp={seconds}", container, name)

    def add(self, container, root, number):
        """The files whose package says that they are of this layer; the last one also has the
        directories that the program itself writes to, which are its user's."""
        files = {path: (file.mode, file.data) for path, file in root.files.items()
                 if file.package.layer == number}  # fmt: skip
        owned = root.directories if number == 1 else {}
        above = {path.rpartition("/")[0]: (0o755, None) for path in owned}
        self.copy(container, with_parents({**files, **above}), "/", "0:0")
        for path, mode in owned.items():
            parent, _, name = path.rpartition("/")
            self.copy(container, {name: (mode, None)}, f"/{parent}", self.owner)

    def write(self, reference, root, seconds, settings, annotations, path):
        """Writes the archive of an image, and returns its digest and compressed size in bytes.
        `settings` is the config of the OCI specification. Two layers: the first one does not
        change with each commit, and has no time."""
        libraries = f"localhost/libraries-of-{reference.rpartition('/')[2]}"
        container = self.run("from", "--quiet", "scratch")
        self.add(container, root, 0)
        self.commit(container, libraries, 0)
        container = self.run("from", "--quiet", "--pull-never", libraries)
        self.add(container, root, 1)
        told = [word for key, value in sorted(settings.items()) for word in OPTIONS[key](value)]
        for key, value in sorted(annotations.items()):
            told += ["--annotation", f"{key}={value}", "--label", f"{key}={value}"]
        self.run("config", *told, container)
        self.commit(container, reference, seconds)
        self.run("push", "--quiet", "--format=oci", reference, f"oci-archive:{path}:{reference}")
        return describe(path)


def describe(path):
    """The digest of an archive's only image, and the bytes of its layers."""
    with tarfile.open(path) as archive:
        index = json.load(archive.extractfile("index.json"))
        (image,) = index["manifests"]
        blob = f"blobs/{image['digest'].replace(':', '/')}"
        manifest = json.load(archive.extractfile(blob))
    return image["digest"], sum(layer["size"] for layer in manifest["layers"])
