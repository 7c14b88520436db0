//! An address for questions and orders, and another for the machine room.

use crate::deployment::{Deployment, free_address};
use crate::http;

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
