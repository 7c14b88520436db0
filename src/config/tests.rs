//! What a configuration may say, and what is told where it says something else.

use super::*;

fn config(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    super::config(Document::read(Path::new("t.toml"), text), variables)
}

#[test]
fn a_name_is_all_that_is_required() {
    let config = config("deployment = 'test'", &[]).unwrap();
    assert_eq!(config.kafka.partitions, 16);
    assert_eq!(config.api_listen.port(), 8080);
    assert!(config.clickhouse.is_none());
}

#[test]
fn a_wrong_key_is_named_with_its_line() {
    let error = config("deployment = 'test'\n[kafka]\nbroker = 'x:1'\n", &[]).unwrap_err().to_string();
    let expected = "t.toml:3:1: kafka.broker: there is no such key; did you mean kafka.brokers?\n  |\n\
                    3 | broker = …\n  | ^^^^^^";
    assert_eq!(error, expected);
}

#[test]
fn all_errors_are_told_at_once() {
    let text = "clock = 'wall'\n[kafka]\nbroker = 'x:1'\npartitions = 'many'\nlisten = 'x'\n[api]\nlisten = '8080'\n[wroker]\n";
    let variables = [("TIDEGAUGE_KAFKA_REPLICATION", "9"), ("TIDEGAUGE_DEPLOYEMENT", "x")];
    let error = config(text, &variables).unwrap_err().to_string();
    for expected in [
        "the configuration has 9 errors\n\nt.toml:1:9",
        "t.toml:1:9: clock: \"wall\" is none of log, supplied\n  |\n1 | clock = 'wall'\n  |         ^^^^^^",
        "t.toml:3:1: kafka.broker: there is no such key; did you mean kafka.brokers?",
        "t.toml:4:14: kafka.partitions: \"many\" is text: 1..=1024 is expected",
        "t.toml:5:1: kafka.listen: there is no such key; did you mean api.listen?",
        "t.toml:7:10: api.listen: \"8080\" is not an address and port",
        "t.toml:8:2: wroker: there is no such key; did you mean worker?",
        "\n\nvariable TIDEGAUGE_KAFKA_REPLICATION: kafka.replication: 9 is not within 1..=7",
        "\n\ndeployment: required",
        "\n\nvariable TIDEGAUGE_DEPLOYEMENT: no key has this name; it was not read; did you mean TIDEGAUGE_DEPLOYMENT?",
    ] {
        assert!(error.contains(expected), "{expected:?} in {error}");
    }
}

#[test]
fn who_names_an_unknown_table_is_told_those_there_are() {
    let error = config("deployment = 'test'\n[nosuch]\n", &[]).unwrap_err().to_string();
    let expected = "t.toml:2:2: nosuch: there is no such key; there are deployment, clock, [kafka], [ingest], \
                    [worker], [clickhouse], [api], [log], [[feeds]]";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn a_value_of_another_kind_is_said_in_words() {
    let feed = "deployment = 'test'\n[[feeds]]\nid = 'f'\nformat = 'emnify'\ncarrier = 5\n";
    let error = config(feed, &[]).unwrap_err().to_string();
    assert!(error.starts_with("t.toml:5:11: feeds[].carrier: 5 does not fit: text is expected"), "{error}");
    for (said, expected) in [
        ("partitions = true", "kafka.partitions: true is a truth value: 1..=1024 is expected"),
        ("partitions = -1", "kafka.partitions: -1 does not fit: 1..=1024 is expected"),
        ("partitions = [1]", "kafka.partitions: a list does not fit: 1..=1024 is expected"),
        ("prefix = 1.5", "kafka.prefix: 1.5 is a number with a point: text is expected"),
    ] {
        let error = config(&format!("deployment = 'test'\n[kafka]\n{said}\n"), &[]).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected:?} in {error}");
    }
}

#[test]
fn what_was_said_wrongly_is_not_said_to_be_missing() {
    let error = config("deployment = 5", &[]).unwrap_err().to_string();
    assert!(error.starts_with("t.toml:1:14: deployment: ") && !error.contains("required"), "{error}");
}

