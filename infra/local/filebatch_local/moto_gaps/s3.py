"""What moto's S3 lacks.

What moto 5.2.5 does, each shown by a test in tests/local/moto_gaps/test_s3.py:

- a ranged GET reads the whole object, a plain one holds it in memory: they are read from its file in blocks;
- a multipart upload is joined in memory three times over, and announced twice to EventBridge; each part waits for
  the garbage collector, as a request and what belongs to it refer to each other;
- `If-None-Match` is checked and acted on in two steps, between which others may write;
- a bucket policy's statement with a Condition denies everything, so that TLS-only answers 403 to all;
- `EventBridgeConfiguration` is not read back;
- HEAD of version "null" answers 400 in a bucket without versions, where every object has that version;
- an object that is encrypted with its sender's key is given to everybody;
- a key with a line break answers 404;
- versions are listed without the encoding that was asked for: Terraform's provider, which decodes whatever comes, tries
  for ever to empty a bucket that holds a key with a `+`;
- keys, conditions of CopyObject and bucket policies that AWS refuses are taken (refusals.py).
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

import moto.s3.models as moto_s3
import moto.s3.urls
from moto.core.responses import ActionResult
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.exceptions import EntityTooSmall, InvalidPart, MalformedXML, S3ClientError
from moto.s3.responses import S3Response
from moto.settings import S3_UPLOAD_PART_MIN_SIZE
from moto.utilities.utils import md5_hash

from filebatch_local.moto_gaps import encrypted_objects
from filebatch_local.moto_gaps.multipart_checksum import MultipartChecksum
from filebatch_local.moto_gaps.refusals import Refusal, refusal
from filebatch_local.moto_gaps.stored_bytes import IN_MEMORY, JoinedFile, Spooled, StoredBytes

_write_lock = threading.RLock()
_set_value = moto_s3.FakeKey.value.fset


class _Key(moto_s3.FakeKey):  # type: ignore[misc]  # moto's classes are untyped here
    """An object whose bytes are read from its file, without a position that readers would share."""

    _value_buffer: Spooled

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._etag = self.etag.strip('"')  # now, as computing it moves the file's position

    @property
    def value(self) -> bytes:
        return bytes(self.stored())

    @value.setter
    def value(self, new_value: bytes | JoinedFile) -> None:
        if isinstance(new_value, JoinedFile):
            self._value_buffer.close()
            self._value_buffer, self.contentsize = new_value.file, new_value.size
        else:
            _set_value(self, new_value)
        self._value_buffer.flush()

    def stored(self) -> StoredBytes:
        """Return the bytes where they are."""
        return StoredBytes.of(self._value_buffer, self.contentsize)


class _Object:
    """An object in an answer: its value is read when it is sent."""

    def __init__(self, key: _Key) -> None:
        self._key, self.value = key, key.stored()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._key, name)


class _Multipart(moto_s3.FakeMultipart):  # type: ignore[misc]  # as above
    """An upload whose parts are joined on the disk."""

    def complete(self, body: Iterator[tuple[int, str]]) -> tuple[JoinedFile, str, tuple[str, str, int]]:
        """Check the parts a client names and join them."""
        parts = [self._part(number, etag) for number, etag in body]
        if not parts:
            raise MalformedXML
        if any(part.contentsize < S3_UPLOAD_PART_MIN_SIZE for part in parts[:-1]):
            raise EntityTooSmall
        etag = md5_hash(b"".join(bytes.fromhex(part.etag.strip('"')) for part in parts)).hexdigest()
        checksum = MultipartChecksum(
            self.metadata.get("x-amz-checksum-algorithm"), self.metadata.get("x-amz-checksum-type")
        )
        whole = JoinedFile(self._blocks(parts, checksum))
        return whole, f"{etag}-{len(parts)}", checksum.result()

    def _part(self, number: int, etag: str) -> _Key:
        part: _Key | None = self.parts.get(number)
        if part is None or part.etag.strip('"') != etag.replace('"', ""):
            raise InvalidPart
        return part

    @staticmethod
    def _blocks(parts: list[_Key], checksum: MultipartChecksum) -> Iterator[bytes]:
        for part in parts:
            for block in part.stored():
                checksum.add(block)
                yield block
            checksum.end_part()


class _RefusedError(S3ClientError):  # type: ignore[misc]  # as above
    """What a row of the table refuses."""

    def __init__(self, found: Refusal) -> None:
        super().__init__(found.code, found.rule)
        self.status = found.status


def _check(operation: str, **params: Any) -> None:
    if found := refusal("s3", operation, params):
        raise _RefusedError(found)


class _Bucket(moto_s3.FakeBucket):  # type: ignore[misc]  # as above
    """A bucket whose policy's statements with a Condition deny nothing."""

    def get_permission(self, action: str, resource: str) -> Any:
        """Evaluate the statements without a Condition only: this server is one user's, on loopback."""
        policy = json.loads(self.policy or b'{"Statement": []}')
        statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
        unconditional = [one for one in statements if not one.get("Condition")]
        if not unconditional:
            return PermissionResult.NEUTRAL
        return IAMPolicy(json.dumps({**policy, "Statement": unconditional})).is_action_permitted(action, resource)


