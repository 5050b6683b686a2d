"""``quire correct``: a person's result for a page, or that the page is checked, said in the terminal. How it is saved
stands in `flows.tables.corrections`.
"""

import getpass
from datetime import UTC, datetime
from pathlib import Path

from assets.corrections import CorrectionKind
from assets.domain.errors import CorrectionError
from config.settings import Settings, load_settings
from flows.runtime.printable import printable
from flows.runtime.wiring import config_path, make_storage
from flows.tables.corrections import Corrector, Saved, model_answer

MAX_FILE_BYTES = 64 << 20


def correct_text(config: str | None, key: str, file: Path, *, by: str | None, dry_run: bool) -> str:
    """Save what ``file`` holds as the result of a page. ``by``: None for the name of the account; ``dry_run``: only
    look whether it could be. Raises QuireError, OSError."""
    settings = load_settings(config_path(config))
    corrector = Corrector.of(settings)
    storage = corrector.storage
    path, there = storage.result_path(key), storage.result_file(key)
    found = file.stat()
    if found.st_size > MAX_FILE_BYTES:
        raise CorrectionError(f"{file} has {found.st_size:,} bytes, more than any result; nothing is saved")
    if there is not None and there.modified_ns > found.st_mtime_ns:
        when = datetime.fromtimestamp(there.modified_ns / 1e9, UTC)
        raise CorrectionError(
            f"{path} was written at {when:%Y-%m-%d %H:%M:%S} UTC, after {file}: look whether somebody has corrected it "
            "meanwhile, and save yours again; nothing is saved"
        )
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CorrectionError(f"{file} is no text in UTF-8; nothing is saved") from None
    if dry_run:
        corrector.judged(key, text)
        return f"{printable(key)} would be corrected; nothing is done"
    seen = there.sha256 if there is not None else None
    return _said(settings, corrector.correct(key, text, seen=seen, by=person_of(by)))


def check_text(config: str | None, key: str, *, by: str | None, dry_run: bool) -> str:
    """Note that a person has checked a page and found it good. Raises QuireError, OSError."""
    settings = load_settings(config_path(config))
    corrector = Corrector.of(settings)
    there = corrector.storage.result_file(key)
    if there is None:
        raise CorrectionError(f"{key} has no result that could be checked; nothing is saved")
    if dry_run:
        return f"{printable(key)} would be noted as checked; nothing is done"
    return _said(settings, corrector.check(key, seen=there.sha256, by=person_of(by)))


def answer_of(config: str | None, key: str) -> bytes:
    """What the model had answered for a page that was corrected. Raises QuireError, OSError."""
    settings = load_settings(config_path(config))
    answer = model_answer(make_storage(settings), key)
    if answer is None:
        raise CorrectionError(f"{key}: no other answer of the model is kept; its result is the only one")
    return answer


def _said(settings: Settings, saved: Saved) -> str:
    key = printable(saved.record_key)
    if saved.kind is CorrectionKind.CHECKED:
        return f"{key} is checked: it stays as it is"
    answer = model_answer(make_storage(settings), saved.record_key)
    kept = f"; quire correct {key} --answer shows what the model had answered" if answer is not None else ""
    return f"{key} is corrected: its result stays as it is now{kept}"


def person_of(by: str | None) -> str:
    """``by``: as it was said; None for the name of the account. Raises CorrectionError."""
    return by or _account()


def _account() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise CorrectionError("say who you are: --as NAME; nothing is saved") from None
