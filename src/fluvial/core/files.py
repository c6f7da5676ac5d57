"""Files that are either whole or not there, and what to say when the system refuses one."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fluvial.core.errors import StorageError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_ACCESS = (errno.EACCES, errno.EPERM, errno.EROFS)


def write_text_atomic(path: Path, text: str) -> None:
    """Replace `path` by `text` in UTF-8; see `replaced`."""
    write_bytes_atomic(path, text.encode())


def write_bytes_atomic(path: Path, content: bytes) -> None:
    """Replace `path` by `content`; see `replaced`."""
    with replaced(path) as draft:
        write_synced(draft, content)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, where they are not there.

    Raises:
        StorageError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, path) from error


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A draft to be written in the block, which then takes the place of `path` as a whole.

    After a crash at any moment it is the old file or the new one. An error in the block leaves the old one.

    Raises:
        StorageError: the disk is full or the folder cannot be written; the old file is untouched.
    """
    draft = path.with_name(f".tmp-{path.name}-{secrets.token_hex(4)}")
    try:
        yield draft
        sync(draft)
        draft.replace(path)
        sync(path.parent)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def write_synced(path: Path, content: bytes) -> None:
    """Write a new file that is on the disk when this returns; OSError, and no file, if it cannot be."""
    with path.open("xb") as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            path.unlink()
            raise


def sync(path: Path) -> None:
    """Make a file, or the names in a folder as they are created, replaced or removed, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def storage_error(error: OSError, path: Path) -> StorageError:
    """What to tell the user when the system refuses to read or write `path`."""
    if error.errno in NO_ROOM:
        return StorageError(
            f"{path}: no room is left on its disk ({error.strerror}). Free some space or raise the quota; "
            "what was saved before is untouched."
        )
    if error.errno in NO_ACCESS:
        return StorageError(
            f"{path}: access was refused ({error.strerror}). Change the permissions or choose another folder."
        )
    file = next((part for part in (path, *path.parents) if part.exists() and not part.is_dir()), None)
    if error.errno in (errno.ENOTDIR, errno.EEXIST) and file is not None:
        return StorageError(f"{path}: {file} is a file, not a folder. Choose another folder.")
    return StorageError(f"{path}: {error.strerror or error}. Check the path and the disk.")
