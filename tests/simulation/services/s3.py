"""S3: versions, delete markers, conditional requests, ranges, listings in pages, and an event for each new object."""

import bisect
import hashlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import IO, Any

from simulation.services.base import Pages, Service, refusal

PAGE = 1000
NULL = "null"


@dataclass(frozen=True)
class Version:
    """An object version, or a delete marker (no body)."""

    key: str
    id: str
    body: bytes | None
    etag: str
    modified: datetime
    encoding: str = ""

    @property
    def size(self) -> int:
        return len(self.body or b"")


@dataclass
class Bucket:
    """A bucket: the versions of each key, the newest first, and the keys in order."""

    name: str
    versioned: bool = False
    events: bool = False
    objects: dict[str, list[Version]] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)

    def add(self, version: Version) -> None:
        there = self.objects.get(version.key)
        if there is None:
            there = self.objects[version.key] = []
            bisect.insort(self.keys, version.key)
        if version.id == NULL:
            there[:] = [each for each in there if each.id != NULL]
        there.insert(0, version)

    def remove(self, key: str, version_id: str) -> None:
        left = [each for each in self.objects.get(key, []) if each.id != version_id]
        if left:
            self.objects[key] = left
        elif key in self.objects:
            del self.objects[key]
            self.keys.remove(key)

    def latest(self, key: str) -> Version | None:
        """Return the current version of a key, None where there is none or a delete marker lies over it."""
        found = self.objects.get(key)
        return found[0] if found and found[0].body is not None else None


