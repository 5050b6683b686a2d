"""What a stored text says of its image, against what the files claim of it: part of `protocol_laws`. Each answer bears
the shade of the image that went along with its request, and the job that read it.

image     no stored text says what another image said: its row in `manifests/results` names the image that it was read
          from, and the job; what is done and not outdated was read from the image that stands there, and the other way
          round; an answer for an image that is another by then is written by no settlement and no second judgement
kept      what a kept result file answers well is used, or superseded, or refused for its image; it is not lost
resettle  answers that are judged again are those of a kept file, good by the schema as it is now, and not used before
"""

from collections.abc import Iterator, Mapping
from typing import Any

from assets.domain.errors import ManifestError
from assets.domain.outcome import ANSWERED_WELL, OutcomeKind
from assets.numbering import Pages
from assets.outdated import IMAGE_HASH_SCHEMA, Making, Reason, outdated, paired
from flows.tables.derived import results_table
from tests.properties.protocol_counts import Row
from tests.properties.protocol_images import KEYS, seen_in, sha256
from tests.properties.protocol_world import MendedText, World
from tests.twins.gemini import MadeJob

Broken = Iterator[tuple[str, str]]
"""(law, what is wrong)."""
SUCCESS, REPLACED = OutcomeKind.SUCCESS, OutcomeKind.IMAGE_REPLACED


class Claims:
    """``shades``: (batch id, record key) -> what its job saw, its own image last; ``mended``: the batch ids of jobs
    that were sent with the corrected schema; ``claimed``: record key -> the jobs whose answer an outcome calls a
    success; ``used``: (batch id, record key) of the answers that an outcome calls good."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.shades: dict[tuple[str, str], tuple[int, ...]] = {}
        self.mended: set[str] = set()
        self.claimed: dict[str, list[str]] = {key: [] for key in KEYS}
        self.used: set[tuple[str, str]] = set()
        self._seen: object = None

    def made(self, made: MadeJob) -> None:
        """A job was created at this moment."""
        for key, images in zip(made.keys, made.images, strict=True):
            self.shades[made.name, key] = tuple(seen_in(each) for each in images)
        if self.world.model is MendedText:
            self.mended.add(made.name)

    def committed(self, rows: list[Row]) -> None:
        """Outcomes of whatever kind of file, in the order of their commits."""
        for row in rows:
            key, batch_id, kind = row["record_key"], row["batch_id"], row["kind"]
            if kind == SUCCESS:
                self.claimed[key].append(batch_id)
            if kind in ANSWERED_WELL or kind == REPLACED:
                self.used.add((batch_id, key))

    def kinds(self, batch_id: str, key: str, kind: OutcomeKind) -> set[OutcomeKind]:
        """What an answer that is ``kind`` by itself may come to, as its images were and are."""
        images, shades = self.world.images, self.shades[batch_id, key]
        before = KEYS[KEYS.index(key) - 1]
        pages = (before, key) if len(shades) > 1 else (key,)
        sure = [
            (images.then[page] == seen, images.shades[page] == seen) for page, seen in zip(pages, shades, strict=True)
        ]
        if all(then and now for then, now in sure):
            return {kind}
        is_other = any(not then and not now for then, now in sure)
        text = self.world.text_of(key)
        if is_other and key not in images.done_then and (text is None or text["job"] == batch_id):
            return {REPLACED}
        return {kind, REPLACED}

    def check_resettled(self, name: str, rows: list[Row], answers: Mapping[str, Mapping[str, OutcomeKind]]) -> Broken:
        """The outcomes file ``name`` of answers that were judged again."""
        for row in rows:
            key, batch_id = row["record_key"], row["batch_id"]
            answer = answers.get(batch_id, {}).get(key)
            if row["kind"] != SUCCESS or answer not in self.good_now(batch_id):
                yield "resettle", f"{name}: {key} is {row['kind']}, answered was {answer}"
            if SUCCESS not in self.kinds(batch_id, key, SUCCESS):
                yield "image", f"{name}: {key} was judged again for an image that is another by now"
            if batch_id in self.claimed[key]:
                yield "resettle", f"{name}: {key} was used before"

    def good_now(self, batch_id: str) -> set[OutcomeKind]:
        """The kinds of answers of a job that the schema of now accepts."""
        is_mended = self.world.model is MendedText and batch_id not in self.mended
        return {SUCCESS, OutcomeKind.SCHEMA_MISMATCH} if is_mended else {SUCCESS}

    def check_texts(self) -> Broken:
        """After whatever run: each text that an outcome claims, if texts or outcomes are others than at the last
        look."""
        rows = None
        texts = {key: self.world.text_of(key) for key in KEYS}
        seen = (texts, {key: len(jobs) for key, jobs in self.claimed.items()})
        if seen == self._seen:
            return
        self._seen = seen
        for key, text in texts.items():
            if text is None or text["job"] not in self.claimed[key]:
                continue
            rows = self._rows() if rows is None else rows
            row = rows.get(key)
            if row is None:
                yield "image", f"{key} is done, and no row says what made it"
            elif row["batch_id"] != text["job"]:
                yield "image", f"{key}: {row['batch_id']} is said to have made what {text['job']} made"
            elif row["image_sha256"] != sha256(text["shade"]):
                yield "image", f"{key}: its row names another image than that of shade {text['shade']}"
            if self.shades[text["job"], key][-1] != text["shade"]:
                yield "image", f"{key} holds what was said of shade {text['shade']}"

    def check_outdated(self) -> Broken:
        """After a pass that has scanned, and in which no image was replaced."""
        images = self.world.images
        if not images.copies or images.then != images.shades:
            return
        there = {key: text for key in KEYS if (text := self.world.text_of(key)) is not None}
        claimed = {key: text for key, text in there.items() if text["job"] in self.claimed[key]}
        expected = {key for key, text in claimed.items() if text["shade"] != images.shades[key]}
        found, unknown = self._outdated()
        if unknown or found & claimed.keys() != expected:
            yield "image", f"outdated are {found} ({unknown} not known), not {expected}"

    def check_kept(self, answers: Mapping[str, Mapping[str, OutcomeKind]]) -> Broken:
        """At rest."""
        raw = self.world.files.raw
        for name in raw.names():
            job = raw.job(name)
            assert job is not None, f"{name} is damaged"
            for key, answer in answers.get(job.name, {}).items():
                if answer is SUCCESS and (job.name, key) not in self.used:
                    yield "kept", f"the answer of {job.name} for {key} is kept as {name}, and was never used"

    def _rows(self) -> dict[str, Any]:
        table = results_table(self.world.files, write=False)
        rows = table.select(["record_key", "batch_id", "image_sha256"]).to_pylist()
        return {row["record_key"]: row for row in rows}

    def _outdated(self) -> tuple[set[str], int]:
        files = self.world.files
        try:
            hashes = files.read_derived("image_hashes", IMAGE_HASH_SCHEMA)
        except ManifestError:
            hashes = IMAGE_HASH_SCHEMA.empty_table()
        results, records = results_table(files, write=False), files.records()
        assert records is not None
        done = records.mask(Pages.of_keys(key for key in KEYS if self.world.text_of(key) is not None))
        pairs = paired(records, results, done)
        found = outdated(pairs, hashes.replace_schema_metadata(None), Making("", None, None))
        return set(found.keys(Reason.IMAGE)), len(found.unknown)
