# SPDX-License-Identifier: Apache-2.0
"""Writes an image as an OCI archive, of which every byte follows from what is put in."""

import hashlib
import io
import json
import subprocess
import tarfile

OCI = "application/vnd.oci.image"


def tar(entries):
    """Of (path, mode, owner, bytes or None for a directory), in their order, without times."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.PAX_FORMAT) as stream:
        for path, mode, owner, data in entries:
            entry = tarfile.TarInfo(path)
            entry.mode, entry.uid, entry.gid = mode, owner, owner
            if data is None:
                entry.type = tarfile.DIRTYPE
                stream.addfile(entry)
            else:
                entry.size = len(data)
                stream.addfile(entry, io.BytesIO(data))
    return whole.getvalue()


def layer(root, number, owner):
    """A layer of the files whose package says so, with the directories above them; the last one
    also has the directories that the program itself writes to, which are the owner's."""
    files = {path: file for path, file in root.files.items() if file.package.layer == number}
    entries = {path: (file.mode, 0, file.data) for path, file in files.items()}
    if number == 1:
        entries |= {path: (mode, owner, None) for path, mode in root.directories.items()}
    for path in list(entries):
        while path := path.rpartition("/")[0]:
            entries.setdefault(path, (0o755, 0, None))
    return tar([(path, *entry) for path, entry in sorted(entries.items())])


class Archive:
    def __init__(self):
        self.blobs = {}

    def add(self, kind, data):
        """Keeps a blob; returns the descriptor that refers to it."""
        digest = hashlib.sha256(data).hexdigest()
        self.blobs[f"blobs/sha256/{digest}"] = data
        return {"mediaType": f"{OCI}.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    def add_json(self, kind, value):
        return self.add(kind, json.dumps(value, sort_keys=True, separators=(",", ":")).encode())

    def add_layer(self, data):
        """Compresses a layer; returns its descriptor and the digest of what was compressed."""
        # GNU gzip, whose output has been the same for many years; -n: no name, no time.
        done = subprocess.run(["gzip", "-n", "-6"], input=data, stdout=subprocess.PIPE, check=True)
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        return self.add("layer.v1.tar+gzip", done.stdout), digest

    def whole(self, reference, manifest, platform):
        """The bytes of the archive of the image with that manifest."""
        index = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.index.v1+json",
            "manifests": [
                {
                    **manifest,
                    "platform": platform,
                    "annotations": {"org.opencontainers.image.ref.name": reference},
                }
            ],
        }
        files = dict(self.blobs)
        files["index.json"] = json.dumps(index, sort_keys=True).encode()
        files["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
        entries = [("blobs", 0o755, 0, None), ("blobs/sha256", 0o755, 0, None)]
        entries += [(path, 0o644, 0, data) for path, data in sorted(files.items())]
        return tar(entries)


def write(root, created, settings, annotations, reference, architecture, owner):
    """Returns (archive, digest of the manifest, compressed bytes). `settings` is the config of the
    OCI specification, `owner` the user and group that the program runs as."""
    archive = Archive()
    layers, diffs = zip(*(archive.add_layer(layer(root, number, owner)) for number in (0, 1)))
    platform = {"architecture": architecture, "os": "linux"}
    about = [{"created": created, "created_by": f"images/build: {what}"}
             for what in ("what does not change with each commit", "the rest")]  # fmt: skip
    config = archive.add_json(
        "config.v1+json",
        {
            **platform,
            "created": created,
            "config": {**settings, "Labels": annotations},
            "rootfs": {"type": "layers", "diff_ids": list(diffs)},
            "history": about,
        },
    )
    manifest = archive.add_json(
        "manifest.v1+json",
        {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": config,
            "layers": list(layers),
            "annotations": annotations,
        },
    )
    bytes_compressed = sum(one["size"] for one in layers)
    return archive.whole(reference, manifest, platform), manifest["digest"], bytes_compressed