#[test]
fn a_text_that_is_no_toml_is_shown_where_it_is_not() {
    let error =
        config("deployment = 't'\n[kafka\nbrokers = 'a:1'\nprefix = \n", &[]).unwrap_err().to_string();
    assert!(error.starts_with("t.toml:2:7: no TOML: ") && !error.contains("required"), "{error}");
}

#[test]
fn a_variable_that_says_nothing_is_told_and_harms_nothing() {
    let variables =
        [("TIDEGAUGE_KAFKA_BROKER", "x:1"), ("TIDEGAUGE_PORT_8080_TCP", "tcp://x"), ("TIDEGAUGE_TOKEN", "t")];
    let config = config("deployment = 't'", &variables).unwrap();
    let unread: Vec<_> = config.unread.iter().map(ToString::to_string).collect();
    assert_eq!(
        unread,
        [
            "variable TIDEGAUGE_KAFKA_BROKER: no key has this name; it was not read; did you mean TIDEGAUGE_KAFKA_BROKERS?",
            "variable TIDEGAUGE_PORT_8080_TCP: no key has this name; it was not read",
        ]
    );
}

#[test]
fn variables_win_over_the_file() {
    let text = "deployment = 'test'\n[kafka]\nbrokers = 'a:1'\npartitions = 4";
    let config =
        config(text, &[("TIDEGAUGE_KAFKA_BROKERS", "b:2"), ("TIDEGAUGE_KAFKA_PARTITIONS", "8")]).unwrap();
    assert_eq!((config.kafka.brokers.as_str(), config.kafka.partitions), ("b:2", 8));
}

#[test]
fn a_variable_may_be_written_with_two_underscores_and_not_both_ways() {
    let both = [("TIDEGAUGE__DEPLOYMENT", "t"), ("TIDEGAUGE__KAFKA__SESSION_TIMEOUT_MS", "7000")];
    let said = config("", &both).unwrap();
    assert_eq!((said.deployment.as_str(), said.kafka.session_timeout_ms), ("t", 7_000));
    assert!(said.unread.is_empty(), "{:?}", said.unread);
    let variables = both.map(|(name, _)| name.to_owned());
    assert_eq!(said.said_in, SaidIn { file: Some("t.toml".into()), variables: variables.into() });
    let twice = [("TIDEGAUGE_DEPLOYMENT", "t"), ("TIDEGAUGE__DEPLOYMENT", "u")];
    let error = config("", &twice).unwrap_err().to_string();
    let expected =
        "variable TIDEGAUGE__DEPLOYMENT: deployment: TIDEGAUGE_DEPLOYMENT says it already: keep one of them";
    assert_eq!(error, expected);
}

#[test]
fn a_secret_may_stand_in_a_file_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    let said = |kafka: &str, clickhouse: &str| {
        let path = file.display();
        let text = format!(
            "deployment = 't'\n[kafka]\npassword_file = '{path}'\n{kafka}\n[clickhouse]\nurl = 'http://c:1'\n\
             password_file = '{path}'\n{clickhouse}"
        );
        config(&text, &[])
    };
    std::fs::write(&file, "hunter 2 \r\n").unwrap();
    let config = said("", "").unwrap();
    assert_eq!(config.kafka.properties["sasl.password"], "hunter 2 ");
    assert_eq!(config.clickhouse.unwrap().password, "hunter 2 ");
    let error = said("properties = { 'sasl.password' = 'x' }", "password = 'y'").unwrap_err().to_string();
    for expected in [
        "kafka.password_file: kafka.properties has a sasl.password too",
        "clickhouse.password_file: clickhouse.password is set too",
    ] {
        assert!(error.contains(expected), "{error}");
    }
    std::fs::write(&file, "hunter2\nhunter3\n").unwrap();
    let error = said("", "").unwrap_err().to_string();
    assert!(error.contains("one line is expected") && !error.contains("hunter"), "{error}");
    std::fs::remove_file(&file).unwrap();
    let error = said("", "").unwrap_err().to_string();
    assert!(error.contains("kafka.password_file: ") && error.contains("No such file"), "{error}");
}

