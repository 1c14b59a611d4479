//! From bytes to text and back: byte order marks, PEP 263 coding lines, size limits.

use std::borrow::Cow;

use encoding_rs::Encoding;

/// Larger files are listed as unparsed: no hand-written module comes near.
pub const MAX_BYTES: usize = 8 << 20;

/// Why a file is not a module that can be measured. `line` is one-based, where one is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unparsed {
    pub reason: String,
    pub line: Option<u32>,
}

impl Unparsed {
    pub(super) fn new(reason: impl Into<String>, line: Option<u32>) -> Self {
        Self {
            reason: reason.into(),
            line,
        }
    }
}

/// The text of one file, and what is needed to write it back byte for byte.
#[derive(Clone, Debug)]
pub struct Source {
    pub text: String,
    coding: Coding,
    byte_order_mark: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Coding {
    Utf8,
    Ascii,
    /// Every byte is the code point of the same number; `encoding_rs` would read windows-1252.
    Latin1,
    Other(&'static Encoding),
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl Source {
    pub fn from_text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            coding: Coding::Utf8,
            byte_order_mark: false,
        }
    }

    /// Decodes a file as CPython would.
    pub fn load(bytes: &[u8]) -> Result<Self, Unparsed> {
        if bytes.len() > MAX_BYTES {
            let megabytes = MAX_BYTES >> 20;
            return Err(Unparsed::new(format!("larger than {megabytes} MiB"), None));
        }
        let (byte_order_mark, body) = match bytes.strip_prefix(BYTE_ORDER_MARK) {
            Some(body) => (true, body),
            None => (false, bytes),
        };
        let coding = declared_coding(body, byte_order_mark)?;
        let text = decode(body, coding)?.into_owned();
        if let Some(at) = text.find('\0') {
            let line = text[..at].matches('\n').count() + 1;
            return Err(Unparsed::new("contains null bytes", u32::try_from(line).ok()));
        }
        let source = Self {
            text,
            coding,
            byte_order_mark,
        };
        if source.encode(&source.text).as_deref() != Some(bytes) {
            return Err(Unparsed::new(
                "its encoding does not survive decoding and encoding again",
                None,
            ));
        }
        Ok(source)
    }

    /// Writes another text in this file's encoding; `None` if it cannot express a character.
    pub fn encode(&self, text: &str) -> Option<Vec<u8>> {
        let mut out = if self.byte_order_mark {
            BYTE_ORDER_MARK.to_vec()
        } else {
            Vec::new()
        };
        match self.coding {
            Coding::Ascii if !text.is_ascii() => return None,
            Coding::Utf8 | Coding::Ascii => out.extend_from_slice(text.as_bytes()),
            Coding::Latin1 => {
                for character in text.chars() {
                    out.push(u8::try_from(u32::from(character)).ok()?);
                }
            }
            Coding::Other(encoding) => {
                let (bytes, _, lossy) = encoding.encode(text);
                if lossy {
                    return None;
                }
                out.extend_from_slice(&bytes);
            }
        }
        Some(out)
    }

    /// The line end of the file's first line; `\n` where there is none.
    pub fn newline(&self) -> &'static str {
        match self.text.find(['\n', '\r']) {
            Some(at) if self.text[at..].starts_with("\r\n") => "\r\n",
            Some(at) if self.text[at..].starts_with('\r') => "\r",
            _ => "\n",
        }
    }
}

fn declared_coding(body: &[u8], byte_order_mark: bool) -> Result<Coding, Unparsed> {
    let Some((name, line)) = coding_line(body) else {
        return Ok(Coding::Utf8);
    };
    let label = name.to_ascii_lowercase().replace('_', "-");
    let coding = match label.as_str() {
        "utf-8" | "utf8" | "utf-8-sig" => Coding::Utf8,
        _ if label.starts_with("utf-8-") => Coding::Utf8,
        "ascii" | "us-ascii" | "646" => Coding::Ascii,
        "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "8859" | "cp819" | "l1" => Coding::Latin1,
        _ if label.starts_with("latin-1-") || label.starts_with("iso-8859-1-") => Coding::Latin1,
        other => match for_python_name(other) {
            Some(encoding) => Coding::Other(encoding),
            None => return Err(Unparsed::new(format!("unknown encoding {name:?}"), Some(line))),
        },
    };
    // With the mark, CPython takes `utf-8` and its variants only, not the alias `utf8`.
    if byte_order_mark && label != "utf-8" && !label.starts_with("utf-8-") {
        return Err(Unparsed::new(
            format!("encoding {name:?} contradicts the UTF-8 byte order mark"),
            Some(line),
        ));
    }
    Ok(coding)
}

