"""What submissions that are no longer active have left undone: uploads that nobody needs any more, of those that are
closed and of those that were never claimed, as their pass died; and failures that are not counted, where a pass died
before that and a person then took the submission out of the active list. Each upload bears its submission's id in its
display name.
"""

from assets.domain.errors import GeminiError
from flows.protocol.closing import count_failures, delete_files
from flows.runtime.logs import logger
from flows.runtime.passes import Pass


async def sweep_uploads(p: Pass) -> None:
    """Count the failures of closed submissions that are not counted yet, and delete what closed and unclaimed ones have
    left at Gemini. Asks for the list of files only if a mark says that there may be some. What cannot be deleted now is
    for the next pass."""
    storage, marks = p.services.storage, p.services.storage.upload_marks
    stale = [each for each in marks.all() if storage.is_closed(each) or not storage.has_batch_manifest(each)]
    if not stale:
        return
    for submission_id in stale:
        if storage.is_closed(submission_id) and not marks.is_counted(submission_id):
            await count_failures(p, submission_id)
            p.lease.check()
            marks.count(submission_id)
    try:
        files = await p.services.gemini.list_files()
    except GeminiError as error:
        logger().warning("Uploads that nobody needs could not be looked for (%s); the next pass looks", error)
        return
    for submission_id in stale:
        names = [file.name for file in files if file.display_name.startswith(f"{submission_id}-")]
        if names:
            logger().info("Deleting %d uploads that %s has left behind", len(names), submission_id)
        p.lease.check()
        if await delete_files(p, names):
            marks.remove(submission_id)
