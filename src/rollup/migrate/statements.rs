//! A migration's text → its statements: ClickHouse runs one at a time.

/// The statements between semicolons, without comments before them. A semicolon in a string, a quoted name or a comment
/// ends nothing.
#[must_use]
pub fn statements(sql: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(letter) = sql[at..].chars().next() {
        match letter {
            '\'' | '`' | '"' => at += quoted_len(&sql[at..], letter),
            '-' if sql[at..].starts_with("--") => at += line_len(&sql[at..]),
            ';' => {
                found.push(&sql[start..at]);
                at += 1;
                start = at;
            }
            _ => at += letter.len_utf8(),
        }
    }
    found.push(&sql[start..]);
    found.into_iter().map(without_comments_before).filter(|statement| !statement.is_empty()).collect()
}

/// Bytes from an opening quote to after its closing one, `\x` and doubled quotes inside passed over.
fn quoted_len(text: &str, quote: char) -> usize {
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        if letter == '\\' {
            letters.next();
        } else if letter == quote {
            return at + 1;
        }
    }
    text.len()
}

fn line_len(text: &str) -> usize {
    text.find('\n').map_or(text.len(), |end| end + 1)
}

fn without_comments_before(statement: &str) -> &str {
    let mut rest = statement.trim();
    while rest.starts_with("--") {
        rest = rest[line_len(rest)..].trim_start();
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_semicolon_ends_a_statement_only_where_it_is_one() {
        let cases: [(&str, &[&str]); 8] = [
            ("", &[]),
            ("a; b", &["a", "b"]),
            ("-- one; two\na;\n\n-- three\n-- four\nb;\n", &["a", "b"]),
            ("a 'x;y' b; c", &["a 'x;y' b", "c"]),
            (r"a 'x\';y'; c", &[r"a 'x\';y'", "c"]),
            ("a 'it''s;'; c", &["a 'it''s;'", "c"]),
            ("a `x;y`; \"b;c\"", &["a `x;y`", "\"b;c\""]),
            ("a -- b; c\n d; 日;", &["a -- b; c\n d", "日"]),
        ];
        for (sql, expected) in cases {
            assert_eq!(statements(sql), expected, "{sql}");
        }
    }
}