fn for_python_name(label: &str) -> Option<&'static Encoding> {
    let spelled = match label.strip_prefix("cp125") {
        Some(digit) => format!("windows-125{digit}"),
        None => label.replace("iso8859-", "iso-8859-"),
    };
    Encoding::for_label(spelled.as_bytes())
        .filter(|encoding| !["UTF-16LE", "UTF-16BE", "replacement"].contains(&encoding.name()))
}

/// The encoding that PEP 263 lets one of the first two lines declare, and that line's number.
fn coding_line(body: &[u8]) -> Option<(String, u32)> {
    let head = String::from_utf8_lossy(&body[..body.len().min(1024)]).replace("\r\n", "\n");
    for (number, line) in (1..).zip(head.split(['\n', '\r']).take(2)) {
        let code = line.trim_start_matches([' ', '\t', '\x0c']);
        if let Some(comment) = code.strip_prefix('#') {
            if let Some(name) = coding_name(comment) {
                return Some((name, number));
            }
        } else if !code.is_empty() {
            return None;
        }
    }
    None
}

fn coding_name(comment: &str) -> Option<String> {
    let mut rest = comment;
    while let Some(at) = rest.find("coding") {
        rest = &rest[at + "coding".len()..];
        if let Some(value) = rest.strip_prefix([':', '=']) {
            let value = value.trim_start_matches([' ', '\t']);
            let name: String = value
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
                .collect();
            if !name.is_empty() {
                return Some(name);
            }
        }
    }
    None
}

fn decode(body: &[u8], coding: Coding) -> Result<Cow<'_, str>, Unparsed> {
    match coding {
        Coding::Utf8 => std::str::from_utf8(body).map(Cow::Borrowed).map_err(|error| {
            let line = body[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
            Unparsed::new(
                "not valid UTF-8, and no coding line says otherwise",
                u32::try_from(line).ok(),
            )
        }),
        Coding::Ascii if !body.is_ascii() => Err(Unparsed::new("declared ASCII, but holds other bytes", None)),
        Coding::Ascii => Ok(String::from_utf8_lossy(body)),
        Coding::Latin1 => Ok(body.iter().map(|byte| char::from(*byte)).collect()),
        Coding::Other(encoding) => {
            let decoded = encoding.decode_without_bom_handling_and_without_replacement(body);
            decoded.ok_or_else(|| Unparsed::new(format!("not valid {}", encoding.name()), None))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coding_line_is_honoured_and_written_back() {
        let bytes = b"#!/usr/bin/python\n# -*- coding: latin-1 -*-\nname = '\xe9\x85'\n";
        let source = Source::load(bytes).unwrap();
        assert!(source.text.ends_with("'\u{e9}\u{85}'\n"));
        assert_eq!(source.encode(&source.text).unwrap(), bytes);
        assert_eq!(source.encode("\u{20ac}"), None);
    }

    #[test]
    fn a_coding_line_after_code_is_a_comment() {
        assert_eq!(coding_line(b"import os\n# coding: latin-1\n"), None);
        assert_eq!(
            coding_line(b"\n# vim: set fileencoding=cp1252 :\n"),
            Some(("cp1252".to_owned(), 2))
        );
    }

    #[test]
    fn bytes_that_no_coding_line_explains_are_refused_with_their_line() {
        let error = Source::load(b"a = 1\nb = '\xe9'\n").unwrap_err();
        assert_eq!(error.line, Some(2));
    }

    #[test]
    fn a_byte_order_mark_is_no_text_but_is_kept() {
        let source = Source::load(b"\xef\xbb\xbfa = 1\r\n").unwrap();
        assert_eq!(source.text, "a = 1\r\n");
        assert_eq!(source.newline(), "\r\n");
        assert_eq!(source.encode("b = 1\r\n").unwrap(), b"\xef\xbb\xbfb = 1\r\n");
    }

    #[test]
    fn an_unknown_encoding_and_a_contradicting_one_are_refused() {
        assert!(
            Source::load(b"# coding: klingon\n")
                .unwrap_err()
                .reason
                .contains("klingon")
        );
        assert!(Source::load(b"\xef\xbb\xbf# coding: latin-1\n").is_err());
        assert!(Source::load(b"\xef\xbb\xbf# coding: utf8\n").is_err());
        assert!(Source::load(b"\xef\xbb\xbf# coding: UTF_8\n").is_ok());
    }
}
