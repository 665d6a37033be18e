"""The certificate authorities of a build, one per file.

Reading them all from a bundle takes 13 ms of every cold start, and a process needs two or three. OpenSSL finds one by
the hash of its name in a folder of such files (`openssl rehash` creates the same with links, which zip files lose).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

AUTHORITIES = "studysync/authorities"
"""Where `studysync.aws.cold_start` looks for them, in a layer's packages."""
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n", re.DOTALL)


def write_authorities(bundle: Path, folder: Path) -> int:
    """Write each certificate of `bundle` into `folder` as ``<hash>.<number>``; returns their number.

    Without `openssl`, returns 0 and creates no folder: functions then read the bundle.
    """
    program = shutil.which("openssl")
    if program is None:
        return 0
    folder.mkdir(parents=True)
    found = _CERTIFICATE.findall(bundle.read_text(encoding="utf-8"))
    for certificate in found:
        command = [program, "x509", "-noout", "-subject_hash"]
        name = subprocess.run(command, input=certificate, capture_output=True, text=True, check=True).stdout.strip()
        number = len(list(folder.glob(f"{name}.*")))  # others may have the same hash
        (folder / f"{name}.{number}").write_text(certificate, encoding="ascii")
    return len(found)
