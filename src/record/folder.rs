//! Writing a run folder: it is locked, an earlier record moves aside, and each file appears whole.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::error::RecordError;
use super::meta::{META_FILE, Meta};
use super::row::Row;
use super::triage::hex;

const LOCK_FILE: &str = "lock";

/// A run folder that this process alone may write to, for as long as it holds this.
#[derive(Debug)]
pub struct Recording {
    dir: PathBuf,
    /// The earlier record, where it stands now.
    pub moved: Option<PathBuf>,
    _lock: File,
}

impl Recording {
    /// Makes the folder ready and proves that it can be written to, before any work is done.
    pub fn create(dir: &Path, meta: &Meta) -> Result<Self, RecordError> {
        let moved = make_room(dir)?;
        fs::create_dir_all(dir).map_err(|error| RecordError::write(dir, error))?;
        let lock = lock(dir)?;
        let recording = Self {
            dir: dir.to_owned(),
            moved,
            _lock: lock,
        };
        recording.write_meta(meta)?;
        Ok(recording)
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where tools' own output goes.
    pub fn raw(&self) -> PathBuf {
        self.dir.join("raw")
    }

    /// SHA-256 of every file that stands in the record now, by its path below the folder.
    pub fn checksums(&self) -> Result<BTreeMap<String, String>, RecordError> {
        let mut sums = BTreeMap::new();
        let mut folders = vec![self.dir.clone()];
        while let Some(folder) = folders.pop() {
            let read = |error| RecordError::read(&folder, error);
            for entry in fs::read_dir(&folder).map_err(read)? {
                let path = entry.map_err(read)?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Some(name) = name_below(&self.dir, &path) {
                    let bytes = fs::read(&path).map_err(|error| RecordError::read(&path, error))?;
                    sums.insert(name, hex(&Sha256::digest(&bytes)));
                }
            }
        }
        sums.remove(META_FILE);
        sums.remove(LOCK_FILE);
        Ok(sums)
    }

    pub fn write_meta(&self, meta: &Meta) -> Result<(), RecordError> {
        let text = serde_json::to_string_pretty(meta).map_err(|error| RecordError::write(&self.dir, error))?;
        self.write_text(META_FILE, &(text + "\n"))
    }

    /// A whole file at once.
    pub fn write_text(&self, name: &str, text: &str) -> Result<(), RecordError> {
        let path = self.dir.join(name);
        write_whole(&path, text).map_err(|error| RecordError::write(&path, error))
    }

    pub fn write_rows<R: Row>(&self, rows: &[R]) -> Result<(), RecordError> {
        let mut file = self.rows::<R>()?;
        for row in rows {
            file.push(row)?;
        }
        file.finish()
    }

    /// A file that grows row by row and appears under its name when it is finished.
    pub fn rows<R: Row>(&self) -> Result<Rows<R>, RecordError> {
        let path = self.dir.join(R::FILE);
        let file = NamedTempFile::new_in(&self.dir).map_err(|error| RecordError::write(&path, error))?;
        let mut writer = csv_writer(BufWriter::new(file));
        let header = writer.write_record(R::COLUMNS);
        header.map_err(|error| RecordError::csv_write(&path, error))?;
        Ok(Rows {
            path,
            writer,
            kind: std::marker::PhantomData,
        })
    }
}

/// With `/` on every system.
fn name_below(dir: &Path, path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path.strip_prefix(dir).ok()?.iter().map(|part| part.to_str()).collect();
    Some(parts?.join("/"))
}

/// The rows of one file on their way to disk.
#[derive(Debug)]
pub struct Rows<R> {
    path: PathBuf,
    writer: csv::Writer<BufWriter<NamedTempFile>>,
    kind: std::marker::PhantomData<fn(R)>,
}

impl<R: Row> Rows<R> {
    pub fn push(&mut self, row: &R) -> Result<(), RecordError> {
        let written = self.writer.serialize(row);
        written.map_err(|error| RecordError::csv_write(&self.path, error))
    }

    pub fn finish(self) -> Result<(), RecordError> {
        let Self { path, writer, .. } = self;
        let buffered = writer
            .into_inner()
            .map_err(|error| RecordError::write(&path, error.into_error()))?;
        let file = buffered
            .into_inner()
            .map_err(|error| RecordError::write(&path, error.into_error()))?;
        publish(file, &path).map_err(|error| RecordError::write(&path, error))
    }
}

pub(super) fn csv_writer<W: Write>(to: W) -> csv::Writer<W> {
    let mut builder = csv::WriterBuilder::new();
    builder.has_headers(false).terminator(csv::Terminator::Any(b'\n'));
    builder.from_writer(to)
}

/// All of it or nothing: what stood there before stays until the new text is complete.
pub fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    publish(file, path)
}

/// Temp files are private to their owner; a record is for everyone who may read the folder.
fn publish(file: NamedTempFile, path: &Path) -> io::Result<()> {
    readable_by_all(file.as_file())?;
    file.persist(path)?;
    Ok(())
}

#[cfg(unix)]
fn readable_by_all(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_by_all(_: &File) -> io::Result<()> {
    Ok(())
}

/// Moves an earlier record aside. What is no record is never touched.
fn make_room(dir: &Path) -> Result<Option<PathBuf>, RecordError> {
    let mut entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(RecordError::write(dir, error)),
    };
    let lock_only = |entry: io::Result<fs::DirEntry>| entry.is_ok_and(|entry| entry.file_name() == LOCK_FILE);
    if entries.all(lock_only) {
        return Ok(None);
    }
    if !dir.join(META_FILE).is_file() {
        return Err(RecordError::NotARecord(dir.to_owned()));
    }
    let held = lock(dir)?;
    let aside = free_name(dir);
    fs::rename(dir, &aside).map_err(|error| RecordError::write(&aside, error))?;
    drop(held);
    Ok(Some(aside))
}

/// `NAME.old`, or `NAME.old-2` and so on: no record is ever overwritten.
fn free_name(dir: &Path) -> PathBuf {
    let base = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let named = |number: u32| match number {
        1 => dir.with_file_name(format!("{base}.old")),
        _ => dir.with_file_name(format!("{base}.old-{number}")),
    };
    let mut number = 1;
    while named(number).exists() {
        number += 1;
    }
    named(number)
}

fn lock(dir: &Path) -> Result<File, RecordError> {
    let path = dir.join(LOCK_FILE);
    let file = File::create(&path).map_err(|error| RecordError::write(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(RecordError::Locked(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(RecordError::write(&path, error)),
    }
}
