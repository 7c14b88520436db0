//! The file of tokens: a line each, `reader TOKEN` or `operator TOKEN`; `#` begins a comment. Tokens are never printed.

use std::path::Path;

use super::ConfigError;

/// Shorter ones are guessed.
const TOKEN_CHARACTERS_MIN: usize = 16;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Questions.
    Reader,
    /// Commands too.
    Operator,
}

/// Reads the file.
///
/// # Errors
/// It cannot be read, or a line is not as above; the line is named, the token is not.
pub fn tokens(path: &Path) -> Result<Vec<(Role, String)>, ConfigError> {
    let problem = |problem: String| ConfigError::Value { key: "api.tokens", problem };
    let text = std::fs::read_to_string(path).map_err(|e| problem(format!("{}: {e}", path.display())))?;
    parse(&text).map_err(|(line, what)| problem(format!("{} line {line}: {what}", path.display())))
}

fn parse(text: &str) -> Result<Vec<(Role, String)>, (usize, String)> {
    let mut tokens = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let mut words = content.split_whitespace().take_while(|word| !word.starts_with('#'));
        let (Some(role), token, rest) = (words.next(), words.next(), words.next()) else { continue };
        let role = match role {
            "reader" => Role::Reader,
            "operator" => Role::Operator,
            // Not repeated: it may be a token whose role was forgotten.
            _ => return Err((line, "it does not begin with a role: reader or operator".to_owned())),
        };
        match (token, rest) {
            (Some(token), None) if token.len() >= TOKEN_CHARACTERS_MIN => {
                tokens.push((role, token.to_owned()));
            }
            (Some(_), None) => {
                return Err((line, format!("a token has at least {TOKEN_CHARACTERS_MIN} characters")));
            }
            _ => return Err((line, "a role and one token stand in a line".to_owned())),
        }
    }
    if tokens.is_empty() {
        return Err((1, "there is no token in it: nobody could ask".to_owned()));
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_role_and_a_token() {
        let text = "# who may ask\nreader 0123456789abcdef\n\noperator fedcba98#76543210 # the console\n";
        let tokens = parse(text).expect("two tokens");
        assert_eq!(tokens.iter().map(|(role, _)| *role).collect::<Vec<_>>(), [Role::Reader, Role::Operator]);
        assert_eq!(tokens[1].1, "fedcba98#76543210", "a comment begins a word");
    }

    #[test]
    fn a_wrong_line_is_named_without_its_token() {
        for (text, line, says) in [
            ("", 1, "no token"),
            ("reader 0123456789abcdef\nadmin 0123456789abcdef", 2, "role"),
            ("0123456789abcdef", 1, "role"),
            ("reader short", 1, "16 characters"),
            ("reader", 1, "one token"),
            ("reader 0123456789abcdef 0123456789abcdef", 1, "one token"),
        ] {
            let (at, what) = parse(text).expect_err(text);
            assert!(at == line && what.contains(says) && !what.contains("0123"), "{text:?}: {at} {what}");
        }
    }
}
