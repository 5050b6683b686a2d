"""Every error that Quire raises on purpose. The tree:

    QuireError                      one line for a person: what is wrong, where, what to do
    |- ConfigError                  a setting, its file or its environment variable
    |- RecordKeyError               a text that cannot be a record key or a range of them
    |- SchemaError                  a pydantic model that Gemini's responseSchema cannot say
    |- PromptError                  a prompt template that is missing or cannot be rendered
    |- ContextGoneError             a result that was to go along as context was taken away since (a retry helps)
    |- StateError                   what earlier passes left cannot be trusted: the pass stops, nothing is changed
    |  |- LedgerError               a Prefect Variable that cannot be understood
    |  |- HomeMismatchError         this folder and this Prefect database do not belong together
    |  |- ManifestError             a file or folder of the collection that cannot be read or understood
    |  `- VanishedResultsError      too many finished records have no output any more
    |- DiskError                    a file or folder that the system does not let us read or write (a retry may help)
    |- ImageError                   an image file that cannot be read, or that would be too large
    |- RenderError                  no page of any PDF can be rendered on this machine
    |- FetchError                   an address, or what a IIIF server gives, that cannot be used
    |  |- FetchTransientError       network, time-out, 429, 5xx, a body that was cut off   (a retry helps)
    |  `- FetchStopError            the server wants to be left alone, or is gone: nothing more is asked of it now
    |- MissingExtraError            a package that only some commands need, and that is not installed
    |- AssetCheckError              an asset broke a promise of its own
    |- CorrectionError              what a person wanted to save is no result of this collection
    |  `- CorrectionConflictError   the result is another by now than the one that the person saw
    |- LockBusyError                somebody else holds a lock
    |  `- PassBusyError             another pass is running: nothing wrong, this one has nothing to do
    |- LeaseLostError               we held it and no longer can be sure of it
    |- PrefectUnavailableError      Prefect's API does not answer          (a retry helps)
    `- GeminiError                  Gemini refused or failed; carries the HTTP status where there is one
       |- GeminiTransientError      network, time-out, 408, 429, 5xx       (a retry helps)
       |- GeminiRefusedError        400: this request, as it is, will never be taken
       |- GeminiAccessError         401, 403, 404: the key, the project or the name is wrong
       |- GeminiQuotaError          429 on create: nothing was created; later it may be
       |- GeminiSpendingError       Google's own spending limits: nothing is wrong with what was asked
       |- GeminiAmbiguousError      a create that may or may not have taken effect
       `- GeminiDownloadError       a result file that came incomplete     (a retry helps)

What an outcome of a single record can be is not an error: see outcome.py.
"""

import errno

WAY_BACK = "see 'A folder or a database was exchanged' in docs/operations.md"
"""The way out where only a person can know which half of the state is the right one."""


class QuireError(Exception):
    """Base of the tree. ``str(error)`` is the one line that a user sees."""

    retry_helps = False


class ConfigError(QuireError):
    """A setting that is missing, unknown or out of bounds.

    Attributes: ``source`` (a file or an environment variable) and ``key`` (dotted path of the setting, or "").
    """

    def __init__(self, message: str, *, source: str, key: str = "") -> None:
        place = f"{source}: {key}: " if key else f"{source}: "
        super().__init__(place + message)
        self.source = source
        self.key = key


