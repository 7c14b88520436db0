-- Every CDR of tidegauge.log by identity and content, for 400 days: what an auditor asks for. Of repeats the first place
-- in the log stays. The same id with other content is another row: a conflict, which `quarantine` explains under the same
-- log position, as it does for every record here that was not counted.

CREATE TABLE IF NOT EXISTS usage_records
(
    card          FixedString(19) CODEC(ZSTD(1)),
    start         DateTime('UTC') CODEC(T64, ZSTD(1)),
    feed          LowCardinality(String),
    id            String COMMENT 'the feed''s own id' CODEC(ZSTD(1)),
    content       UInt64 COMMENT 'xxh3 of end, up, down and slices' CODEC(ZSTD(1)),
    `end`         DateTime('UTC') CODEC(T64, ZSTD(1)),
    up            UInt64 COMMENT 'bytes' CODEC(T64, ZSTD(1)),
    down          UInt64 COMMENT 'bytes' CODEC(T64, ZSTD(1)),
    log_time      DateTime('UTC') COMMENT 'when it was appended' CODEC(T64, ZSTD(1)),
    log_partition UInt32 CODEC(T64, ZSTD(1)),
    log_offset    UInt64 CODEC(T64, ZSTD(1)),
    log_index     UInt16 COMMENT 'place in the pack' CODEC(T64, ZSTD(1)),
    version       UInt64 COMMENT 'greatest for the first place' CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(start)
ORDER BY (card, start, feed, id, content)
TTL start + INTERVAL 400 DAY
SETTINGS index_granularity = 1024, min_age_to_force_merge_seconds = 7200, min_age_to_force_merge_on_partition_only = 1;

CREATE OR REPLACE VIEW usage_records_now AS
SELECT * FROM usage_records FINAL
SETTINGS optimize_move_to_prewhere_if_final = 1;
