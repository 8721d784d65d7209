//! Makes text that clients may have sent safe to print on one line of a log or a terminal.

use std::fmt;
use std::io::{self, Write};

/// Which characters are escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// Those that end a line or control a terminal.
    Controls,
    /// Those plus `"` and `\`, as in a JSON string.
    Json,
}

/// Passes text on to `out`, escaped as in JSON: `\n`, `\u001b`.
pub(super) struct Escaped<'a, W>(pub(super) &'a mut W, pub(super) Escapes);

impl<W: Write> fmt::Write for Escaped<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape(self.0, text, self.1).map_err(|_| fmt::Error)
    }
}

/// Writes `text` to `out`, escaped.
pub(super) fn escape(out: &mut impl Write, text: &str, escapes: Escapes) -> io::Result<()> {
    if is_plain(text.as_bytes(), escapes) {
        return out.write_all(text.as_bytes());
    }
    let mut rest = text;
    // Unescaped runs are copied whole.
    while let Some((at, found)) = rest.char_indices().find(|(_, c)| needs_escape(*c, escapes)) {
        out.write_all(&rest.as_bytes()[..at])?;
        match found {
            '\n' => out.write_all(b"\\n")?,
            '\r' => out.write_all(b"\\r")?,
            '\t' => out.write_all(b"\\t")?,
            '"' => out.write_all(b"\\\"")?,
            '\\' => out.write_all(b"\\\\")?,
            other => write!(out, "\\u{:04x}", u32::from(other))?,
        }
        rest = &rest[at + found.len_utf8()..];
    }
    out.write_all(rest.as_bytes())
}

/// `text`, escaped.
pub(super) fn escaped(text: &str, escapes: Escapes) -> String {
    let mut out = Vec::with_capacity(text.len());
    // Writing into memory never fails.
    let _written = escape(&mut out, text, escapes);
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether the text is only ASCII that needs no escape, as nearly all text is. Checks every byte without an early
/// exit, so that the compiler can vectorize it.
fn is_plain(text: &[u8], escapes: Escapes) -> bool {
    let json = escapes == Escapes::Json;
    text.iter().fold(true, |plain, byte| {
        plain & byte.is_ascii() & (*byte >= b' ') & (*byte != 0x7f) & !(json & matches!(byte, b'"' | b'\\'))
    })
}

/// C0, DEL and C1 controls, the two other characters that some viewers break lines at, and those that turn the
/// direction of the text around them.
fn needs_escape(c: char, escapes: Escapes) -> bool {
    match c {
        '"' | '\\' => escapes == Escapes::Json,
        ' '..='~' => false,
        '\u{2028}' | '\u{2029}' => true,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        _ => c.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_a_line_or_steers_a_terminal() {
        assert_eq!(escaped("a\r\nb\tc\u{1b}[31m\u{7f}\u{85}\u{2028}\0", Escapes::Controls), {
            r"a\r\nb\tc\u001b[31m\u007f\u0085\u2028\u0000"
        });
        assert_eq!(escaped("\u{202e}drow\u{2069}\u{200f}", Escapes::Controls), r"\u202edrow\u2069\u200f");
        assert_eq!(escaped(r#"小店 "x" \ é"#, Escapes::Controls), r#"小店 "x" \ é"#);
    }

    #[test]
    fn json_strings_read_back_as_they_were() {
        for text in ["", "plain", "\"", "\\", "小店 \"x\" \\ é\n\u{1b}\0\u{2029}\u{9f}\u{202e}"] {
            let json = format!("\"{}\"", escaped(text, Escapes::Json));
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
