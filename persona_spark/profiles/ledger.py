"""The ledger of releases: entries are only added, each under the next number, so of two writers one fails."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from persona_spark.errors import LakeError
from persona_spark.lake.code import code_version
from persona_spark.lake.contract import frame_of
from persona_spark.lake.tables import max_of
from persona_spark.schema import PROFILE_RELEASE, SEGMENT_MODEL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from pyspark.sql import Row

    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake
    from persona_spark.time import AsOf

STAGED, AUDITED, PUBLISHED, REJECTED, WITHDRAWN = "staged", "audited", "published", "rejected", "withdrawn"
_HASH_LENGTH = 10


@dataclass(frozen=True)
class Release:
    """What an entry says of a release.

    Attributes:
        release_id: its id.
        as_of: its day.
        ingest_seq: what was known.
        users: its profiles.
        manifest: JSON text.
    """

    release_id: str
    as_of: date
    ingest_seq: int
    users: int
    manifest: str


def release_id(conf: Conf, as_of: AsOf, model_version: str | None) -> str:
    """as_of and a hash of (as_of, ingest_seq, definitions, model, code): the same inputs give the same id."""
    parts = [as_of.date.isoformat(), str(as_of.ingest_seq), conf.spec_hash(), model_version or "", code_version()]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f"{as_of.date:%Y%m%d}-{digest[:_HASH_LENGTH]}"


def champion_version(lake: Lake) -> str | None:
    """Version of the live segment model; None when there is none."""
    rows = lake.read(SEGMENT_MODEL).where(F.col("status") == F.lit("champion")).select("model_version").collect()
    return rows[0].model_version if rows else None


def record(lake: Lake, release: Release, state: str, *, serving: bool = False) -> None:
    """Add an entry under the next number.

    Raises:
        LakeError: when another writer took the number.
    """
    seq = max_of(lake.read(PROFILE_RELEASE), "seq") + 1
    row = {"seq": seq, **asdict(release), "state": state, "serving": serving}
    if lake.insert_new(frame_of(lake.spark, PROFILE_RELEASE, [row]), PROFILE_RELEASE) != 1:
        raise LakeError(f"entry {seq} of the ledger was written by another run at the same time: run again")


def last_entry(lake: Lake, name: str) -> Row | None:
    """The last entry of a release; None when the ledger does not know it."""
    found = lake.read(PROFILE_RELEASE).where(F.col("release_id") == F.lit(name)).orderBy(F.desc("seq")).limit(1).collect()
    return found[0] if found else None


def serving_entry(lake: Lake) -> Row | None:
    """The entry that names the serving release; None before the first."""
    found = lake.read(PROFILE_RELEASE).where("serving").orderBy(F.desc("seq")).limit(1).collect()
    return found[0] if found else None


def was_chosen(entry: Row) -> bool:
    """Whether the release serves because somebody chose it, and not because it was the latest."""
    return bool(json.loads(entry.manifest).get("chosen"))


def manifest(conf: Conf, as_of: AsOf, model_version: str | None, counts: Mapping[str, Any]) -> str:
    """What a release was made from and what was found in it, as JSON with sorted keys."""
    specs = {"features": conf.features, "scores": conf.scores, "tags": conf.tags, "segments": conf.segments}
    content = {
        "as_of": as_of.date,
        "ingest_seq": as_of.ingest_seq,
        "code": code_version(),
        "model": model_version,
        "spec_hash": conf.spec_hash(),
        "specs": {name: spec.digest() for name, spec in specs.items()},
        **counts,
    }
    return _as_text(content)


def release_of(entry: Row, *, chosen: bool = False) -> Release:
    """The release that an entry speaks of, for a further entry.

    Args:
        entry: an entry of the release.
        chosen: whether somebody chose it to serve, which its manifest then says.
    """
    content = {**json.loads(entry.manifest), "chosen": chosen}
    return Release(entry.release_id, entry.as_of, entry.ingest_seq, entry.users, _as_text(content))


def _as_text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, default=str, ensure_ascii=False)
