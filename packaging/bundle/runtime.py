"""Run by the frozen program before anything else: what it starts must not see this program's libraries, and a secure connection
must find the system's certificates wherever this distribution keeps them."""

import os
import sys
from pathlib import Path

if sys.platform.startswith("linux"):
    given = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
    if given is None:
        os.environ.pop("LD_LIBRARY_PATH", None)
    else:
        os.environ["LD_LIBRARY_PATH"] = given
    for name in [name for name in os.environ if name.startswith("_PYI_")]:
        del os.environ[name]  # by these a worker would believe that its libraries are in the path already
    known = (
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
    )
    found = next((file for file in known if Path(file).is_file()), "")
    if found and not (os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")):
        os.environ["SSL_CERT_FILE"] = found