#[test]
fn a_property_that_librdkafka_does_not_take_is_told_with_its_line_and_without_its_value() {
    let text = "deployment = 't'\n[kafka.properties]\n'sasl.passwrod' = 'hunter2'\n'acks' = 'hunter3'\n";
    let error = config(text, &[]).unwrap_err().to_string();
    for expected in [
        "the configuration has 2 errors\n\nt.toml:2:",
        "kafka.properties: sasl.passwrod: librdkafka has no such property",
        "kafka.properties: acks: librdkafka does not take what is said there",
    ] {
        assert!(error.contains(expected), "{expected:?} in {error}");
    }
    assert!(!error.contains("hunter"), "{error}");
}

#[test]
fn a_variable_is_text_where_its_key_takes_text() {
    let variables = [
        ("TIDEGAUGE_CLICKHOUSE_URL", "http://ch:8123"),
        ("TIDEGAUGE_CLICKHOUSE_PASSWORD", "12345678"),
        ("TIDEGAUGE_CLICKHOUSE_USER", "true"),
        ("TIDEGAUGE_CLICKHOUSE_USAGE_RECORDS", "false"),
        ("TIDEGAUGE_KAFKA_INSTANCE", "42"),
        ("TIDEGAUGE_KAFKA_PARTITIONS", "8"),
        ("TIDEGAUGE_KAFKA_PROPERTIES", "{ 'sasl.password' = '1' }"),
    ];
    let config = config("deployment = 't'", &variables).unwrap();
    let clickhouse = config.clickhouse.unwrap();
    assert_eq!((clickhouse.password.as_str(), clickhouse.user.as_str()), ("12345678", "true"));
    assert_eq!((config.kafka.instance.as_str(), config.kafka.partitions), ("42", 8));
    assert_eq!((clickhouse.usage_records, config.kafka.properties["sasl.password"].as_str()), (false, "1"));
}

#[test]
fn no_complaint_shows_a_secret() {
    let variables = [
        ("TIDEGAUGE_KAFKA_PROPERTIES", "{ 'sasl.password' = 987654 }"),
        ("TIDEGAUGE_CLICKHOUSE_USAGE_RECORDS", "987654"),
    ];
    for (text, variables, expected) in [
        (
            "[clickhouse]\npassword = 987654",
            &variables[..0],
            "clickhouse.password: a number does not fit: text",
        ),
        ("[clickhouse]\npasswrod = '987654'", &variables[..0], "did you mean clickhouse.password?"),
        ("[clickhouse]\nurl = 'me:987654@ch'", &variables[..0], "clickhouse.url: \"…@ch\" does not begin"),
        (
            "[clickhouse]\nurl = 'http://me:987654@ch'",
            &variables[..0],
            "clickhouse.url: a name and a password in the address are not used",
        ),
        ("[clickhouse]\npassword = '987654", &variables[..0], "no TOML:"),
        (
            "[kafka.properties]\n'sasl.password' = 987654",
            &variables[..0],
            "sasl.password: a number does not fit: text",
        ),
        ("[kafka]\nproperties = '987654'", &variables[..0], "kafka.properties: text does not fit: table"),
        ("", &variables[..1], "kafka.properties: sasl.password: a number does not fit: text is expected"),
        ("", &variables[1..], "clickhouse.usage_records: a number does not fit: bool is expected"),
    ] {
        let error = config(&format!("deployment = 't'\n{text}\n"), variables).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("987654"), "{text}: {error}");
    }
}

