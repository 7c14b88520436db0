//! Outside JSON: examples of the contract by hand, one fault a line, and the way there and back.

mod commands;
mod records;
mod round_trip;

use crate::model::{CardId, Number, NumberKind};

const CDR: &str = r#"{"iccid":"8986001234567890123","feed":"cmcc-pgw-1","id":"85/10.1.2.3/3405691582/12","start":"2026-08-01T09:30:15+08:00","end":"2026-08-01T09:45:15+08:00","up":48213,"down":1351042}"#;
const READING: &str = r#"{"iccid":"8986001234567890123","imei":"860000000000011","counter":"qgdcnt","at":"2026-08-01T09:35:00+08:00","tx":1200300,"rx":99000123}"#;
const RECHARGE: &str = r#"{"id":"r-1","card":"8986001234567890123","type":"recharge","at":"2026-08-01T00:00:00Z","order":"o-1","channel":"web","mode":"renewal","payment":{"provider":"wechat","reference":"p-9","paid_at":"2026-08-01T07:59:00+08:00"},"package":{"kind":"base","quota":"500MiB","validity":{"months":1}}}"#;

fn card() -> CardId {
    CardId::parse("8986001234567890123").unwrap()
}

fn imsi() -> Number {
    Number { kind: NumberKind::Imsi, digits: 460_041_234_567_890 }
}
