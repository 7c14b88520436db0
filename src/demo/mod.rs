//! What makes a first look need nothing installed: the development ClickHouse endpoint; the simulated fleet and its live
//! view join it here.

pub mod clickhouse;
