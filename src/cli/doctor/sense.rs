//! The configuration's sense: what is allowed and yet seldom meant.

use super::finding::{Finding, Findings};
use crate::config::{self, Config};

pub(super) fn look(config: &Config) -> Vec<Finding> {
    let mut findings = Findings::of("configuration");
    kafka(config, &mut findings);
    http(config, &mut findings);
    clickhouse(config, &mut findings);
    if config.clock_supplied {
        findings.warning(
            "clock",
            "the records' own times move log time: alerts by time wait for records",
            "for production make a deployment with clock = \"log\"; the mode of this one never changes",
        );
    }
    for unread in &config.unread {
        let fix = unread.help.clone().unwrap_or_else(|| "set by others than you, it does no harm".to_owned());
        findings.warning("environment", unread.to_string(), fix);
    }
    if findings.clean() {
        findings.ok(config.deployment.clone(), "nothing in it contradicts itself");
    }
    findings.done()
}

fn kafka(config: &Config, findings: &mut Findings) {
    let kafka = &config.kafka;
    if kafka.replication < 3 {
        findings.warning(
            "kafka.replication",
            format!("is {}: the loss of a broker stops or loses what is on it", kafka.replication),
            "3 with three brokers or more, before the topics are made",
        );
    }
    if kafka.replication > 1 && !kafka.brokers.contains(',') {
        findings.warning(
            "kafka.brokers",
            format!("only {} is named: while it is away nothing can start", kafka.brokers),
            "name two or three brokers",
        );
    }
    if u32::from(config.worker_threads) > kafka.partitions {
        findings.warning(
            "worker.threads",
            format!(
                "{} workers and {} partitions: some have nothing to do",
                config.worker_threads, kafka.partitions
            ),
            format!("at most {} over all instances", kafka.partitions),
        );
    }
    if is_container_id(&kafka.instance) {
        findings.warning(
            "kafka.instance",
            format!("{} looks like a container's id: it is another after each start, so a restart waits for the session's end", kafka.instance),
            "a name that stays, e.g. of the pod of a StatefulSet",
        );
    }
    let secured =
        kafka.properties.get("security.protocol").is_some_and(|p| p.to_lowercase().contains("sasl"));
    let mechanism = kafka.properties.get("sasl.mechanism").or(kafka.properties.get("sasl.mechanisms"));
    if mechanism.is_some() && !secured {
        findings.error(
            "kafka.properties",
            "sasl.mechanism is set and security.protocol is not sasl_…: nobody logs in",
            "security.protocol = \"sasl_ssl\"",
        );
    }
}

fn http(config: &Config, findings: &mut Findings) {
    let open = !config.api_listen.ip().is_loopback();
    let Some(tokens) = &config.api_tokens else {
        if open {
            findings.warning(
                "api.tokens",
                format!(
                    "none, and {} is open to the network: everybody reads, nobody may order",
                    config.api_listen
                ),
                "a file with a line for each token: reader TOKEN, or operator TOKEN",
            );
        }
        return;
    };
    match config::tokens(tokens) {
        Ok(found) if found.is_empty() => {
            findings.error(
                "api.tokens",
                format!("{} has no token", tokens.display()),
                "add a line: operator TOKEN",
            );
        }
        Ok(_) => readable_by_others(tokens, findings),
        Err(error) => findings.error("api.tokens", error.to_string(), "mend the file"),
    }
}

fn readable_by_others(path: &std::path::Path, findings: &mut Findings) {
    use std::os::unix::fs::PermissionsExt as _;
    let Ok(meta) = std::fs::metadata(path) else { return };
    if meta.permissions().mode() & 0o004 != 0 {
        findings.warning(
            "api.tokens",
            format!("everybody on this machine can read {}", path.display()),
            format!("chmod 640 {}, owned by who runs tidegauge", path.display()),
        );
    }
}

fn clickhouse(config: &Config, findings: &mut Findings) {
    let Some(server) = &config.clickhouse else {
        findings.warning(
            "clickhouse.url",
            "not set: no history, no rows of days and months",
            "name the server, or leave it so if alerts and answers from memory are all that is wanted",
        );
        return;
    };
    let local =
        ["http://127.", "http://localhost", "http://[::1]"].iter().any(|at| server.url.starts_with(at));
    if server.url.starts_with("http://") && !local && !server.password.is_empty() {
        findings.warning(
            "clickhouse.url",
            format!("the password goes to {} in clear", server.url),
            "https://, or a network that nobody else is on",
        );
    }
}

/// Twelve hexadecimal digits are what a container is called whom nobody has named.
fn is_container_id(name: &str) -> bool {
    name.len() == 12 && name.chars().all(|c| c.is_ascii_digit() || matches!(c, 'a'..='f'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::said::Said;

    fn subjects(text: &str) -> Vec<String> {
        let said: Said = toml::from_str(&format!("deployment = 't'\n{text}")).expect("TOML");
        let config = Config::from_said(said).expect("a configuration");
        look(&config).into_iter().filter(|f| f.fix.is_some()).map(|f| f.subject).collect()
    }

    #[test]
    fn what_is_seldom_meant_is_named_by_its_key() {
        let sound = "[kafka]\nbrokers = 'a:1,b:1'\ninstance = 'tidegauge-0'\n[clickhouse]\nurl = 'http://127.0.0.1:8123'\n";
        assert_eq!(subjects(sound), Vec::<String>::new());
        let cases = [
            ("brokers = 'a:1,b:1'", "brokers = 'a:1'", "kafka.brokers"),
            ("instance = 'tidegauge-0'", "instance = '0123456789ab'", "kafka.instance"),
            ("[clickhouse]", "replication = 1\n[clickhouse]", "kafka.replication"),
            ("[clickhouse]", "properties = { 'sasl.mechanism' = 'PLAIN' }\n[clickhouse]", "kafka.properties"),
            ("[clickhouse]", "[worker]\nthreads = 17\n[clickhouse]", "worker.threads"),
            ("[clickhouse]", "[api]\nlisten = '0.0.0.0:8080'\n[clickhouse]", "api.tokens"),
            ("http://127.0.0.1:8123'", "http://ch:8123'\npassword = 'x'", "clickhouse.url"),
            ("[kafka]", "clock = 'supplied'\n[kafka]", "clock"),
        ];
        for (from, to, subject) in cases {
            assert!(sound.contains(from));
            assert_eq!(subjects(&sound.replace(from, to)), [subject], "{to}");
        }
        assert_eq!(subjects("[kafka]\nbrokers = 'a:1,b:1'\ninstance = 'x'"), ["clickhouse.url"]);
    }
}
