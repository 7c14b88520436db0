//! A reader of standard output who has seen enough, as `tidegauge verify | head`.

use std::process::{Command, Stdio};

/// What a shell shows of a program that SIGPIPE has ended.
const CLOSED_PIPE: i32 = 141;

#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    for arguments in
        [&["config", "schema"][..], &["--json", "config", "schema"], &["man"], &["completions", "bash"]]
    {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegauge"));
        command.args(arguments).env_remove("TIDEGAUGE_CONFIG").stdout(writer).stderr(Stdio::piped());
        let ended = command.output().expect("the program starts");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!((ended.status.code(), &*said), (Some(CLOSED_PIPE), ""), "{arguments:?}");
    }
}