#[test]
fn values_out_of_range_say_what_would_be_right() {
    for (text, expected) in [
        ("", "deployment: required"),
        ("deployment = 'a b'", "deployment: \"a b\""),
        ("deployment = 't'\nclock = 'wall'", "clock: \"wall\""),
        ("deployment = 't'\n[kafka]\npartitions = 0", "kafka.partitions: 0 is not within 1..=1024"),
        ("deployment = 't'\n[clickhouse]\nurl = 'localhost:8123'", "clickhouse.url"),
        ("deployment = 't'\n[api]\nlisten = '8080'", "api.listen"),
        ("deployment = 't'\n[api]\noperations = '9464'", "api.operations"),
        ("deployment = 't'\n[api]\noperations = '127.0.0.1:8080'", "127.0.0.1:8080 is api.listen too"),
        ("deployment = 't'\n[kafka]\nbrokers = ''", "kafka.brokers: no broker is named"),
        ("deployment = 't'\n[api]\naddress = 'here:8080'", "api.address"),
    ] {
        let error = config(text, &[]).unwrap_err().to_string();
        assert!(error.contains(expected), "{text:?}: {error}");
    }
}

const FEED: &str = "\
deployment = 't'

[[feeds]]
id = 'cmcc'
format = '1nce'
carrier = 'x'

[[feeds]]
id = 'onelink'
format = 'mapped-json'
kind = 'cycle-total'
identity = '/iccid'
identity_kind = 'iccid'
at = '/at'
total = '/dataAmount'
unit = 'KiB'
time = '%Y%m%d%H%M%S'
zone = 'Asia/Shanghai'
";

#[test]
fn feeds_are_read_with_their_formats() {
    let config = config(FEED, &[]).unwrap();
    let formats: Vec<_> = config.feeds.iter().map(|f| (f.decoder.feed(), f.decoder.format())).collect();
    assert_eq!(formats, [("cmcc", "1nce"), ("onelink", "mapped-json")]);
    assert_eq!(config.feeds[0].carrier.as_deref(), Some("x"));
}

#[test]
fn a_fault_in_a_feed_is_named_with_its_line() {
    for (from, to, line, expected) in [
        ("unit = 'KiB'", "unit = 'KB'", 8, "KB"),
        ("at = '/at'\n", "", 8, "feed \"onelink\": at is missing"),
        ("zone = 'Asia/Shanghai'", "zoen = 'Asia/Shanghai'", 18, "did you mean feeds[].zone?"),
        ("zone = 'Asia/Shanghai'", "zone = 'Shanghai'", 18, "\"Shanghai\" is no zone"),
        ("format = '1nce'", "format = 'xml'", 5, "\"xml\" is none of 1nce, emnify"),
        ("carrier = 'x'", "unit = 'B'", 3, "only mapped formats take more keys"),
    ] {
        assert!(FEED.contains(from));
        let error = config(&FEED.replace(from, to), &[]).unwrap_err().to_string();
        assert!(error.contains(expected) && error.starts_with(&format!("t.toml:{line}:")), "{to}: {error}");
    }
    let twice = FEED.replace("'cmcc'", "'onelink'");
    let error = config(&twice, &[]).unwrap_err().to_string();
    assert!(error.contains("\"onelink\" is the name of two feeds"), "{error}");
    let ours = FEED.replace("carrier = 'x'", "topic = 'eu.usage.cdr'") + "[kafka]\nprefix = 'eu.'";
    let error = config(&ours, &[]).unwrap_err().to_string();
    assert!(error.contains("feeds[].topic: \"eu.usage.cdr\" is a topic of this deployment's own"), "{error}");
}

#[test]
fn the_reference_names_every_key_that_is_read() {
    for key in said::KEYS {
        let value = if key.name == "kafka.properties" { "{}" } else { "[]" };
        let (section, name) = key.name.split_once('.').unwrap_or(("", key.name));
        let text = match section.strip_suffix("[]") {
            Some(list) => format!("[[{list}]]\n{name} = {value}"),
            None if section.is_empty() => format!("{name} = {value}"),
            None => format!("[{section}]\n{name} = {value}"),
        };
        if let Err(error) = toml::from_str::<Said>(&text) {
            assert!(!error.to_string().contains("unknown field"), "{}: {error}", key.name);
        }
    }
}
