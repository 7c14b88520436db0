//! Records made after the documents' field tables, with figures of our own.

use super::*;

pub(super) const STREAMED: &str = r#"{"id":4500839666911,"organisation":{"id":1,"name":"n"},"imsi":"440100836166473",
 "sim":{"id":9,"iccid":"8981109757931274797","msisdn":"812013000567"},"start_timestamp":"2026-07-25T00:11:32Z",
 "end_timestamp":"2026-07-25T00:16:38.260Z","traffic_type":{"id":5,"description":"Data"},
 "endpoint":{"id":11,"tags":null,"imei":"86975532810716300"},
 "volume":{"total":"0.092628","tx":"0.033486","rx":"0.059142"}}"#;

pub(super) const POINTS: &str = r#"{"440103929795636":[
 {"date":"202607250150","unixtime":1784944200,"dataTrafficStatsMap":{
  "s1.slow":{"uploadByteSizeTotal":193,"downloadByteSizeTotal":83,"uploadPacketSizeTotal":3},
  "s1.minimum":{"uploadByteSizeTotal":1501,"downloadByteSizeTotal":8481}}},
 {"unixtime":1784944500,"dataTrafficStatsMap":{}}],
 "8981109757931274797":[{"unixtime":1784944200,"dataTrafficStatsMap":{"s1.fast":{"uploadByteSizeTotal":1,"downloadByteSizeTotal":2}}}]}"#;

pub(super) const PAGE: &str = r#"{"iccid":"89883070000000000017","usage_records":[
 {"period":{"start_time":"2026-07-25T01:00:00Z","end_time":"2026-07-25T02:00:00Z"},"sim_sid":"HS0123456789abcdef0123456789abcdef",
  "network_sid":null,"iso_country":"DE","data_upload":150000,"data_download":250000,"data_total":400000},
 {"iccid":"8988307000000000002","period":{"start_time":"2026-07-25T02:00:00Z","end_time":"2026-07-25T03:00:00Z"},
  "data_upload":1,"data_download":2}],"meta":{"page":0}}"#;

pub(super) const POLL: &str = r#"{"polledAt":"2026-07-25T08:00:00+08:00","status":200,"body":{"iccid":"8986046699528215723",
 "imsi":"460049642422056","status":"ACTIVATED","ctdDataUsage":4738774,"ctdSMSUsage":0}}"#;

#[test]
fn a_streamed_record_is_a_cdr_to_the_byte() {
    let expected = "cdr iccid:8981109757931274797 4500839666911 2026-07-25T00:11:32Z 2026-07-25T00:16:38Z up 33486 down 59142";
    assert_eq!(lines(Platform::Onence, STREAMED.as_bytes()), [expected]);
    // emnify has the same in numbers, also with an exponent.
    let numbers = STREAMED.replace("\"0.033486\"", "3.3486e-02").replace("\"0.059142\"", "0.059142");
    let numbers = numbers.replace("\"0.092628\"", "0.092628");
    assert_eq!(lines(Platform::Emnify, numbers.as_bytes()), [expected]);
}

#[test]
fn without_an_iccid_the_imsi_names_the_card_and_a_list_is_its_records() {
    let nameless = STREAMED.replace("\"iccid\"", "\"other\"");
    let text = format!("[{nameless},\n{STREAMED}]");
    let found = lines(Platform::Onence, text.as_bytes());
    assert_eq!(found.len(), 2);
    assert!(found[0].starts_with("cdr imsi:440100836166473 "), "{}", found[0]);
    assert!(found[1].starts_with("cdr iccid:8981109757931274797 "), "{}", found[1]);
}

#[test]
fn an_sms_is_no_record_of_usage() {
    let sms = STREAMED.replace("\"id\":5,", "\"id\":6,");
    assert_eq!(lines(Platform::Onence, sms.as_bytes()), ["aside: SMS"]);
}

#[test]
fn an_end_before_the_start_is_for_the_meter_to_date() {
    let back = STREAMED.replace("00:16:38.260Z", "00:01:00Z");
    let found = lines(Platform::Onence, back.as_bytes());
    assert!(found[0].contains("2026-07-25T00:11:32Z 2026-07-25T00:01:00Z"), "{}", found[0]);
}

#[test]
fn a_point_is_the_sum_of_its_speed_classes_for_five_minutes() {
    // 193 + 1501 = 1694, 83 + 8481 = 8564; 1784944200 is 2026-07-25T01:50:00Z by `date -u -d @…`.
    let expected = [
        "cdr imsi:440103929795636 1784944200 2026-07-25T01:50:00Z 2026-07-25T01:55:00Z up 1694 down 8564",
        "cdr imsi:440103929795636 1784944500 2026-07-25T01:55:00Z 2026-07-25T02:00:00Z up 0 down 0",
        "cdr iccid:8981109757931274797 1784944200 2026-07-25T01:50:00Z 2026-07-25T01:55:00Z up 1 down 2",
    ];
    assert_eq!(lines(Platform::Soracom, POINTS.as_bytes()), expected);
}

#[test]
fn a_usage_record_has_an_id_made_of_what_it_is_about() {
    let expected = [
        "cdr iccid:8988307000000000001 HS0123456789abcdef0123456789abcdef//DE/2026-07-25T02:00:00Z \
         2026-07-25T01:00:00Z 2026-07-25T02:00:00Z up 150000 down 250000",
        "cdr iccid:8988307000000000002 ///2026-07-25T03:00:00Z \
         2026-07-25T02:00:00Z 2026-07-25T03:00:00Z up 1 down 2",
    ];
    assert_eq!(lines(Platform::SuperSim, PAGE.as_bytes()), expected);
}

#[test]
fn a_poll_is_a_total_of_the_cycle_and_a_failed_one_says_nothing() {
    let failed = r#"{"polledAt":"2026-07-25T04:00:00Z","status":429,"body":{"errorCode":"40000029"}}"#;
    let text = format!("{}\n{failed}\n", POLL.replace('\n', ""));
    let expected = [
        "cycle-total iccid:8986046699528215723 2026-07-25T00:00:01Z tx 0 rx 4738774",
        "aside: a poll that failed",
    ];
    assert_eq!(lines(Platform::ControlCenter, text.as_bytes()), expected);
}