class _Backend(moto_s3.S3Backend):  # type: ignore[misc]  # as above
    """S3 that sends one event of a multipart upload."""

    @property
    def _url_module(self) -> Any:
        return _Urls

    def put_object(self, *args: Any, multipart: Any = None, disable_notification: bool = False, **kwargs: Any) -> Any:
        """Send no event of a multipart upload here: its completion sends one."""
        quiet = disable_notification or multipart is not None
        return super().put_object(*args, multipart=multipart, disable_notification=quiet, **kwargs)


class _Response(S3Response):  # type: ignore[misc]  # as above
    """Answers that are read from the disk, and atomic conditional writes."""

    def key_response(self, request: Any, full_url: str, headers: dict[str, Any]) -> Any:
        """Release the body, which would wait for the garbage collector."""
        try:
            return super().key_response(request, full_url, headers)
        finally:
            self.body = self.raw_body = request.data = request._cached_data = b""

    def _get_key(self, *args: Any, **kwargs: Any) -> tuple[Any, bool]:
        version = self.querystring.get("versionId", [None])[0]
        versions = self.backend.get_bucket(self.bucket_name).keys.getlist(self.parse_key_name(), [])
        markers = [one.version_id for one in versions if isinstance(one, moto_s3.FakeDeleteMarker)]
        _check("GetObject", marker=version is not None and version in markers)
        key, not_modified = super()._get_key(*args, **kwargs)
        encrypted_objects.check(key, self.headers)
        return _Object(key), not_modified

    def head_object(self, bucket_name: str, query: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Take version "null" in a bucket without versions, and refuse what GET refuses."""
        if query.get("versionId") == ["null"] and not self.backend.get_bucket(bucket_name).is_versioned:
            query = {name: value for name, value in query.items() if name != "versionId"}
        key = self.backend.get_object(bucket_name, self.parse_key_name(), query.get("versionId", [None])[0])
        if key is not None:
            encrypted_objects.check(key, self.headers)
        return super().head_object(bucket_name, query, *args, **kwargs)

    def copy_object(self) -> Any:
        """Refuse to copy what couldn't be read."""
        path, _, version = self.headers["x-amz-copy-source"].partition("?versionId=")
        bucket, _, name = unquote(path).lstrip("/").partition("/")
        key = self.backend.get_object(bucket, name, version or None)
        with _write_lock:
            if key is not None:
                encrypted_objects.check(key, {})
                self._check_conditions_of_copy(key)
            return super().copy_object()

    def _check_conditions_of_copy(self, source: Any) -> None:
        target = self.parse_key_name()
        _check(
            "CopyObject",
            Key=target,
            metadata=self._own_metadata(),
            CopySourceIfMatch=self.headers.get("x-amz-copy-source-if-match"),
            source=source.etag.strip('"'),
            IfNoneMatch=self.headers.get("If-None-Match"),
            exists=self.backend.get_object(self.bucket_name, target) is not None,
        )

    def _own_metadata(self) -> dict[str, str]:
        prefix = "x-amz-meta-"
        return {name[len(prefix) :]: value for name, value in self.headers.items() if name.lower().startswith(prefix)}

    def put_object(self) -> Any:
        """Check the condition and write under one lock."""
        _check("PutObject", Key=self.parse_key_name(), metadata=self._own_metadata())
        with _write_lock:
            answer = super().put_object()
            encrypted_objects.remember_key(
                self.backend.get_object(self.bucket_name, self.parse_key_name()), self.headers
            )
            return answer

    def _key_response_post(self, *args: Any, **kwargs: Any) -> Any:
        if "uploads" in self.querystring:
            _check("CreateMultipartUpload", Key=self.parse_key_name(), metadata=self._own_metadata())
        with _write_lock:
            return super()._key_response_post(*args, **kwargs)

    def _bucket_response_put(self, request: Any, bucket_name: str, querystring: dict[str, Any]) -> Any:
        if "policy" in querystring:
            _check("PutBucketPolicy", Policy=self.body.decode() if isinstance(self.body, bytes) else self.body)
        if not querystring:
            _check("CreateBucket", Bucket=bucket_name)
        return super()._bucket_response_put(request, bucket_name, querystring)

    def serialized(self, answer: Any) -> Any:
        """Encode the keys of versions where the request asks for it; give a refusal its status."""
        if isinstance(answer.result, _RefusedError):
            return answer.result.status, *super().serialized(answer)[1:]
        if self.data.get("Action") == "ListObjectVersions" and self.querystring.get("encoding-type") == ["url"]:
            answer = ActionResult({**answer.result, **_encoded(answer.result), "EncodingType": "url"})
        return super().serialized(answer)

    def get_bucket_notification(self) -> Any:
        """Add EventBridge."""
        status, headers, body = super().get_bucket_notification()
        configuration = self.backend.get_bucket_notification_configuration(self.bucket_name)
        if configuration and configuration.event_bridge is not None:
            body = _with_event_bridge(body)
        return status, headers, body


def _encoded(listed: Mapping[str, Any]) -> dict[str, Any]:
    """Return what holds keys of a ListObjectVersions answer, its keys URL-encoded.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html (EncodingType)
    """
    alone = ("Prefix", "Delimiter", "KeyMarker", "NextKeyMarker")
    many = {"Versions": "Key", "DeleteMarkers": "Key", "CommonPrefixes": "Prefix"}
    found: dict[str, Any] = {name: quote(listed[name]) for name in alone if listed.get(name)}
    return found | {
        name: [{**each, key: quote(each[key])} for each in listed[name]] for name, key in many.items() if name in listed
    }


def _with_event_bridge(body: str | bytes) -> str:
    """Add the element to a NotificationConfiguration, which is one empty tag where there is none."""
    text, end = body.decode() if isinstance(body, bytes) else body, "</NotificationConfiguration>"
    opened = text.removesuffix(end) if text.endswith(end) else f"{text.removesuffix('/>')}>"
    return f"{opened}<EventBridgeConfiguration/>{end}"


class _Urls:
    """moto's table of paths, with our answers."""

    url_bases = moto.s3.urls.url_bases
    url_paths = {  # noqa: RUF012 - read only
        path.replace("<key_name>.+", r"<key_name>[\s\S]+"): getattr(_Response, answer.__name__)
        for path, answer in moto.s3.urls.url_paths.items()
    }


def install() -> None:
    """Replace moto's classes."""
    os.environ.setdefault("MOTO_S3_DEFAULT_KEY_BUFFER_SIZE", str(IN_MEMORY))
    moto_s3.FakeKey, moto_s3.FakeMultipart, moto_s3.FakeBucket = _Key, _Multipart, _Bucket
    moto_s3.s3_backends.backend = _Backend
