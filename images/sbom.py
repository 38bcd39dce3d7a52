# SPDX-License-Identifier: Apache-2.0
"""The parts list of an image: SPDX 2.3, as JSON."""

import hashlib
import json
import re

import content

PATH = "usr/share/sonde/sbom.spdx.json"


def identifiers(packages):
    """{package: SPDXID}"""
    found = {}
    for package in packages:
        text = re.sub(r"[^A-Za-z0-9.-]+", "-", f"{package.name}-{package.version}")
        found[package] = f"SPDXRef-Package-{text}"
    if len(set(found.values())) != len(found):
        raise content.Failure("two packages of an image have the same name and version")
    return found


def verification_code(files):
    """As SPDX defines it, 7.9: of the sums of the files, sorted."""
    sums = "".join(sorted(file.digest("sha1") for file in files))
    return hashlib.sha1(sums.encode(), usedforsecurity=False).hexdigest()


def package_part(package, identifier, files, has_sbom):
    code = {"packageVerificationCodeValue": verification_code(files)}
    if has_sbom:
        code["packageVerificationCodeExcludedFiles"] = [f"./{PATH}"]
    part = {
        "SPDXID": identifier,
        "name": package.name,
        "versionInfo": package.version,
        "supplier": package.supplier,
        "downloadLocation": content.NONE,
        "filesAnalyzed": True,
        "packageVerificationCode": code,
        "licenseConcluded": content.NONE,
        "licenseDeclared": package.licence,
        "copyrightText": content.NONE,
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": package.purl,
            }
        ],
    }
    for name, value in (
        ("sourceInfo", package.source),
        ("licenseComments", package.licence_comment),
        ("comment", package.comment),
    ):
        if value:
            part[name] = value
    return part


def file_part(file, identifier):
    return {
        "SPDXID": identifier,
        "fileName": f"./{file.path}",
        "checksums": [
            {"algorithm": name.upper(), "checksumValue": file.digest(name)}
            for name in ("sha1", "sha256")
        ],
        "licenseConcluded": content.NONE,
        "licenseInfoInFiles": [content.NONE],
        "copyrightText": content.NONE,
    }


def image_part(name, own):
    return {
        "SPDXID": "SPDXRef-Image",
        "name": name,
        "versionInfo": own.version,
        "supplier": own.supplier,
        "downloadLocation": content.NONE,
        "filesAnalyzed": False,
        "licenseConcluded": content.NONE,
        "licenseDeclared": content.NONE,
        "copyrightText": content.NONE,
        "primaryPackagePurpose": "CONTAINER",
    }


def relationship(one, kind, other):
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def make(root, name, own, created):
    """The bytes of the list of all that is in the root of an image with that name. `own` is the
    package of what is ours in it, `created` is in UTC, as in 2026-01-31T12:00:00Z. The list is a
    file of `own` too, but cannot say its own sum."""
    packages = root.packages()
    package_id = identifiers(packages)
    files = [root.files[path] for path in sorted(root.files)]
    file_id = {file.path: f"SPDXRef-File-{number}" for number, file in enumerate(files, 1)}
    links = [relationship("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Image")]
    parts = [image_part(name, own)]
    for package in packages:
        of = [file for file in files if file.package == package]
        parts.append(package_part(package, package_id[package], of, package == own))
        links.append(relationship("SPDXRef-Image", "CONTAINS", package_id[package]))
        for file in of:
            links.append(relationship(package_id[package], "CONTAINS", file_id[file.path]))
    for user, used in sorted((package_id[a], package_id[b]) for a, b in root.depends):
        links.append(relationship(user, "DEPENDS_ON", used))
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{name} {own.version}",
        "documentNamespace": f"https://{name}/spdx/{own.version}/{created}/{root.inputs()}",
        "creationInfo": {
            "created": created,
            "creators": ["Organization: The Sonde authors", "Tool: sonde-images"],
        },
        "packages": parts,
        "files": [file_part(file, file_id[file.path]) for file in files],
        "relationships": links,
    }
    return (json.dumps(document, indent=1) + "\n").encode()
