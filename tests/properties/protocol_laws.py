"""What must hold while the protocol runs, whatever happens. The witnesses are Gemini's books, the Variables and the
files; what an operator did is noted here, since some of it excuses what is forbidden otherwise.

The laws, by the names under which they are told when they are broken:

I1  rest         each record ends as done, as a dead letter or held, with its history, or waits behind one
I2  twice        no record is in two jobs that can both still be billed, unless an operator asked for it, or a create
                 answered nothing certain and the list lagged for longer than the grace
I3  sends        each send of a record ends as what its job answered, or as released if I2's excuses allow it
I4  result       an output result is complete, valid, and its key's; once it is there only a person takes it away
    person       a result that a person has corrected or checked stays as it is until a person says otherwise
I5  outcomes     one outcome a row of the batch manifest, written once
I6  counts       a failure count is the number of failures since the last reset
I7  views        once a pass has ended, the active list and the views name nothing that is settled
I8  uploads      nothing that was uploaded stays at Gemini once its submission is closed
    late         a job that turns up after its release is cancelled while it runs; what it has answered is used once
    post         what is posted stands in a batch manifest and a jobs file, its claim is there, and so is the lease
    image, kept, resettle: `protocol_claims`
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from assets.domain.batch import JobState, claimed_submission, is_late, is_resettled, submission_of
from assets.domain.home import Home, parse_home
from assets.domain.ledger import ACTIVE, COUNTS, HOME, IN_FLIGHT, RECORDS
from assets.domain.outcome import OutcomeKind
from assets.domain.record import decode_ranges
from assets.outcomes import OUTCOME_SCHEMA
from assets.plain_rows import plain_rows
from assets.planning import BATCH_SCHEMA
from flows.protocol.late import WATCHED
from tests.properties.protocol_claims import Broken, Claims
from tests.properties.protocol_counts import ExpectedCounts, Row
from tests.properties.protocol_images import KEYS
from tests.properties.protocol_world import GRACE, PUT_BACK, End, Ended, World
from tests.twins.gemini import MadeJob

# What is known not to hold. Switch the rule on by its constant once it does.
APPLIES_ONCE = False
"""I6 also for a count that a person makes what it was before an outcome, while the closing of that outcome's submission
is not finished: it is applied once more, wherever a count is what it was before."""

PERSON = "a person"
"""The job that stands in a result which a person wrote."""
SUCCESS, SUPERSEDED, RELEASED = OutcomeKind.SUCCESS, OutcomeKind.SUPERSEDED, OutcomeKind.RELEASED
_WITHOUT_LINE = {
    JobState.SUCCEEDED: OutcomeKind.MISSING,
    JobState.FAILED: OutcomeKind.BATCH_FAILED,
    JobState.CANCELLED: OutcomeKind.BATCH_CANCELLED,
    JobState.EXPIRED: OutcomeKind.BATCH_EXPIRED,
}
_NEVER_SENT = frozenset({RELEASED, OutcomeKind.UPLOAD_REFUSED, OutcomeKind.BATCH_FAILED, OutcomeKind.FAILED_ALONE})
_UNANSWERED = frozenset({OutcomeKind.BATCH_CANCELLED, OutcomeKind.BATCH_EXPIRED, RELEASED, OutcomeKind.IMAGE_REPLACED})


def counts_in(variables: Mapping[str, object]) -> dict[str, int]:
    """The failure counts that these Variables hold."""
    stored: dict[str, int] = variables[COUNTS]  # type: ignore[assignment]  # a person's edits are sane
    return {key: count for entry, count in stored.items() for key in decode_ranges([entry])}


class Laws:
    """Watches a `World`. ``answers``: batch id -> record key -> what its line in the result is; ``closed``: submission
    id -> its outcomes, as they were found; ``late``: the same of its late job; ``resettled``: file name -> the
    outcomes of answers that were judged again."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.answers: dict[str, dict[str, OutcomeKind]] = {}
        self.closed: dict[str, list[Row]] = {}
        self.late: dict[str, list[Row]] = {}
        self.resettled: dict[str, list[Row]] = {}
        self.claims = Claims(world)
        self._order: dict[str, int] = {}
        self._taken_back: list[Row] = []
        self._may_be_unnoted: set[str] = set()
        self._closed_before: set[str] = set()
        self._closed_at: dict[str, datetime] = {}
        self._lost_uploads: set[str] = set()
        self._broken: list[str] = []
        # What the operator did.
        self._asked: set[str] = set()
        self._left_out: set[str] = set()
        self._left_out_claims: dict[str, int] = {}
        self._excused: set[str] = set()
        self._deletions: Counter[str] = Counter()
        self._wishes: Counter[str] = Counter()
        self._unwished: set[str] = set()
        self._present: set[str] = set()
        self.vouched: dict[str, bytes] = {}
        self._corrected: set[str] = set()
        self._begun: dict[str, bytes | None] = {}
        self._edited_in_run = self._edited_counts_in_run = False
        self._lost_lease_at: int | None = None
        # What the counts may be, and whose outcomes may still be applied to them.
        self._counts = ExpectedCounts(KEYS)
        self._closing: set[str] = set()
        self._stamps: dict[Path, tuple[int, int]] = {}
        world.gemini.on_made = self._made

    # --- what the operator does, told before or as it is done

    def asked(self, name: str) -> None:
        """To let go of what stands in the active list under this name."""
        self._asked |= set(self._submissions([name]).values())

    def active_edited(self, names: list[str]) -> None:
        """The active list is about to become ``names`` by hand."""
        self._edited_in_run |= self.world.effects.is_running
        self.notice()
        before, after = self._submissions(self.active()), set(self._submissions(names).values())
        for name, submission_id in before.items():
            if submission_id in after:
                continue
            self._left_out.add(submission_id)
            if self.world.effects.is_running and claimed_submission(name):
                self._left_out_claims[submission_id] = self.world.effects.count
        for submission_id in after & self.closed.keys():
            self._closing.add(submission_id)
            self._may_apply(submission_id)

    def counts_edited(self, counts: Mapping[str, int], *, is_sure: bool = True) -> None:
        """These failure counts are about to be set by an operator. ``is_sure``: False: or not."""
        self.notice()
        self._edited_counts_in_run |= self.world.effects.is_running
        self._counts.set(counts, is_sure=is_sure)
        for submission_id in self._closing:
            self._may_apply(submission_id)

    def deleted(self, key: str) -> None:
        """An output result is about to be deleted."""
        self._deletions[key] += 1
        self.vouched.pop(key, None)
        self._present.discard(key)

    def wished_again(self, key: str) -> None:
        """A record is about to be read again, if it is done."""
        self._wishes[key] += 1
        self.vouched.pop(key, None)

    def correcting(self, key: str, content: bytes | None) -> None:
        """A person is about to write a result, or, with None, to check it: an answer that comes all the same is not
        written. Whoever dies meanwhile may have written it, in the place of what was vouched for before."""
        self._corrected.add(key)
        self._begun[key] = content

    def vouched_for(self, key: str) -> None:
        """A person has done so."""
        self.vouched[key] = self.world.result_paths[key].read_bytes()
        self._present.add(key)

    def taken_back(self, key: str) -> None:
        """That is about to be taken back: an answer that comes all the same is not written."""
        self._unwished.add(key)

    def resettling(self, submission_id: str) -> None:
        """Its answers are about to be judged again: a command that dies may leave results without a note."""
        self._may_be_unnoted.add(submission_id)

    def lease_lost(self) -> None:
        """The pass that runs has lost its lease."""
        self._lost_lease_at = self.world.effects.count

    def looked_elsewhere(self) -> None:
        """A pass had another project's key: what it looked for there it takes to be gone, and Gemini deletes it."""
        self._lost_uploads |= {file.name for file in self.world.gemini.files()}

    # --- what was seen

    def active(self) -> list[str]:
        names: list[str] = self.world.variables.values[ACTIVE]  # type: ignore[assignment]  # a person's edits are sane
        return list(names)

    def active_submissions(self) -> list[str]:
        """The submissions of the active list, in its order."""
        return list(self._submissions(self.active()).values())

    def home(self) -> Home:
        return parse_home(HOME, self.world.variables.values[HOME])

    def counts(self) -> dict[str, int]:
        return counts_in(self.world.variables.values)

    @property
    def has_deleted(self) -> bool:
        """Whether a person has deleted an output result."""
        return self._deletions.total() > 0

    def after_run(self, ended: Ended, *, is_pass: bool, is_calm: bool) -> None:
        """Judge what a pass, or a command, has left. ``is_calm``: nobody and nothing has disturbed it. Raises
        AssertionError."""
        self.notice()
        self._counts.taken_back(self._taken_back, is_sure=ended.how is End.FINISHED)
        self._taken_back = []
        if ended.how is End.FINISHED:
            if is_pass:
                self._broken_by(self.claims.check_outdated())
                self._closing &= set(self.active_submissions())
            if not self._closing:
                self._broken += [f"counts: {wrong}" for wrong in self._counts.compare(self.counts())]
            if is_pass and not self._edited_in_run:
                self._check_views()
            if is_pass and is_calm:
                self._check_uploads()
                self._check_late()
        self._check_results()
        self._edited_in_run = self._edited_counts_in_run = False
        self._lost_lease_at = None
        self._left_out_claims.clear()
        self._closed_before = set(self.closed)
        self.raise_broken()

    def raise_broken(self) -> None:
        assert not self._broken, "\n".join(self._broken)

    def notice(self) -> None:
        """Take down what was closed since the last look, and see that what was there is as it was."""
        self._check_unchanged()
        found = {path.stem: path for path in self._paths("outcomes")}
        new = {name: int(found[name].read_bytes()) for name in found.keys() - self._order.keys()}
        # A table has its number from when it was written, whatever any clock said.
        for name in sorted(new, key=new.__getitem__):
            rows: list[Mapping[str, object]] = [*plain_rows(self.world.tables.read(found[name], OUTCOME_SCHEMA))]
            submission_id = submission_of(name)
            if is_resettled(name):
                self._broken_by(self.claims.check_resettled(name, rows, self.answers))
                self.resettled[name] = self._taken_back = rows
            elif is_late(name):
                self._check_late_outcomes(submission_id, rows)
                self.late[submission_id] = rows
            else:
                self._check_outcomes(submission_id, rows)
            # What was checked is no part of its own history.
            self._order[name] = new[name]
            self.claims.committed(rows)
            if name != submission_id:
                continue
            self.closed[submission_id] = rows
            self._closed_at[submission_id] = self.world.now
            self._closing.add(submission_id)
            self._counts.failed(rows)
        if len(found) < len(self._order):
            self._break("outcomes", "an outcomes file is gone")

    # --- the laws

    def _made(self, made: MadeJob) -> None:
        """A job was created at this moment."""
        world, submission_id = self.world, made.display_name
        self.claims.made(made)
        self.notice()
        manifests = world.files.manifests
        if not (manifests / "jobs" / f"{submission_id}.json").exists():
            self._break("post", f"{submission_id} has no jobs file")
        if made.keys != tuple(self._rows(submission_id)):
            self._break("post", f"{submission_id} has other lines than its batch manifest")
        last_upload = max(at for at, what in enumerate(world.effects.log, 1) if what == "upload")
        if self._left_out_claims.get(submission_id, world.effects.count) <= last_upload + 1:
            self._break("post", f"{submission_id} was posted though its claim was gone")
        if self._lost_lease_at is not None and self._lost_lease_at < world.effects.count:
            self._break("post", f"{submission_id} was posted without the lease")
        most = world.settings.execution.max_retries
        for key in made.keys:
            if self.counts().get(key, 0) > most and not self._edited_counts_in_run:
                self._break("post", f"{key} was sent though it is a dead letter")
            if key in self._done():
                self._break("twice", f"{key} was sent though it is done")
        for earlier in world.gemini.made[:-1]:
            shared = set(earlier.keys).intersection(made.keys)
            if earlier.display_name == submission_id:
                self._break("twice", f"{submission_id} was posted twice")
            elif shared and earlier.display_name not in self.closed:
                self._break("twice", f"{shared} were sent again while {earlier.display_name} was open")
            elif shared and earlier.name not in world.gemini.ended and earlier.display_name not in self._excused:
                self._break("twice", f"{shared} were sent again while {earlier.name} could still be billed")

    def _check_outcomes(self, submission_id: str, rows: list[Row]) -> None:
        if [row["record_key"] for row in rows] != self._rows(submission_id):
            self._break("outcomes", f"{submission_id} has other rows than its batch manifest")
        jobs = {made.name: made for made in self._jobs_of(submission_id)}
        kinds = {row["kind"] for row in rows}
        if not jobs:
            if not kinds <= _NEVER_SENT:
                self._break("sends", f"{submission_id} was never sent and has the outcomes {kinds}")
        elif kinds == {RELEASED}:
            if all(self._may_let_go(submission_id, made) for made in jobs.values()):
                self._excused.add(submission_id)
            else:
                self._break("sends", f"{submission_id} was released though its job is there and nobody asked for it")
        else:
            for row in rows:
                self._check_outcome(submission_id, row, len(rows), jobs)

    def _check_outcome(self, submission_id: str, row: Row, in_all: int, jobs: Mapping[str, MadeJob]) -> None:
        key, kind, batch_id = row["record_key"], row["kind"], row["batch_id"]
        if batch_id not in jobs or batch_id not in self.world.gemini.ended:
            self._break("sends", f"{key} in {submission_id} has an outcome of {batch_id}: none of its, or not ended")
            return
        answer = self.answers.get(batch_id, {}).get(key)
        expected = {_WITHOUT_LINE[self.world.gemini.ended[batch_id]]}
        if answer is not None:
            expected = self.claims.kinds(batch_id, key, answer)
        if expected == {OutcomeKind.BATCH_FAILED} and in_all == 1 and self._has_failed(key):
            expected = {OutcomeKind.FAILED_ALONE}
        if answer is SUCCESS and (self._excused or self._may_be_unnoted or key in self._unwished | self._corrected):
            # What was let go of may have been answered, and used, by another job, and what was judged again by its own.
            expected.add(SUPERSEDED)
        if kind not in expected:
            self._break("sends", f"{key} in {submission_id} is {kind}, not {expected}")

    def _check_late_outcomes(self, submission_id: str, rows: list[Row]) -> None:
        if submission_id not in self._excused:
            self._break("late", f"{submission_id} has a late job though it was not released")
        answers = {made.name: self.answers.get(made.name, {}) for made in self._jobs_of(submission_id)}
        for row in rows:
            answer = answers.get(row["batch_id"], {}).get(row["record_key"])
            expected = set() if answer is None else self.claims.kinds(row["batch_id"], row["record_key"], answer)
            if row["kind"] not in expected and (answer, row["kind"]) != (SUCCESS, SUPERSEDED):
                self._break("late", f"{row['record_key']} is {row['kind']} in {submission_id}, answered was {answer}")
            if row["count_after"] is not None:
                self._break("counts", f"{row['record_key']} was counted by the late job of {submission_id}")

    def _check_late(self) -> None:
        """After a pass that nothing disturbed."""
        gemini, now = self.world.gemini, self.world.now
        for submission_id in self._excused & self._closed_before:
            if now - self._closed_at[submission_id] >= WATCHED:
                continue
            for job in gemini.jobs():
                if job.display_name != submission_id or not gemini.is_listed(job.name):
                    continue
                if not job.is_terminal and gemini.cancels:
                    self._break("late", f"{job.name} runs on, though {submission_id} was released")
                if gemini.has_result(job) and submission_id not in self.late:
                    self._break("late", f"the answers of {job.name} were not used")

    def _may_let_go(self, submission_id: str, made: MadeJob) -> bool:
        """Whether a submission may be released that has a job."""
        now, world = self.world.now, self.world
        if submission_id in self._asked or submission_id in self._left_out_claims:
            return True
        if submission_id in self._left_out and now - world.submissions_begun[submission_id[10:]] >= PUT_BACK:
            return True
        return not world.gemini.is_listed(made.name) and now - made.created_at >= GRACE

    def _check_views(self) -> None:
        submissions = self._submissions(self.active())
        if settled := set(submissions.values()) & self.closed.keys():
            self._break("views", f"the active list names what is settled: {settled}")
        expected = {name: sorted(self._rows(submission_id)) for name, submission_id in submissions.items()}
        values = self.world.variables.values
        records: dict[str, list[str]] = values[RECORDS]  # type: ignore[assignment]  # the product's own
        in_flight: list[str] = values[IN_FLIGHT]  # type: ignore[assignment]
        if {name: sorted(decode_ranges(entries)) for name, entries in records.items()} != expected:
            self._break("views", f"{RECORDS} is {records}, not {expected}")
        if sorted(decode_ranges(in_flight)) != sorted(key for keys in expected.values() for key in keys):
            self._break("views", f"{IN_FLIGHT} is {in_flight}, not {expected}")

    def _check_uploads(self) -> None:
        open_ids = {path.stem for path in self._paths("batches")} - self.closed.keys()
        files = [file.display_name for file in self.world.gemini.files() if file.name not in self._lost_uploads]
        left = [name for name in files if name[:26] not in open_ids]
        if left:
            self._break("uploads", f"left behind: {left}")

    def _check_results(self) -> None:
        for key, content in list(self.vouched.items()):
            path = self.world.result_paths[key]
            there = path.read_bytes() if path.exists() else None
            if there is not None and there == self._begun.get(key):
                self.vouched[key] = there
            elif there != content:
                self._break("person", f"{key} is not any more what a person has corrected or checked")
        for key in KEYS:
            try:
                found = self.world.text_of(key)
            except ValueError:
                self._break("result", f"{key} is no JSON")
                return
            if found is None:
                if key in self._present:
                    self._break("result", f"{key} has none any more, and no person has deleted it")
                continue
            self._present.add(key)
            if found["job"] == PERSON and key in self._corrected:
                continue
            answer = self.answers.get(found["job"], {}).get(key)
            if found["page"] != key or answer not in self.claims.good_now(found["job"]):
                self._break("result", f"{key} holds {found}, which nobody answered")
        self._broken_by(self.claims.check_texts())

    def _check_unchanged(self) -> None:
        for path in (*self._paths("batches"), *self._paths("outcomes")):
            stat = path.stat()
            stamp = (stat.st_ino, stat.st_mtime_ns)
            if self._stamps.setdefault(path, stamp) != stamp:
                self._break("outcomes", f"{path} was written again")

    def at_rest(self) -> None:
        """All jobs have ended, and a pass does nothing any more. Raises AssertionError."""
        if names := self.active():
            self._break("rest", f"still active: {names}")
        if left := {path.stem for path in self._paths("batches")} - self.closed.keys():
            self._break("rest", f"never closed: {left}")
        self._broken_by(self.claims.check_kept(self.answers))
        done = self._done()
        made = {each.display_name for each in self.world.gemini.made}
        rows = [row for submission_id, rows in self.closed.items() if submission_id in made for row in rows]
        for key in KEYS:
            mine = [row for row in rows if row["record_key"] == key]
            sends = sum(key in each.keys for each in self.world.gemini.made)
            if sends != len(mine):
                self._break("sends", f"{key} was sent {sends} times and has {len(mine)} outcomes")
            successes = sum(row["kind"] == SUCCESS for row in self._history(key))
            if successes > 1 + self._deletions[key] + self._wishes[key]:
                self._break("sends", f"{key} succeeded {successes} times, asked for were {self._wishes[key]} more")
            is_explained = self._excused or self._may_be_unnoted or key in self._corrected
            if key in done and not successes and not is_explained:
                self._break("rest", f"{key} is done, and no outcome says so")
            if key not in done and not self._is_stuck(key, done):
                self._break("rest", f"{key} is neither done nor dead, nor does it wait for anybody")
        self.raise_broken()

    def _done(self) -> set[str]:
        """The records with a result, but for those of which a person wants this very result replaced."""
        paths = self.world.result_paths
        found = {key: sha256(path.read_bytes()).hexdigest() for key, path in paths.items() if path.exists()}
        rows = plain_rows(self.world.storage.read_reruns())
        return found.keys() - {
            row["record_key"] for row in rows if row["result_sha256"] == found.get(row["record_key"])
        }

    def _is_stuck(self, key: str, done: set[str]) -> bool:
        document, _, page = key.rpartition(":")
        before = f"{document}:{int(page) - 1}"
        context = self.world.settings.context
        is_cut = context.max_chain is not None and (int(page) - 1) % context.max_chain == 0
        if context.mode == "previous_result" and before in KEYS and before not in done and not is_cut:
            return True
        most = self.world.settings.execution.max_retries
        return self.counts().get(key, 0) > most or self._unanswered(key) > most

    def _unanswered(self, key: str) -> int:
        """In how many batches in a row the record came back without an answer, the last ones."""
        count = 0
        for row in self._history(key):
            if row["kind"] in _UNANSWERED:
                count += 1
            elif row["kind"] not in (OutcomeKind.BATCH_FAILED, OutcomeKind.FAILED_ALONE, OutcomeKind.UPLOAD_REFUSED):
                break
        return count

    # --- helpers

    def _has_failed(self, key: str) -> bool:
        """Whether its job FAILED since it was last answered."""
        for row in self._history(key):
            if row["kind"] in (OutcomeKind.BATCH_FAILED, OutcomeKind.FAILED_ALONE):
                return True
            if row["kind"] not in (*_UNANSWERED, OutcomeKind.UPLOAD_REFUSED):
                return False
        return False

    def _history(self, key: str) -> list[Row]:
        """The outcomes of a record, the last one first; of a late job only what was answered well."""
        mine = []
        for name in sorted(self._order, key=self._order.__getitem__, reverse=True):
            submission_id = submission_of(name)
            rows = self.resettled.get(name) or (self.late if is_late(name) else self.closed)[submission_id]
            well = (SUCCESS, SUPERSEDED)
            mine += [r for r in rows if r["record_key"] == key and (not is_late(name) or r["kind"] in well)]
        return mine

    def _jobs_of(self, submission_id: str) -> list[MadeJob]:
        return [made for made in self.world.gemini.made if made.display_name == submission_id]

    def _rows(self, submission_id: str) -> list[str]:
        path = self.world.files.batch_path(submission_id)
        keys: list[str] = self.world.tables.read(path, BATCH_SCHEMA)["record_key"].to_pylist()
        return keys

    def _paths(self, folder: str) -> list[Path]:
        return [path for path in (self.world.files.manifests / folder).iterdir() if path.suffix == ".parquet"]

    def _submissions(self, names: Iterable[str]) -> dict[str, str]:
        """Name in the active list -> submission id, by the books."""
        by_job = {made.name: made.display_name for made in self.world.gemini.made}
        return {name: claimed_submission(name) or by_job[name] for name in names}

    def _may_apply(self, submission_id: str) -> None:
        if not APPLIES_ONCE:
            self._counts.may_apply(self.closed[submission_id])

    def _broken_by(self, found: Broken) -> None:
        for law, what in found:
            self._break(law, what)

    def _break(self, law: str, what: str) -> None:
        self._broken.append(f"{law}: {what}")
