"""What file systems say when they do not know a call at all, which is no fault of the disk: the numbers of such
errors."""

import errno

NOT_LINKED = frozenset({errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EMLINK})
"""Of a hard link: exFAT, SMB, shared folders of virtual machines, many FUSE mounts."""
NOT_RENAMED = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM, errno.EACCES})
"""Of a rename that must not replace. Where the folder cannot be written, the next try says so."""
NOT_LOCKED = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOLCK, errno.EBADF})
"""Of a lock on a file."""
NOT_SYNCED = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS})
"""Of the sync of a file. EIO and ENOSPC are none of these: what was written is lost then."""
NOT_SYNCED_FOLDER = NOT_SYNCED | {errno.EACCES, errno.EPERM, errno.EBADF, errno.EISDIR}
"""Of the sync of a folder, or of opening one for it."""
