//! Standard output and files: one write for each event, unbuffered, so that what counts as sent is there.
//!
//! Invariant: an event that could be written only in part is continued where it stopped, or its line is ended before the
//! next event begins; no event is ever glued to another.

use super::queue::Attempt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Something that is written to.
pub(super) struct Stream {
    out: File,
    /// How much of the event in front is written.
    written: usize,
    /// An event was given up in its middle.
    is_torn: bool,
}

impl Stream {
    /// The process's standard output, without its buffer and its lock.
    pub fn stdout() -> io::Result<Self> {
        #[cfg(unix)]
        let own = std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned()?;
        #[cfg(windows)]
        let own = std::os::windows::io::AsHandle::as_handle(&io::stdout()).try_clone_to_owned()?;
        Ok(Stream::of(File::from(own)))
    }

    /// A file that is appended to, and made when it is not there.
    pub fn file(path: &Path) -> io::Result<Self> {
        Ok(Stream::of(OpenOptions::new().append(true).create(true).open(path)?))
    }

    fn of(out: File) -> Self {
        Stream { out, written: 0, is_torn: false }
    }

    /// Writes what is not written yet.
    pub fn deliver(&mut self, payload: &[u8]) -> Attempt {
        match self.write(payload) {
            Ok(()) => {
                self.written = 0;
                Attempt::Delivered
            }
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Attempt::Gone,
            Err(error) => Attempt::Failed { why: error.to_string(), after: None },
        }
    }

    fn write(&mut self, payload: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.out.write_all(b"\n")?;
            self.is_torn = false;
        }
        while let Some(rest) = payload.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.out.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.written += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The event in front is not tried again.
    pub fn give_up(&mut self) {
        self.is_torn |= self.written > 0;
        self.written = 0;
    }
}
