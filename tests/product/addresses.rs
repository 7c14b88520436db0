//! An address for questions and orders, and another for the machine room.

use crate::deployment::{Deployment, free_address};
use crate::{eventually, http};

#[test]
fn metrics_have_an_address_of_their_own_once_it_is_set() {
    let operations = free_address();
    let deployment = Deployment::new("addresses").with("TIDEGAUGE_API_OPERATIONS", &operations);
    let running = deployment.start();
    let status = |address: &str, path: &str| http::get(address, path).map(|answer| answer.status);
    for (path, at_api, at_operations) in [
        ("/health/ready", 200, 200),
        ("/health/live", 200, 200),
        ("/metrics", 404, 200),
        ("/v1/partitions", 200, 404),
        ("/openapi.json", 200, 404),
    ] {
        assert_eq!(status(running.address(), path), Some(at_api), "{path}");
        assert_eq!(status(&operations, path), Some(at_operations), "{path}");
    }
    let given = http::post(&operations, "/v1/drain", "").map(|answer| answer.status);
    assert_eq!(given, Some(404), "no orders are taken there");
}

#[test]
fn without_the_role_api_there_are_metrics_and_probes_where_they_are_configured() {
    let operations = free_address();
    let deployment = Deployment::new("unasked").with("TIDEGAUGE_API_OPERATIONS", &operations);
    deployment.tell(&["topics", "apply"]);
    let running = deployment.run(&["--roles", "ingest,meter", "--new"]);
    let answer = |path: &str| http::get(&operations, path);
    eventually("ready", || answer("/health/ready").filter(|answer| answer.status == 200));
    let metrics = answer("/metrics").expect("it listens");
    assert!(metrics.status == 200 && metrics.body.contains("tidegauge_partition"), "{}", metrics.body);
    assert_eq!(answer("/v1/partitions").map(|answer| answer.status), Some(404));
    assert!(http::get(running.address(), "/health/live").is_none(), "nobody asked for that address");
}
