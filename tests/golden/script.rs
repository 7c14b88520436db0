//! The form of a script: `# comment`, `> command`, and under a command the lines of its trace, until the next one.

/// A script.
pub(crate) struct Script {
    pub(crate) steps: Vec<Step>,
}

/// A command and the trace that must follow it.
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) command: String,
    pub(crate) expected: Vec<String>,
}

impl Script {
    pub(crate) fn parse(text: &str) -> Self {
        let mut steps: Vec<Step> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match (line.strip_prefix("> "), steps.last_mut()) {
                (Some(command), _) => {
                    steps.push(Step { line: number + 1, command: command.to_owned(), expected: Vec::new() });
                }
                (None, Some(step)) => step.expected.push(line.to_owned()),
                (None, None) => panic!("line {}: a trace without a command: {line}", number + 1),
            }
        }
        Self { steps }
    }
}
