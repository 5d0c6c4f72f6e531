"""Results to a web address: one POST for each, in order, the next once the last was taken.

Body: the result as JSON (`output.message`). Headers: `Content-Type: application/json`, `Idempotency-Key: <station>-<id>` (the same
whenever a result is sent again), `X-Inspector-Timestamp: <seconds since 1970>` and, where a secret is set, `X-Inspector-Signature:
sha256=<hex>`, the HMAC-SHA256 of `<timestamp>.<body>` with the secret as its key, both in UTF-8. Who receives computes it anew over the
bytes of the body, compares, and refuses old timestamps.

Taken: any 2xx. Refused for good: 400, 406, 409, 410, 413, 414, 415, 422, and 500, which a program answers that
stumbles over one result (see “Leave out a refused result after”), unless it answers so to the next one too. All else, 502 to 504 too, also that the address
moved or the token is wrong, is tried again until it works. Nobody is followed to another address.
"""

import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from inspector.errors import ExportError, SettingsError
from inspector.exports.files import json_values
from inspector.records.line.arrivals import ArrivalRow
from inspector.records.line.stations import Value
from inspector.stations.fields import Field
from inspector.stations.output import message
from inspector.stations.outputs.link import SKIP_AFTER, Link, OutputInfo, Refused
from inspector.text import reason

_REFUSED = (400, 406, 409, 410, 413, 414, 415, 422, 500)


class Webhook:
    """See the module."""

    def __init__(self, values: Mapping[str, Value], link: Link) -> None:
        import httpx2

        self._link = link
        self._url = str(values["url"])
        self._secret = str(values["secret"])
        try:
            url = httpx2.URL(self._url)
        except httpx2.InvalidURL as error:
            raise _not_an_address(self._url) from error
        if url.scheme not in ("http", "https") or not url.host:
            raise _not_an_address(self._url)
        self._host = url.host
        headers = {"Content-Type": "application/json", "User-Agent": "Inspector"}
        if token := str(values["token"]):
            if not re.fullmatch(r"[!-~]+", token):
                raise SettingsError("The token holds signs that no token has.", "Copy it anew.")
            headers["Authorization"] = f"Bearer {token}"
        verify: Any = True
        if authority := str(values["authority"]):
            import ssl

            try:
                verify = ssl.create_default_context(cafile=authority)
            except (OSError, ssl.SSLError) as error:
                raise SettingsError(
                    f"The certificate “{authority}” can't be read ({reason(error)}).", "Choose a PEM file."
                ) from error
        self._errors: tuple[type[Exception], ...] = (httpx2.HTTPError, httpx2.StreamError, OSError)
        self._client = httpx2.Client(headers=headers, timeout=float(values["timeout"]), verify=verify)

    def send(self, arrivals: Sequence[ArrivalRow]) -> None:
        """See `Output`."""
        for one in arrivals:
            self._link.check()
            self._post(one)
            self._link.taken(one.id)

    def close(self) -> None:
        """See `Output`."""
        self._client.close()

    def _post(self, arrival: ArrivalRow) -> None:
        body = json.dumps(json_values(message(arrival)), ensure_ascii=False, allow_nan=False).encode(
            "utf-8", "replace"
        )
        stamp = str(int(time.time()))
        headers = {
            "Idempotency-Key": quote(f"{arrival.station}-{arrival.id}", safe=" "),
            "X-Inspector-Timestamp": stamp,
        }
        if self._secret:
            headers["X-Inspector-Signature"] = f"sha256={signature(self._secret, stamp, body)}"
        try:
            with self._client.stream("POST", self._url, content=body, headers=headers) as answer:
                status = answer.status_code
                for piece in answer.iter_raw():  # so that the connection can be used again
                    if len(piece) > 65536:
                        break
                    self._link.check()
        except self._errors as error:
            raise ExportError(
                f"{self._host} can't be reached ({reason(error)}).", "Check the address and the network."
            ) from error
        if 200 <= status < 300:
            return
        said = f"{self._host} answers {status} to result {arrival.id} “{arrival.name}”."
        if status in _REFUSED:
            hint = "See why at the receiver; it is sent again until it is taken, unless the station may leave out what is refused."
            raise Refused(arrival.id, said, hint, surely=status != 500)
        if status in (401, 403, 407):
            raise ExportError(said, "Check the token.")
        if status < 500 and status not in (408, 425, 429):
            raise ExportError(said, "Check the address.")
        raise ExportError(said, "It is tried again.")


def signature(secret: str, stamp: str, body: bytes) -> str:
    """The hex digest that proves a body and its time to who knows the secret."""
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _not_an_address(url: str) -> SettingsError:
    return SettingsError(f"“{url}” is no web address.", "It begins with http:// or https://.")


INFO = OutputInfo(
    "webhook",
    "Webhook",
    "A POST with every result to a web address.",
    (
        Field("url", "Address", "text", None, "Begins with http:// or https://."),
        Field(
            "secret", "Secret", "secret", "", "Every message is signed with it; the receiver knows it too."
        ),
        Field("token", "Token", "secret", "", "Sent as “Authorization: Bearer …”."),
        Field(
            "authority",
            "Certificate",
            "file",
            "",
            "PEM file of who vouches for the receiver; else who the system trusts.",
        ),
        Field("timeout", "Wait at most", "number", 5.0, "For an answer.", least=0.1, most=60, unit="s"),
        SKIP_AFTER,
    ),
    Webhook,
)