class RecordKeyError(QuireError):
    """A text that cannot be a record key. Attributes: ``text`` and ``reason``."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(f"{_shown(text)} is no record key: {reason}")
        self.text = text
        self.reason = reason


class SchemaError(QuireError):
    """A pydantic model that cannot become a responseSchema; the message names the field."""


class PromptError(QuireError):
    """A prompt that is missing or cannot be rendered; the message names the file."""


class ContextGoneError(QuireError):
    """The result of a predecessor was there when its successor was claimed, and is not any more: a person has it read
    again."""

    retry_helps = True


class RenderError(QuireError):
    """The program that renders PDFs does not start; the message has its last words."""


class StateError(QuireError):
    """State that cannot be trusted. Whoever raises it has changed nothing."""


class LedgerError(StateError):
    """A Prefect Variable that cannot be understood.

    Attributes: ``variable``, ``entry`` (the key or position in it, or "") and ``way_out``.
    """

    def __init__(self, variable: str, problem: str, *, entry: str = "", way_out: str) -> None:
        place = f"Variable {variable}, entry {_shown(entry)}" if entry else f"Variable {variable}"
        super().__init__(f"{place}: {problem}; {way_out}")
        self.variable = variable
        self.entry = entry
        self.way_out = way_out


class HomeMismatchError(StateError):
    """The manifests folder and the Prefect database do not carry the same ``quire_home`` id."""


class ManifestError(StateError):
    """A file or folder of the collection, under manifests/ or among the results, that cannot be read or understood.
    Attribute: ``path``."""

    def __init__(self, path: object, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = str(path)


class VanishedResultsError(StateError):
    """More finished records than ``safety.max_vanished_results`` have no output result any more."""


class DiskError(QuireError):
    """A file or a folder with which something is wrong that only its system knows. Attributes: ``path``, ``number``
    (the system's, see `errno`)."""

    retry_helps = True

    def __init__(self, path: object, number: int, words: str, what_to_do: str = "") -> None:
        super().__init__(f"{path}: {words}; {what_to_do or _mend(number)}")
        self.path = str(path)
        self.number = number

    @classmethod
    def of(cls, error: OSError) -> "DiskError | None":
        """The same as a line for a person; None for what names no file, which is no trouble of a disk."""
        if error.errno is None or error.filename is None:
            return None
        return cls(error.filename, error.errno, error.strerror or str(error))

    @classmethod
    def no_room(cls, path: object, words: str) -> "DiskError":
        """Before it is full."""
        return cls(path, errno.ENOSPC, words)


def words_of(error: OSError) -> str:
    """What the system says, and what may be done about it: for a line that names the place itself."""
    return f"{error.strerror or error}; {_mend(error.errno)}"


def _mend(number: int | None) -> str:
    return _MENDS.get(number or 0, _MEND)


class UnwrittenError(QuireError):
    """Results of a batch that cannot be written where they belong, while all others are. Attribute: ``records``: how
    many."""

    def __init__(self, record_key: str, cause: str, records: int) -> None:
        more = f", like {records - 1} more," if records > 1 else ""
        super().__init__(
            f"the result of {record_key}{more} cannot be written, all others are: {cause}; its answers are kept in "
            "manifests/raw, and each pass tries again"
        )
        self.records = records


_MEND = "look what is wrong there, then run again"
_MENDS = {
    errno.EACCES: "let the user that runs Quire read and write there, then run again",
    errno.EPERM: "let the user that runs Quire read and write there, then run again",
    errno.EROFS: "mount it so that it can be written, then run again",
    errno.ENOSPC: "make room on that disk, then run again",
    errno.EDQUOT: "make room within the quota, then run again",
    errno.EIO: "the disk or the share has a fault: check it, then run again",
    errno.ESTALE: "the share has lost it: mount it again, then run again",
    errno.ELOOP: "links lead in a circle there: put a folder or a file in their place",
}


class ImageError(QuireError):
    """An image file that cannot be read. Attributes: ``reason``, a few words that follow on the file's name;
    ``passes``: the same bytes may be read another time."""

    def __init__(self, reason: str, *, passes: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.passes = passes


class UnfitImageError(ImageError):
    """An image that is not sent as long as its bytes are what they are. Attributes: ``kind``, one of
    `assets.image_checks.UNFIT`; ``size_bytes``,
    ``modified_ns``: of the file that was read."""

    def __init__(self, reason: str, *, kind: str, size_bytes: int, modified_ns: int) -> None:
        super().__init__(reason)
        self.kind = kind
        self.size_bytes = size_bytes
        self.modified_ns = modified_ns


class FetchError(QuireError):
    """An address that cannot be asked, or an answer of a IIIF server that cannot be used. Attributes: ``address``,
    ``status`` (HTTP status, or None)."""

    def __init__(self, address: str, problem: str, *, status: int | None = None) -> None:
        super().__init__(f"{_cut(address)}: {problem}")
        self.address = address
        self.problem = problem
        self.status = status


class FetchTransientError(FetchError):
    """Network trouble, a time-out, 408, 429, 5xx, or a body that ended early. Attribute: ``wait_seconds``: how long the
    server asks to be left alone, or None."""

    retry_helps = True

    def __init__(
        self, address: str, problem: str, *, status: int | None = None, wait_seconds: float | None = None
    ) -> None:
        super().__init__(address, problem, status=status)
        self.wait_seconds = wait_seconds


class FetchStopError(FetchError):
    """Nothing more is asked of this server now; what was fetched stays, and the same command goes on later."""

    retry_helps = True


class MissingExtraError(QuireError):
    """Packages that only some commands need. Attributes: ``extra`` and ``packages``."""

    def __init__(self, extra: str, packages: tuple[str, ...]) -> None:
        are = "is" if len(packages) == 1 else "are"
        super().__init__(f'{", ".join(packages)} {are} not installed; install with: pip install "quire[{extra}]"')
        self.extra = extra
        self.packages = packages


class AssetCheckError(QuireError):
    """An asset broke one of its checks. Attributes: ``asset`` and ``check``."""

    def __init__(self, asset: str, check: str, problem: str) -> None:
        super().__init__(f"asset {asset}: check {check} failed: {problem}")
        self.asset = asset
        self.check = check


class CorrectionError(QuireError):
    """A person's correction that cannot be saved; nothing was."""


class CorrectionConflictError(CorrectionError):
    """Somebody else has written the result meanwhile. Attributes: ``record_key``, ``there`` (its bytes as they lie
    there, None if it is gone), ``there_sha256`` (of these, to save it again knowing them) and ``mine`` (the bytes that
    were to be saved, as they would have been written; None if the page was to be marked as checked)."""

    def __init__(
        self, record_key: str, *, there: bytes | None, there_sha256: str | None, mine: bytes | None, whose: str
    ) -> None:
        super().__init__(f"{record_key}: {whose}; nothing is saved: look at it, and save again")
        self.record_key = record_key
        self.there = there
        self.there_sha256 = there_sha256
        self.mine = mine


class LockBusyError(QuireError):
    """Another process holds the lock. Attribute: ``lock``."""

    def __init__(self, lock: str, message: str) -> None:
        super().__init__(message)
        self.lock = lock


class PassBusyError(LockBusyError):
    """Another pass is running, so this one has nothing to do."""


class LeaseLostError(QuireError):
    """Our lease of a lock could not be renewed in time, so another process may hold it by now."""


class PrefectUnavailableError(QuireError):
    """Prefect's API did not answer after all tries."""

    retry_helps = True


class GeminiError(QuireError):
    """Base of what comes from Gemini. Attribute: ``status`` (HTTP status, or None)."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class GeminiTransientError(GeminiError):
    """Network trouble, a time-out, 408, 429 or 5xx."""

    retry_helps = True


class GeminiRefusedError(GeminiError):
    """400: the request itself is at fault."""


class GeminiAccessError(GeminiError):
    """401, 403 or 404: key, project, or a name that does not exist (any more)."""


class GeminiQuotaError(GeminiError):
    """429 on create: too much is enqueued; nothing was created."""


class GeminiSpendingError(GeminiError):
    """The project may not spend more now; nothing was done. Attribute: ``needs_person``: whether it stays so until
    somebody does something about it, or the 1st."""

    def __init__(self, message: str, *, status: int | None = None, needs_person: bool) -> None:
        super().__init__(message, status=status)
        self.needs_person = needs_person


class GeminiAmbiguousError(GeminiError):
    """A create whose answer was lost: the job may exist."""


class GeminiDownloadError(GeminiTransientError):
    """A download that ended before all bytes were there."""


def _cut(text: str, limit: int = 200) -> str:
    """An address, bounded: somebody else wrote it."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _shown(text: str, limit: int = 120) -> str:
    """The text as a person may safely see it: control characters escaped, length bounded."""
    shown = repr(text)
    return shown if len(shown) <= limit else shown[: limit - 4] + "...'"