class S3(Service):
    """Simulated S3.

    Args:
        now: tells the time.
        created: is told of each new object in a bucket that sends events.
    """

    paged = {
        "list_object_versions": Pages(
            "Versions", {"NextKeyMarker": "KeyMarker", "NextVersionIdMarker": "VersionIdMarker"}
        ),
        "list_objects_v2": Pages("Contents", {"NextContinuationToken": "ContinuationToken"}),
    }

    def __init__(self, now: Callable[[], datetime], created: Callable[[Bucket, Version], None]) -> None:
        self.now, self.created = now, created
        self.put: Callable[[Bucket, Version], None] = lambda _bucket, _version: None  # is told of each new version
        self.buckets: dict[str, Bucket] = {}
        self._ids = count(1)

    def create_bucket(self, Bucket: str, **_: Any) -> dict[str, Any]:
        self.buckets[Bucket] = _bucket(Bucket)
        return {}

    def put_bucket_versioning(self, Bucket: str, VersioningConfiguration: dict[str, str]) -> dict[str, Any]:
        self.buckets[Bucket].versioned = VersioningConfiguration["Status"] == "Enabled"
        return {}

    def put_bucket_notification_configuration(
        self, Bucket: str, NotificationConfiguration: dict[str, Any]
    ) -> dict[str, Any]:
        self.buckets[Bucket].events = "EventBridgeConfiguration" in NotificationConfiguration
        return {}

    def put_object(
        self,
        Bucket: str,
        Key: str,
        Body: bytes | IO[bytes] = b"",
        IfNoneMatch: str | None = None,
        IfMatch: str | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        bucket = self._bucket("put_object", Bucket)
        latest = bucket.latest(Key)
        if IfMatch and not latest:
            raise refusal("put_object", "NoSuchKey", "The specified key does not exist", 404)
        if IfMatch and f'"{latest.etag}"' != IfMatch:
            raise refusal("put_object", "PreconditionFailed", "At least one of the pre-conditions", 412)
        if IfNoneMatch == "*" and bucket.latest(Key):
            raise refusal("put_object", "PreconditionFailed", "At least one of the pre-conditions", 412)
        if not isinstance(Body, bytes):
            Body.seek(0)  # as boto3 does where it sends a request again
        content = Body if isinstance(Body, bytes) else Body.read()
        version = Version(
            Key,
            f"v{next(self._ids):031d}" if bucket.versioned else NULL,
            content,
            hashlib.md5(content, usedforsecurity=False).hexdigest(),
            more.get("Begun", self.now()).replace(microsecond=0),  # an upload in parts bears the time it was begun
            more.get("ContentEncoding", ""),
        )
        bucket.add(version)
        self.put(bucket, version)
        if bucket.events:
            self.created(bucket, version)
        return {"ETag": f'"{version.etag}"', **_id(bucket, version)}

    def upload_file(self, Filename: str, Bucket: str, Key: str) -> None:
        self.put_object(Bucket=Bucket, Key=Key, Body=Path(Filename).read_bytes())

    def get_object(self, Bucket: str, Key: str, Range: str | None = None, **which: Any) -> dict[str, Any]:
        version = self._version("get_object", Bucket, Key, **which)
        body = version.body or b""
        if Range:
            first, last = (int(number) for number in re.fullmatch(r"bytes=(\d+)-(\d+)", Range).groups())
            if first >= len(body):
                raise refusal("get_object", "InvalidRange", "The requested range is not satisfiable", 416)
            body = body[first : last + 1]
        return {**_head(version), "ContentLength": len(body), "Body": io.BytesIO(body)}

    def head_object(self, Bucket: str, Key: str, **which: Any) -> dict[str, Any]:
        return _head(self._version("head_object", Bucket, Key, **which))

    def copy(self, CopySource: dict[str, str], Bucket: str, Key: str, ExtraArgs: dict[str, Any]) -> None:
        """Do as boto3's transfer does, which isn't one operation of S3."""
        self.copy_object(CopySource=CopySource, Bucket=Bucket, Key=Key, **ExtraArgs)

    def copy_object(self, CopySource: dict[str, str], Bucket: str, Key: str, **more: Any) -> dict[str, Any]:
        which = {"IfMatch": more["CopySourceIfMatch"]} if "CopySourceIfMatch" in more else {}
        found = self._version("copy_object", **CopySource, **which)
        return self.put_object(Bucket=Bucket, Key=Key, Body=found.body or b"")

    def delete_object(self, Bucket: str, Key: str, VersionId: str | None = None) -> dict[str, Any]:
        bucket = self._bucket("delete_object", Bucket)
        if VersionId is not None or not bucket.versioned:
            bucket.remove(Key, VersionId or NULL)
            return {}
        bucket.add(Version(Key, f"v{next(self._ids):031d}", None, "", self.now().replace(microsecond=0)))
        return {"DeleteMarker": True}

    def list_objects_v2(self, Bucket: str, Prefix: str = "", ContinuationToken: str = "") -> dict[str, Any]:
        """List the objects there are now by key; a page begins after the key that the token is."""
        bucket = self._bucket("list_objects_v2", Bucket)
        found = [bucket.latest(key) for key in bucket.keys if key.startswith(Prefix) and key > ContinuationToken]
        there = [each for each in found if each]
        more = {"NextContinuationToken": there[PAGE - 1].key} if len(there) > PAGE else {}
        return {"Contents": [{"Key": each.key, "Size": each.size} for each in there[:PAGE]], **more}

    def list_object_versions(
        self,
        Bucket: str,
        Prefix: str = "",
        KeyMarker: str = "",
        VersionIdMarker: str | None = None,
        MaxKeys: int = PAGE,
    ) -> dict[str, Any]:
        """List versions by key, and of a key the newest first; a page begins after the marked version, or key."""
        bucket = self._bucket("list_object_versions", Bucket)
        first = max(Prefix, KeyMarker)
        found: list[tuple[Version, bool]] = []
        for key in bucket.keys[bisect.bisect_left(bucket.keys, first) :]:
            if not key.startswith(Prefix) or len(found) > MaxKeys:
                break
            ids = [each.id for each in bucket.objects[key]]
            if key == KeyMarker and VersionIdMarker is None:
                continue
            start = ids.index(VersionIdMarker) + 1 if key == KeyMarker and VersionIdMarker in ids else 0
            found += [(each, place == 0) for place, each in enumerate(bucket.objects[key]) if place >= start]
        page = found[:MaxKeys]
        more = len(found) > MaxKeys
        markers = {"NextKeyMarker": page[-1][0].key, "NextVersionIdMarker": page[-1][0].id} if more else {}
        return {
            "IsTruncated": more,
            "Versions": [_listed(each, latest) for each, latest in page if each.body is not None],
            "DeleteMarkers": [
                {"Key": each.key, "VersionId": each.id, "IsLatest": latest}
                for each, latest in page
                if each.body is None
            ],
            **markers,
        }

    def _bucket(self, operation: str, name: str) -> Bucket:
        if name not in self.buckets:
            raise _refused(operation, "NoSuchBucket", 404)
        return self.buckets[name]

    def _version(
        self, operation: str, Bucket: str, Key: str, VersionId: str | None = None, IfMatch: str | None = None
    ) -> Version:
        bucket = self._bucket(operation, Bucket)
        if VersionId is None:
            found = bucket.latest(Key)
        else:
            found = next((each for each in bucket.objects.get(Key, []) if each.id == VersionId), None)
        if found is None:
            code = "NoSuchKey" if VersionId in (None, NULL) else "NoSuchVersion"
            raise _refused(operation, code, 404)
        if found.body is None:
            raise _refused(operation, "MethodNotAllowed", 405)
        if IfMatch is not None and IfMatch.strip('"') != found.etag:
            raise _refused(operation, "PreconditionFailed", 412)
        return found


_bucket = Bucket  # the operations' argument has the class's name


def _refused(operation: str, code: str, status: int) -> Exception:
    """Return S3's refusal; an answer to HEAD has no body, so that the status is all that is known."""
    return refusal(operation, str(status) if operation == "head_object" else code, "", status)


def _id(bucket: Bucket, version: Version) -> dict[str, str]:
    return {"VersionId": version.id} if bucket.versioned else {}


def _head(version: Version) -> dict[str, Any]:
    encoding = {"ContentEncoding": version.encoding} if version.encoding else {}
    return {
        "ETag": f'"{version.etag}"',
        "ContentLength": version.size,
        "LastModified": version.modified,
        "VersionId": version.id,
        **encoding,
    }


def _listed(version: Version, latest: bool) -> dict[str, Any]:
    return {
        "Key": version.key,
        "VersionId": version.id,
        "IsLatest": latest,
        "ETag": f'"{version.etag}"',
        "Size": version.size,
        "LastModified": version.modified,
    }
